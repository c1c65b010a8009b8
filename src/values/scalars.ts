/** Whole numbers, a word each. */

import { copyingView, type FixedCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";

function unsigned(name: string, most: number): FixedCodec<number> {
  const codec: FixedCodec<number> = {
    name,
    words: 1,
    check(value) {
      if (!Number.isInteger(value) || value < 0 || value > most) {
        throw new ValueError("ERR_VALUE_TYPE", `a ${name} is a whole number from 0 to ${most}; got ${show(value)}.`);
      }
    },
    write: (memory, address, value) => memory.write(address, value),
    read: (memory, address) => memory.read(address) >>> 0,
    equals: (memory, address, value) => memory.read(address) >>> 0 === value,
    copy: (value) => value,
    same: (a, b) => a === b,
    view: () => copyingView(codec),
  };
  return codec;
}

/** Whole numbers from 0 to 65535. */
export const u16: FixedCodec<number> = unsigned("u16", 0xffff);

/** Whole numbers from 0 to 2^32 - 1. */
export const u32: FixedCodec<number> = unsigned("u32", 0xffffffff);
