/** Refusals of lists. */

import { QuiesceError } from "../../memory/errors.js";

export type ListCode =
  /** An entry that is in no list: deleted already, or never added. */
  | "ERR_NOT_LINKED"
  /** Neighbours that do not lead to each other: deleted already, changed without the lock, or not repaired after a writer's death. */
  | "ERR_LIST_CORRUPT"
  /** A list that is to be moved into itself. */
  | "ERR_SPLICE"
  /** What is no reference to an element of a list. */
  | "ERR_LIST_REF";

/** What a list cannot do. */
export class ListError extends QuiesceError {
  constructor(code: ListCode, message: string) {
    super(code, message);
  }
}
