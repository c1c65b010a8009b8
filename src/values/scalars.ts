/** Whole numbers, a word each. */

import { copyingView, type FixedCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";

function wholeNumber(name: string, least: number, most: number, decode: (word: number) => number): FixedCodec<number> {
  const codec: FixedCodec<number> = {
    name,
    words: 1,
    check(value) {
      if (!Number.isInteger(value) || value < least || value > most) {
        throw new ValueError("ERR_VALUE_TYPE", `a ${name} is a whole number from ${least} to ${most}; got ${show(value)}.`);
      }
    },
    write: (memory, address, value) => memory.write(address, value),
    read: (memory, address) => decode(memory.read(address)),
    equals: (memory, address, value) => decode(memory.read(address)) === value,
    copy: (value) => value,
    same: (a, b) => a === b,
    view: () => copyingView(codec),
  };
  return codec;
}

/** Whole numbers from 0 to 65535. */
export const u16: FixedCodec<number> = wholeNumber("u16", 0, 0xffff, (word) => word >>> 0);

/** Whole numbers from 0 to 2^32 - 1. */
export const u32: FixedCodec<number> = wholeNumber("u32", 0, 0xffffffff, (word) => word >>> 0);

/** Whole numbers from -2^31 to 2^31 - 1. */
export const i32: FixedCodec<number> = wholeNumber("i32", -(2 ** 31), 2 ** 31 - 1, (word) => word);
