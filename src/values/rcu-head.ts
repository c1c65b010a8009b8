/**
 * The head that an object embeds to be given to `callHead` (K3; rcu/rcu-head.ts says what is in it), as a field of a struct.
 *
 * It is written as 0, which is the only value it has outside the grace-period machinery.
 */

import type { FixedCodec } from "./codec.js";
import { embedded } from "./embedded.js";

/** A head; its value is 0. */
export const rcuHead: FixedCodec<number> = embedded("rcuHead", 2);
