/**
 * The guard of a debug arena: makes objects ready for their users and unusable after them, looks at what has become of them, and reports it (Linux
 * mm/slub.c, SLUB_DEBUG). What stands where: poison.ts.
 *
 * Law table: this file owns no word; see poison.ts, history.ts.
 */

import { type Address, field } from "./address.js";
import { CallLog } from "./call-log.js";
import { rawStack, trimStack } from "./call-site.js";
import { LockTimeoutError } from "./errors.js";
import { Histories, HistoryState, type Place } from "./history.js";
import { Header, type Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import { historyText, type MemoryFault, type MemoryReport, type ObjectHistory, reportText } from "./memory-report.js";
import { damagesOf, type Extent, FRESH, POISON, POISON_END, rightZone, wordsOf, ZONE_ACTIVE, ZONE_INACTIVE } from "./poison.js";
import { NAME_WORDS, type Slot, SlotWord } from "./slot.js";
import { loadText } from "./text.js";
import { tell, warn } from "./warn.js";

/** Bytes that a report shows. */
const SHOWN = 16;
/** Call sites that a thread remembers by their raw stacks. */
const MOST_SITES = 10_000;

/** One thread's guard. */
export class Guard {
  readonly histories: Histories;
  readonly log: CallLog;
  /** Bytes that kmalloc was asked for, while it takes an object; undefined else. */
  asked: number | undefined;
  onReport: ((report: MemoryReport) => void) | undefined;
  warns = true;
  /** Whether stacks are kept; they are most of what debug mode costs. */
  stacks = true;
  /** Reports made. */
  reports = 0;
  /** Runs with the arena lock; set by the heap. */
  withArenaLock: <T>(fn: () => T) => T = (fn) => fn();
  tryWithArenaLock: <T>(fn: () => T) => T | undefined = (fn) => fn();
  readonly #memory: Memory;
  readonly #slot: Slot;
  readonly #sites = new Map<string, number>();
  readonly #queue: MemoryReport[] = [];
  #depth = 0;
  #nameHash = 0;
  #name = 0;

  constructor(memory: Memory, layout: Layout, slot: Slot) {
    this.#memory = memory;
    this.#slot = slot;
    this.log = new CallLog(memory, layout);
    this.histories = new Histories(memory, layout, this.log);
  }

  // Who and where -------------------------------------------------------------------------------------

  /**
   * The place that is running, and this thread's name. It may take the arena lock.
   * @param atomic without sleeping for it
   */
  here(atomic = false): Place {
    if (!this.stacks) return { site: 0, name: this.#nameNow(atomic) };
    const raw = rawStack();
    let site = this.#sites.get(raw);
    if (site === undefined) {
      site = this.#keep(trimStack(raw), atomic);
      if (this.#sites.size >= MOST_SITES) this.#sites.clear();
      if (site !== 0) this.#sites.set(raw, site);
    }
    return { site, name: this.#nameNow(atomic) };
  }

  #nameNow(atomic: boolean): number {
    const at = field(this.#slot.address, SlotWord.NAME);
    let hash = 0;
    for (let word = 0; word < NAME_WORDS; word++) hash = (Math.imul(hash, 31) + this.#memory.load(field(at, word))) | 0;
    if (hash !== this.#nameHash) {
      const name = loadText(this.#memory, at, NAME_WORDS);
      this.#name = name === "" ? 0 : this.#keep(name, atomic);
      if (this.#name !== 0 || name === "") this.#nameHash = hash;
    }
    return this.#name;
  }

  // A reaper retires, with the lock, what the dead thread was retiring.
  get #isLocked(): boolean {
    return this.#slot.hasNoted(Header.ARENA_LOCK);
  }

  /** Address of a text in the call log, 0 when it cannot be there. */
  #keep(text: string, atomic: boolean): number {
    const known = this.log.find(text);
    if (known !== undefined) return known;
    const keep = (): Address | undefined => this.log.keep(text);
    try {
      const kept = this.#isLocked ? keep() : atomic ? this.tryWithArenaLock(keep) : this.withArenaLock(keep);
      return kept ?? 0;
    } catch (error) {
      if (error instanceof LockTimeoutError) return 0; // not known, rather than in the way of what is being done
      throw error;
    }
  }

  // Give out, take back ---------------------------------------------------------------------------------

  /** Make an object ready for its user. */
  open(extent: Extent, bytes: number, place: Place): void {
    const memory = this.#memory;
    const { start, history } = extent;
    this.histories.enter(history, HistoryState.CHANGING);
    this.histories.taken(history, bytes, this.#slot.thread, place);
    if (extent.isPoisoned) memory.fill(start, wordsOf(this.histories, extent), FRESH);
    this.#fence(extent);
    this.histories.enter(history, HistoryState.LIVE);
  }

  #fence(extent: Extent): void {
    this.#memory.fill((extent.start - extent.zone) as Address, extent.zone, ZONE_ACTIVE);
    const right = rightZone(this.histories, extent);
    this.#memory.fill(right.at, right.words, ZONE_ACTIVE);
  }

  /** Of a live object whose damage was told: mend its zones, so that it is told once. */
  inspectLive(extent: Extent, during: string): void {
    if (this.inspect(extent, during)) this.#fence(extent);
  }

  /** Note who gives an object back. */
  given(extent: Extent, place: Place): void {
    this.histories.given(extent.history, this.#slot.thread, place);
  }

  /** Make an object unusable: whoever still writes to it is found out. */
  close({ start, room, zone, history, isPoisoned }: Extent): void {
    const memory = this.#memory;
    this.histories.enter(history, HistoryState.CHANGING);
    if (isPoisoned) {
      memory.fill(start, room - 1, POISON);
      memory.write(field(start, room - 1), POISON_END);
    }
    memory.fill((start - zone) as Address, zone, ZONE_INACTIVE);
    memory.fill(field(start, room), zone, ZONE_INACTIVE);
    this.histories.enter(history, HistoryState.FREED);
  }

  // Examine ---------------------------------------------------------------------------------------------

  /** Reports of what is wrong with an object. */
  examine(extent: Extent, during: string): MemoryReport[] {
    const damages = damagesOf(this.#memory, this.histories, extent);
    if (damages.length === 0) return [];
    return damages.map(({ fault, first, last }) => this.reportOf(extent, fault, first, last - first + 1, during));
  }

  /** As `examine`, for `flush` to tell. Gives whether anything is wrong. */
  inspect(extent: Extent, during: string): boolean {
    const reports = this.examine(extent, during);
    this.#queue.push(...reports);
    return reports.length > 0;
  }

  /** A report. */
  reportOf(extent: Extent, fault: MemoryFault, offset: number, bytes: number, during: string): MemoryReport {
    const found: number[] = [];
    for (let byte = offset; byte < offset + Math.min(bytes, SHOWN); byte++)
      found.push((this.#memory.load(field(extent.start, byte >> 2)) >>> (8 * (byte & 3))) & 0xff);
    const report = { fault, object: this.describe(extent), offset, bytes, found, during, thread: this.#slot.thread, stack: trimStack(rawStack()) };
    return { ...report, message: reportText(report) };
  }

  /** What is known of an object. */
  describe({ start, history, cache }: Extent): ObjectHistory {
    const { histories } = this;
    const state = histories.state(history);
    return {
      address: start,
      bytes: histories.bytes(history),
      cache,
      state: state === HistoryState.LIVE ? "live" : state === HistoryState.FREED ? "freed" : "changing",
      allocated: histories.takenBy(history),
      freed: histories.givenBy(history),
    };
  }

  /** For an error's message. */
  textOf(extent: Extent): string {
    return `\n${historyText(this.describe(extent))}`;
  }

  // Report ----------------------------------------------------------------------------------------------

  /** Tell `report` at the next `flush`. */
  queue(report: MemoryReport): void {
    this.#queue.push(report);
  }

  /** An operation of the allocators begins, and ends: in between nobody is told anything, for a listener may allocate itself. */
  begin(): void {
    this.#depth++;
  }
  end(): void {
    this.#depth--;
    this.flush();
  }

  /** Tell what was found in the middle of what others do: once that is over. */
  flushSoon(): void {
    if (this.#queue.length > 0) queueMicrotask(() => this.flush());
  }

  /** Tell what was found, unless an operation is under way or the arena lock is held. */
  flush(): void {
    if (this.#queue.length === 0 || this.#depth > 0 || this.#isLocked) return;
    for (let report = this.#queue.shift(); report !== undefined; report = this.#queue.shift()) {
      this.reports++;
      if (this.warns) warn(report.message, "QuiesceMemoryWarning");
      tell(this.onReport, report);
    }
  }
}
