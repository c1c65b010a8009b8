/** Refusals of keys and ranges. */

import { QuiesceError } from "../memory/errors.js";

/** A key or a range that its structure cannot hold. */
export class KeyError extends QuiesceError {
  constructor(code: "ERR_KEY" | "ERR_RANGE" | "ERR_VIEW_ENDED", message: string) {
    super(code, message);
  }
}
