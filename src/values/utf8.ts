/** Text. */

import { blockCodec } from "./block.js";
import type { VariableCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";
import { decodeText, encodeText } from "./text.js";

/** Text of up to 4 MiB less 4 bytes in UTF-8. */
export const utf8: VariableCodec<string> = blockCodec({
  name: "utf8",
  encode(value) {
    if (typeof value !== "string") throw new ValueError("ERR_VALUE_TYPE", `a utf8 is a string; got ${show(value)}.`);
    if (/\p{Surrogate}/u.test(value)) throw new ValueError("ERR_VALUE_TYPE", `a utf8 is well-formed Unicode; got a lone surrogate in ${show(value)}.`);
    return encodeText(value);
  },
  decode: decodeText,
  copy: (value) => value,
  freeze: (value) => value,
  canFreeze: true,
});
