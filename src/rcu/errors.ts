/**
 * Refusals of the grace-period machinery.
 *
 * Law table: this file owns no word.
 */

import { QuiesceError } from "../memory/errors.js";

export type ContextCode =
  /** What may wait, in a read-side section. */
  | "ERR_IN_SECTION"
  /** What may wait, with a spin lock held. */
  | "ERR_ATOMIC_CONTEXT"
  /** What waits for callbacks, in a callback. */
  | "ERR_IN_CALLBACK"
  | "ERR_NOT_IN_SECTION"
  | "ERR_UNBALANCED_UNLOCK"
  | "ERR_FOREIGN_INDEX"
  | "ERR_ASYNC_SECTION"
  | "ERR_LOCK_HELD"
  /** An update without the lock that its structure's writers take; debug mode. */
  | "ERR_LOCK_NOT_HELD"
  | "ERR_NOT_MAIN"
  | "ERR_CANNOT_BLOCK";

/** Something that is not allowed where it was done. */
export class ContextError extends QuiesceError {
  constructor(code: ContextCode, message: string) {
    super(code, message);
  }
}

/** A head that is waiting for its callback already. */
export class DoubleCallError extends QuiesceError {
  constructor(head: number) {
    super("ERR_DOUBLE_CALL", `callHead() of the head at ${head}, which is waiting for its callback already: an object is given up once.`);
  }
}

/** Grace periods did not end in time. */
export class GracePeriodTimeoutError extends QuiesceError {
  constructor(milliseconds: number, blockers: string) {
    super("ERR_GRACE_PERIOD_TIMEOUT", `the grace period was not over after ${milliseconds} ms; it waits for ${blockers}.`);
  }
}
