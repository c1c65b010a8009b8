/**
 * What a run came to: the published JSON fields, and how they are worked out.
 */

import type { SharedStats } from "../../index.js";
import { type Change, type Control, changeNames } from "./control.js";

/** The object that `--json` prints. */
export interface Result {
  /** Rows read, of both families. */
  rows: number;
  /** Ranges held after loading. */
  entries: number;
  /** Rows that overlapped the row before them. */
  trimmed: number;
  /** Reader threads. */
  threads: number;
  /** Measured time that readers ran. */
  seconds: number;
  lookups: number;
  updates: number;
  wrong: number;
  /** While readers ran. */
  gracePeriods: number;
  /** How long those who retired memory waited for its grace period. */
  gpMicros: SharedStats["gpMicros"];
  bytesUsed: number;
  bytesIfCopied: number;
  /** Objects retired and not yet given back, after the last grace period. */
  retiredPending: number;
  seed: number;
  /** Reader threads x time / lookups. */
  nsPerLookup: number;
  loadSeconds: number;
  rowsIpv4: number;
  rowsIpv6: number;
  trimmedIpv4: number;
  trimmedIpv6: number;
  entriesIpv4: number;
  entriesIpv6: number;
  /** Ranges held at the end. */
  entriesAtEnd: number;
  updatesAsked: number;
  changes: Record<Change, number>;
  /** Of the package with the data. */
  dataVersion: string;
  interrupted: boolean;
  /** Whether what the writer left was compared with the maps (not when a thread failed). */
  audited: boolean;
  /** What check() found in the arena. */
  violations: string[];
  /** What went wrong with threads. */
  failures: string[];
}

export function newResult(threads: number, updatesAsked: number, seed: number): Result {
  return {
    rows: 0,
    entries: 0,
    trimmed: 0,
    threads,
    seconds: 0,
    lookups: 0,
    updates: 0,
    wrong: 0,
    gracePeriods: 0,
    gpMicros: { p50: 0, p99: 0, max: 0 },
    bytesUsed: 0,
    bytesIfCopied: 0,
    retiredPending: 0,
    seed,
    nsPerLookup: 0,
    loadSeconds: 0,
    rowsIpv4: 0,
    rowsIpv6: 0,
    trimmedIpv4: 0,
    trimmedIpv6: 0,
    entriesIpv4: 0,
    entriesIpv6: 0,
    entriesAtEnd: 0,
    updatesAsked,
    changes: { splits: 0, rejoins: 0, moves: 0, withdrawals: 0, readditions: 0 },
    dataVersion: "",
    interrupted: false,
    audited: false,
    violations: [],
    failures: [],
  };
}

/** Bytes of a range in sorted typed arrays: lo, hi, country (2), version (4). */
const PLAIN_IPV4 = 4 + 4 + 2 + 4;
const PLAIN_IPV6 = 16 + 16 + 2 + 4;

/** What `copies` plain copies of the data take. It does not get more compact without losing speed. */
export function bytesIfCopied(copies: number, entriesIpv4: number, entriesIpv6: number): number {
  return copies * (entriesIpv4 * PLAIN_IPV4 + entriesIpv6 * PLAIN_IPV6);
}

export function sumLookups(control: Control, readers: number): number {
  let sum = 0;
  for (let thread = 0; thread < readers; thread++) sum += control.lookups(thread);
  return sum;
}

export function sumWrong(control: Control, threads: number): number {
  let sum = 0;
  for (let thread = 0; thread < threads; thread++) sum += control.wrong(thread);
  return sum;
}

export function changesOf(control: Control, writer: number): Record<Change, number> {
  const changes = { splits: 0, rejoins: 0, moves: 0, withdrawals: 0, readditions: 0 };
  for (const name of changeNames) changes[name] = control.changes(writer, name);
  return changes;
}

/** Time that `threads` threads had for each of `lookups` lookups. */
export function nsPerLookup(threads: number, seconds: number, lookups: number): number {
  return lookups === 0 ? 0 : (threads * seconds * 1e9) / lookups;
}

/** 0 only when every answer was right and nothing broke. */
export function statusOf(result: Result): number {
  return result.wrong === 0 && result.violations.length === 0 && result.failures.length === 0 ? 0 : 1;
}
