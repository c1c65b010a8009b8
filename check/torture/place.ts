/** Where elements are tortured: a domain, and the pointers that its readers go by. */

import { type Address, field } from "../../src/memory/address.js";
import type { Domain } from "../../src/rcu/domain.js";
import { ROW } from "./job.js";
import type { Thread } from "./thread.js";

export interface Place {
  readonly name: string;
  /** As this thread holds it now. */
  readonly domain: Domain;
  /** All published pointers, and those of this thread's seat. */
  readonly all: readonly Address[];
  readonly own: readonly Address[];
}

/** Places of a run: the arena's own domain, and a phase domain beside it. */
export const PLACES = ["main", "side"] as const;

function placeOf(thread: Thread, index: number, domain: () => Domain): Place {
  const { seat, seats, pointers } = thread.job;
  const first = index * ROW * seats;
  const pointer = (i: number): Address => field(pointers as Address, first + i);
  return {
    name: PLACES[index] as string,
    get domain() {
      return domain();
    },
    all: Array.from({ length: ROW * seats }, (_, i) => pointer(i)),
    own: Array.from({ length: ROW }, (_, i) => pointer(seat * ROW + i)),
  };
}

export const mainPlace = (thread: Thread): Place => placeOf(thread, 0, () => thread.domain);
export const sidePlace = (thread: Thread): Place => placeOf(thread, 1, () => thread.side);
