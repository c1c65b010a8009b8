/** Text. */

import { blockCodec } from "./block.js";
import type { VariableCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // which means: keep it

/** Of ES2024; much faster than the search where there is one. */
const isWellFormed: (text: string) => boolean =
  typeof String.prototype.isWellFormed === "function" ? (text) => text.isWellFormed() : (text) => !/\p{Surrogate}/u.test(text);

/** Text of up to 4 MiB less 4 bytes in UTF-8. */
export const utf8: VariableCodec<string> = blockCodec({
  name: "utf8",
  encode(value) {
    if (typeof value !== "string") throw new ValueError("ERR_VALUE_TYPE", `a utf8 is a string; got ${show(value)}.`);
    if (!isWellFormed(value)) throw new ValueError("ERR_VALUE_TYPE", `a utf8 is well-formed Unicode; got a lone surrogate in ${show(value)}.`);
    return encoder.encode(value);
  },
  decode: (bytes) => decoder.decode(bytes),
  copy: (value) => value,
  freeze: (value) => value,
  canFreeze: true,
});
