/** Text: a word with the length in bytes, then the bytes. */

import { field } from "../memory/address.js";
import { MAX_KMALLOC_BYTES } from "../memory/heap.js";
import type { VariableCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";

/** Longest text, in bytes. */
const MOST_BYTES = MAX_KMALLOC_BYTES - 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // which means: keep it

/** Text of up to 4 MiB less 4 bytes in UTF-8. */
export const utf8: VariableCodec<string> = {
  name: "utf8",
  words: undefined,
  check(value) {
    if (typeof value !== "string") throw new ValueError("ERR_VALUE_TYPE", `a utf8 is a string; got ${show(value)}.`);
    // A string has at least a third as many code units as bytes, so most are settled without encoding.
    if (value.length * 3 > MOST_BYTES && encoder.encode(value).length > MOST_BYTES) {
      throw new ValueError("ERR_VALUE_TOO_LARGE", `a utf8 takes at most ${MOST_BYTES} bytes; got one of ${encoder.encode(value).length}.`);
    }
    if (/\p{Surrogate}/u.test(value)) throw new ValueError("ERR_VALUE_TYPE", `a utf8 is well-formed Unicode; got a lone surrogate in ${show(value)}.`);
  },
  bytes: (value) => 4 + encoder.encode(value).length,
  write(memory, address, value) {
    const bytes = encoder.encode(value);
    memory.write(address, bytes.length);
    memory.writeBytes(field(address, 1), bytes);
  },
  read(memory, address) {
    // Copied first: browsers' TextDecoder refuses shared memory.
    const bytes = new Uint8Array(memory.read(address));
    memory.readBytes(field(address, 1), bytes);
    return decoder.decode(bytes);
  },
  equals(memory, address, value) {
    const bytes = encoder.encode(value);
    if (memory.read(address) !== bytes.length) return false;
    const stored = new Uint8Array(bytes.length);
    memory.readBytes(field(address, 1), stored);
    return stored.every((byte, i) => byte === bytes[i]);
  },
  copy: (value) => value,
  same: (a, b) => a === b,
};
