/** What the threads of checked.test.ts share: words of a block that the main thread took. */

export const POINTERS = 4;
export const LOCK = 16;
export const COUNTERS = 17;
export const MAILBOXES = 32;
export const BOXES = 8;
export const COMMON_BYTES = 256;

export type Work = "blocks" | "intervalMap" | "map" | "allocator" | "mutex" | "storms";

export interface CheckedJob {
  readonly work: Work;
  readonly index: number;
  readonly writes: boolean;
  readonly common: number;
  readonly seed: number;
  /** Every grace period is over at once. */
  readonly busted: boolean;
}
