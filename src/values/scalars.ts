/** Whole numbers and truth values, a word each. */

import type { FixedCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";
import { plainCodec } from "./fixed.js";

function wholeNumber(name: string, least: number, most: number, decode: (word: number) => number): FixedCodec<number> {
  return plainCodec({
    name,
    words: 1,
    check(value) {
      if (!Number.isInteger(value) || value < least || value > most) {
        throw new ValueError("ERR_VALUE_TYPE", `a ${name} is a whole number from ${least} to ${most}; got ${show(value)}.`);
      }
    },
    write: (memory, address, value) => memory.write(address, value),
    read: (memory, address) => decode(memory.read(address)),
    // Not Object.is: -0 is stored as 0.
    equals: (memory, address, value) => decode(memory.read(address)) === value,
    same: (a, b) => a === b,
  });
}

/** Whole numbers from 0 to 255. */
export const u8: FixedCodec<number> = wholeNumber("u8", 0, 0xff, (word) => word >>> 0);

/** Whole numbers from 0 to 65535. */
export const u16: FixedCodec<number> = wholeNumber("u16", 0, 0xffff, (word) => word >>> 0);

/** Whole numbers from 0 to 2^32 - 1. */
export const u32: FixedCodec<number> = wholeNumber("u32", 0, 0xffffffff, (word) => word >>> 0);

/** Whole numbers from -2^31 to 2^31 - 1. */
export const i32: FixedCodec<number> = wholeNumber("i32", -(2 ** 31), 2 ** 31 - 1, (word) => word);

/** true and false. */
export const bool: FixedCodec<boolean> = plainCodec({
  name: "bool",
  words: 1,
  check(value) {
    if (typeof value !== "boolean") throw new ValueError("ERR_VALUE_TYPE", `a bool is true or false; got ${show(value)}.`);
  },
  write: (memory, address, value) => memory.write(address, value ? 1 : 0),
  read: (memory, address) => memory.read(address) !== 0,
});
