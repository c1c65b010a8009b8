/** What a call that must be refused is refused with. */

import assert from "node:assert/strict";
import { QuiesceError } from "../../src/memory/errors.js";

/** The class and code of what `fn` throws; its message must say what was given. */
export function refusal(fn: () => unknown, says: RegExp): string {
  try {
    fn();
  } catch (error) {
    assert.ok(error instanceof QuiesceError, `a ${String(error)} is none of ours`);
    assert.match(error.message, says);
    return `${error.name} ${error.code}`;
  }
  return assert.fail("nothing was thrown");
}
