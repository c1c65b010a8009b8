/** What waits for a grace period. */

import type { Address } from "../../src/memory/address.js";
import { LIMBO_SEGMENTS, Limbo } from "../../src/memory/limbo.js";
import type { Memory } from "../../src/memory/memory.js";
import { Slabs } from "../../src/memory/slab.js";
import { EventLoopPeriods } from "../../src/rcu/flavors/event-loop.js";
import { Reclaimer } from "../../src/rcu/reclaimer.js";
import type { Cookie } from "../../src/rcu/sequence.js";
import { PassingMemory } from "../passing-memory.js";
import { asleep, idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { COMPLETED, freedAtOnce, StaleCookie } from "./words.js";

/** Over is only the grace period that COMPLETED stands at. */
function overtaken(): Mutant {
  let current: Memory | undefined;
  return {
    name: "a cookie that was overtaken is never over",
    number: "C10",
    breaks: "what is over stays over",
    killer: "two updaters and a reader",
    kinds: asleep,
    memory: (inner) =>
      new (class extends PassingMemory {
        override load(address: Address): number {
          const value = super.load(address);
          current = inner; // the thread that runs on from here
          return value;
        }
      })(inner),
    patch: patch(
      EventLoopPeriods.prototype,
      "isOver",
      (original) =>
        function (this: EventLoopPeriods, cookie: Cookie) {
          return original.call(this, cookie) && current?.load(COMPLETED) === cookie;
        },
    ),
  };
}

export const callbacks: readonly Mutant[] = [
  {
    name: "the cookie is the current sequence, not a new one",
    number: "C9",
    breaks: "a cookie is a grace period that begins after it was asked for",
    killer: "section against synchronizeSync",
    kinds: unsafe,
    memory: of([1], StaleCookie),
  },
  {
    name: "a double retire goes undetected",
    number: "C11",
    breaks: "of two who retire one object, one is told",
    killer: "two threads retire one object",
    kinds: wrong,
    patch: patch(
      Slabs.prototype,
      "retire",
      (original) =>
        function (this: Slabs, object: Address, side: number) {
          original.call(this, object, side);
          return true;
        },
    ),
  },
  {
    name: "a free forgets that it freed",
    number: "C11",
    breaks: "freeing what is not live is refused",
    killer: "one thread frees what another retires, of a tracked cache",
    kinds: wrong,
    patch: patch(
      Slabs.prototype,
      "retire",
      () =>
        function (this: Slabs, object: Address) {
          return this.isLive(object);
        },
    ),
  },
  {
    name: "what is retired is freed at once",
    number: "C1",
    breaks: "what is retired stays whole until the sections that are open have ended",
    killer: "retire and reuse of a page",
    kinds: unsafe,
    patch: freedAtOnce,
  },
  {
    name: "what is retired joins a segment that has its cookie",
    number: "C2",
    breaks: "what is retired waits for a grace period that begins after it",
    killer: "what is retired joins no grace period that has begun",
    kinds: unsafe,
    patch: patch(
      Limbo.prototype,
      "push",
      (original) =>
        function (this: Limbo, segment: number, object: Address) {
          const sealed = (segment + LIMBO_SEGMENTS - 1) % LIMBO_SEGMENTS;
          return original.call(this, this.count(sealed) > 0 ? sealed : segment, object);
        },
    ),
  },
  overtaken(),
  {
    name: "retire waits for a grace period",
    number: "C13",
    breaks: "retiring never blocks, so that it may be done in a section",
    killer: "retire in a section",
    kinds: asleep,
    patch: patch(
      Reclaimer.prototype,
      "retire",
      (original) =>
        function (this: Reclaimer, object: Address) {
          original.call(this, object);
          this.flushSync(1);
        },
    ),
  },
  {
    name: "an allocation that finds nothing waits for nothing",
    number: "C15",
    breaks: "memory that is short is got back from what is retired, by waiting for it",
    killer: "retire and reuse of a page",
    kinds: wrong,
    patch: idle(Reclaimer.prototype, "flushSync"),
  },
];
