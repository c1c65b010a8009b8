/**
 * Any number, in two words.
 *
 * Two are equal when their stored bits are, as with Object.is: NaN equals NaN, whose bits are always stored alike, and -0 does not equal 0.
 */

import { type Address, field } from "../memory/address.js";
import type { Memory } from "../memory/memory.js";
import type { FixedCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";
import { plainCodec } from "./fixed.js";

const number = new Float64Array(1);
const halves = new Int32Array(number.buffer);

/** Both words of the NaN that is stored: ECMAScript leaves it to the engine which of the many it writes. It is one whichever half comes first. */
const NAN_HALF = 0x7ff80000;

/** Put a number's two words into `halves`. */
function split(value: number): void {
  if (Number.isNaN(value)) halves.fill(NAN_HALF);
  else number[0] = value;
}

const half = (i: 0 | 1): number => halves[i] as number;

/** Numbers: whole or not, infinite, -0, NaN. */
export const f64: FixedCodec<number> = plainCodec({
  name: "f64",
  words: 2,
  check(value) {
    if (typeof value !== "number") throw new ValueError("ERR_VALUE_TYPE", `an f64 is a number; got ${show(value)}.`);
  },
  write(memory, address, value) {
    split(value);
    memory.write(address, half(0));
    memory.write(field(address, 1), half(1));
  },
  read,
  equals(memory, address, value) {
    split(value);
    return memory.read(address) === half(0) && memory.read(field(address, 1)) === half(1);
  },
});

function read(memory: Memory, address: Address): number {
  halves[0] = memory.read(address);
  halves[1] = memory.read(field(address, 1));
  return number[0] as number;
}
