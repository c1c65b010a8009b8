/** What the threads of a torture run are told. */

import type { Appointment } from "./deaths.js";

export const STRUCTURES = ["rcu", "intervalMap", "map", "cell", "list", "rculist", "queues"] as const;
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
  /** The structure's own words, outside the arena (stage.ts). */
  readonly own: SharedArrayBuffer;
  /** See deaths.ts. */
  readonly deaths: SharedArrayBuffer;
  readonly appointment: Appointment | undefined;
  /** Grace periods are a no-op: the run must fail. */
  readonly busted: boolean;
}

/** Pointers of each seat in a place; only its own updater stores them. */
export const ROW = 2;

/** Where writers take a lock: every third seat updates, the first one always. */
export const updates = (seat: number): boolean => seat % 3 === 0;

/** Of so many things dealt out to seats: those of one. */
export function dealt(count: number, { seat, seats }: Pick<TortureJob, "seat" | "seats">, among: (seat: number) => boolean): number[] {
  const updating = Array.from({ length: seats }, (_, i) => i).filter(among);
  return Array.from({ length: count }, (_, i) => i).filter((i) => updating[i % updating.length] === seat);
}

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
