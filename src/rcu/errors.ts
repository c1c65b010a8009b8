/**
 * Refusals of the grace-period machinery.
 *
 * Law table: this file owns no word.
 */

import { QuiesceError } from "../memory/errors.js";

/** Something that is not allowed where it was done. */
export class ContextError extends QuiesceError {
  constructor(code: "ERR_IN_SECTION" | "ERR_NOT_IN_SECTION" | "ERR_UNBALANCED_UNLOCK" | "ERR_ASYNC_SECTION" | "ERR_CANNOT_BLOCK", message: string) {
    super(code, message);
  }
}
