/**
 * Read indexes: which reader of this thread gave it, and the phase it counts in, so that an index handed to another domain is seen for
 * nothing.
 *
 * Law table: this file owns no word.
 */

import type { ReadIndex } from "./flavor.js";

let readers = 0;

/** An index that no other reader of this thread has, with this phase. */
export const nextSerial = (phase: number): ReadIndex => (++readers * 2 + phase) as ReadIndex;

/** The reader that an index is of. */
export const serialOf = (index: ReadIndex): number => Math.floor(index / 2);

/** The phase in it. */
export const phaseOf = (index: ReadIndex): number => index % 2;
