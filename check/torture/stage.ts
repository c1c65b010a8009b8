/** What a structure brings to a torture run: main's part (run.ts). */

import type { Shared } from "../../src/index.js";
import type { Random } from "../support/seed.js";
import type { Game } from "./game.js";
import type { Timed } from "./linearizable.js";
import type { ErrorKind } from "./tally.js";

/** Bytes of a structure's own words. */
export const OWN_BYTES = 2 ** 24;

export interface Stage<O extends Timed = never> {
  /** What is played in the rounds of checked operations. */
  readonly game?: Game<O>;
  /**
   * `clear` makes blocks anew, which may come into slabs that others have left: so what is live must be as at the start, and pages but for one for each block.
   */
  readonly remakes?: boolean;
  /** Open all there is, or make it; gives what has to be cleared for all memory to be back. */
  open(shared: Shared, own: SharedArrayBuffer): readonly { clear(): void }[];
  /** So that what must be found is there. */
  fill(shared: Shared, random: Random, own: SharedArrayBuffer): void;
  /**
   * When all have gone: what of it is not as it must be.
   * @param kills threads that did not end by themselves
   */
  judge?(shared: Shared, own: SharedArrayBuffer, kills: number, fail: (kind: ErrorKind, what: string) => void): void;
}
