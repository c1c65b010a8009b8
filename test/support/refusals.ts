/** Values that a codec refuses. */

import assert from "node:assert/strict";
import { inspect } from "node:util";
import { ValueError } from "../../src/values/errors.js";

/** The codec refuses the value by name: in `prepare`, and in `check` if it has one. */
export function refuses(codec: { prepare(value: never): unknown; check?(value: never): void }, value: unknown, says: RegExp, code = "ERR_VALUE_TYPE"): void {
  for (const refuse of [codec.prepare, codec.check ?? codec.prepare]) {
    assert.throws(
      () => refuse(value as never),
      (error: unknown) => {
        assert.ok(error instanceof ValueError, String(error));
        assert.equal(error.name, "ValueError");
        assert.equal(error.code, code);
        assert.match(error.message, says);
        return true;
      },
      `${inspect(value).slice(0, 100)} was accepted`,
    );
  }
}
