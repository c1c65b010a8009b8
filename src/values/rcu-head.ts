/**
 * The head that an object embeds to be given to `callHead` (K3; rcu/rcu-head.ts says what is in it), as a field of a struct.
 *
 * It is written as 0, which is the only value it has outside the grace-period machinery.
 */

import { field } from "../memory/address.js";
import type { FixedCodec } from "./codec.js";
import { show, ValueError } from "./errors.js";
import { plainCodec } from "./fixed.js";

/** A head; its value is 0. */
export const rcuHead: FixedCodec<number> = plainCodec({
  name: "rcuHead",
  words: 2,
  check(value) {
    if (value !== 0) throw new ValueError("ERR_VALUE_TYPE", `an rcuHead is written as 0; got ${show(value)}.`);
  },
  write(memory, address) {
    memory.write(address, 0);
    memory.write(field(address, 1), 0);
  },
  read: () => 0,
  equals: (_memory, _address, value) => value === 0,
  same: (a, b) => a === b,
});
