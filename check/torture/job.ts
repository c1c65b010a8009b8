/** What the threads of a torture run are told. */

import type { IntervalMap, Shared } from "../../src/index.js";
import { type TextMap, textMap, type U32Map, type U128Map, u32Map, u128Map, type Versioned, type VersionedView } from "../support/maps.js";

export const STRUCTURES = ["rcu", "intervalMap"] as const;
export type Structure = (typeof STRUCTURES)[number];

/** One worker's orders. A seat is a place in the run; whoever is killed in it is followed by another. */
export interface TortureJob {
  readonly structure: Structure;
  readonly seat: number;
  readonly seats: number;
  /** Which thread of the run this is, from 1: no two have the same. */
  readonly life: number;
  readonly seed: number;
  /** Marks what this thread allocates. */
  readonly tag: number;
  /** Tags of those who died in this seat, whose blocks this thread has to free. */
  readonly graves: readonly number[];
  /** Address of the published pointers, `ROW` for each seat in each place. */
  readonly pointers: number;
  readonly tally: SharedArrayBuffer;
  readonly ledger: SharedArrayBuffer;
  readonly history: SharedArrayBuffer;
  /** Grace periods are a no-op: the run must fail. */
  readonly busted: boolean;
}

/** Pointers of each seat in a place; only its own updater stores them. */
export const ROW = 2;

/** Every third seat updates, the first one always. */
export const updates = (seat: number): boolean => seat % 3 === 0;

/** An element: all its words atomic. */
export const Element = {
  /** Grace periods since it was removed, and one. */
  PIPE: 0,
  /** Different for every use of the memory, never 0; wiped when it is freed. */
  GENERATION: 1,
  /** An embedded head, for callHead: two words. */
  HEAD: 2,
} as const;
export const ELEMENT_BYTES = 96;

/** Grace periods after which a removed element is freed (rcutorture's RCU_TORTURE_PIPE_LEN). */
export const PIPE_LENGTH = 10;

/** The maps of a run. */
export interface Maps {
  /** Each key's versions only go up. */
  readonly ledger: U32Map;
  readonly wide: U128Map;
  /** Updated by all at random. */
  readonly numbers: U32Map;
  readonly texts: TextMap;
  /** A few keys, whose history is checked. */
  readonly exact: IntervalMap<"u32", Versioned, VersionedView>;
}

export const openMaps = (shared: Shared): Maps => ({
  ledger: u32Map(shared, "ledger"),
  wide: u128Map(shared, "wide"),
  numbers: u32Map(shared, "numbers"),
  texts: textMap(shared, "texts"),
  exact: u32Map(shared, "exact"),
});

/** Entries of the ledger and the wide map, and keys of each in the ledger. */
export const ENTRIES = 48;
export const SPAN = 16;
