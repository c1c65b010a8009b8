/** What a fixed codec need not say itself. */

import { WORD_BYTES } from "../memory/address.js";
import { copyingView, type FixedCodec } from "./codec.js";

/** What makes a codec of numbers, booleans, or other values that cannot be changed. */
export type PlainCodec<T> = Pick<FixedCodec<T>, "name" | "words" | "check" | "write" | "read"> & Partial<Pick<FixedCodec<T>, "equals" | "same">>;

/** A fixed codec of values that are compared by `Object.is` unless it is said how, and that nobody can change. */
export function plainCodec<T extends number | boolean>(plain: PlainCodec<T>): FixedCodec<T> {
  const { words, check, read } = plain;
  const codec: FixedCodec<T> = {
    prepare(value) {
      check(value);
      return value;
    },
    bytes: () => words * WORD_BYTES,
    stored: read,
    equals: (memory, address, value) => Object.is(read(memory, address), value),
    same: Object.is,
    copy: (value) => value,
    freeze: (value) => value,
    canFreeze: true,
    view: () => copyingView(codec),
    ...plain,
  };
  return codec;
}
