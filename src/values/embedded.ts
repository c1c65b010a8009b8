/**
 * Words that an object embeds for a machinery that links or marks it, as fields of a struct. Their owner is that machinery and not the codec: they are written as 0, before the
 * object is published, and read as 0.
 */

import { field } from "../memory/address.js";
import type { FixedCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";
import { plainCodec } from "./fixed.js";

/** A codec of `words` embedded words. */
export function embedded(name: string, words: number): FixedCodec<number> {
  return plainCodec({
    name,
    words,
    check(value) {
      if (value !== 0) throw new ValueError("ERR_VALUE_TYPE", `an embedded ${name} is written as 0; got ${show(value)}.`);
    },
    write(memory, address) {
      for (let word = 0; word < words; word++) memory.write(field(address, word), 0);
    },
    read: () => 0,
    equals: (_memory, _address, value) => value === 0,
    same: (a, b) => a === b,
  });
}
