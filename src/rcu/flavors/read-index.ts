/**
 * Read indexes: each reader of this thread has two numbers that no other has, so that an index handed to another domain is seen for nothing. The phase
 * flavor's sections take the one or the other, by the phase that they count in.
 *
 * Law table: this file owns no word.
 */

import { ContextError } from "../errors.js";
import type { ReadIndex } from "./flavor.js";

let readers = 0;

/** The first of a new reader's two. */
export const nextIndex = (): ReadIndex => (2 * ++readers) as ReadIndex;

export function foreignIndex(): ContextError {
  return new ContextError("ERR_FOREIGN_INDEX", "readUnlock(index) was given an index of another domain's readLock(), or none at all.");
}
