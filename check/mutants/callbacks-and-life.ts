/** What waits for a grace period, and threads that come, go and die. */

import type { Address } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import { LIMBO_SEGMENTS, Limbo } from "../../src/memory/limbo.js";
import type { Memory } from "../../src/memory/memory.js";
import { Pages } from "../../src/memory/pages.js";
import { Slabs } from "../../src/memory/slab.js";
import { SlotKind, SlotWord, slotAddress, slotState } from "../../src/memory/slot.js";
import { Domain } from "../../src/rcu/domain.js";
import { type Cookie, GracePeriods } from "../../src/rcu/grace-period.js";
import { Reclaimer } from "../../src/rcu/reclaimer.js";
import { Bonsai } from "../../src/structures/bonsai.js";
import { PassingMemory } from "../passing-memory.js";
import { LOCK } from "../scenarios/mutex.js";
import { LAYOUT } from "../scenarios/support.js";
import { asleep, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { COMPLETED, REAPING, StaleCookie, silent, slotWord, WANTED, without } from "./words.js";

// The arena lock in the hands of the thread that ended, and of the one that has its slot next: numbers 3 and 4.
const DEAD = 4;
const NEXT = 5;

function freeAtOnce(this: Domain, object: Address): void {
  this.arena.heap.kfree(object);
}

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
    patch: () =>
      patch(
        GracePeriods.prototype,
        "isOver",
        (original) =>
          function (this: GracePeriods, cookie: Cookie) {
            return original.call(this, cookie) && current?.load(COMPLETED) === cookie;
          },
      ),
  };
}

export const callbacksAndLife: readonly Mutant[] = [
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
    patch: () =>
      patch(
        Slabs.prototype,
        "clearLive",
        (original) =>
          function (this: Slabs, object: Address) {
            original.call(this, object);
            return true;
          },
      ),
  },
  {
    name: "a dead thread's slot is waited for",
    number: "C12",
    breaks: "the sections of the dead are over",
    killer: "reap of a slot that died in a section",
    kinds: asleep,
    memory: of(
      [2],
      class extends PassingMemory {
        override load(address: Address): number {
          return address === slotAddress(LAYOUT, 0) ? slotState(SlotKind.LIVE, 1) : super.load(address);
        }
      },
    ),
  },
  {
    name: "reaping wakes nobody",
    number: "C12",
    breaks: "a death that ends a grace period wakes who waits for it",
    killer: "reap of a slot that died in a section",
    kinds: asleep,
    memory: of([1], silent(WANTED)),
  },
  {
    name: "a late reaper takes the slot's next thread for the dead one",
    number: "C12",
    breaks: "reaping goes by the thread, which never comes back, and not by its slot",
    killer: "a late reaper takes nothing from the slot's next thread",
    kinds: unsafe,
    memory: of(
      [0],
      class extends PassingMemory {
        override load(address: Address): number {
          const word = super.load(address);
          return address === Header.ARENA_LOCK && word === NEXT ? DEAD : word;
        }
        override compareExchange(address: Address, expected: number, replacement: number): number {
          return super.compareExchange(address, address === Header.ARENA_LOCK && expected === DEAD ? NEXT : expected, replacement);
        }
      },
    ),
  },
  {
    name: "a free forgets the live bit",
    number: "C11",
    breaks: "freeing what is not live is refused",
    killer: "one thread frees what another retires",
    kinds: wrong,
    patch: () =>
      patch(
        Slabs.prototype,
        "clearLive",
        () =>
          function (this: Slabs, object: Address) {
            return this.isLive(object);
          },
      ),
  },
  {
    name: "reaping does not finish a retire",
    number: "C12",
    breaks: "what a thread died in the middle of retiring is not lost",
    killer: "killed in a retire",
    kinds: wrong,
    patch: () => patch(Limbo.prototype, "finishPush", () => () => {}),
  },
  ...["killed in a release of what was retired", "a reaper is killed in giving back what a dead thread had retired"].map(
    (scenario): Mutant => ({
      name: `what a dead thread had released already is not stepped over: ${scenario}`,
      number: "C12",
      breaks: "what is back in its slab is not given back again by a reaper",
      killer: scenario,
      kinds: wrong,
      patch: () => patch(Limbo.prototype, "skipReleased", () => () => {}),
    }),
  ),
  {
    name: "REAPING is cleared after the look for departed threads",
    number: "C12",
    breaks: "no departed thread's limbo is forgotten",
    killer: "a thread leaves something behind while another looks for such",
    kinds: wrong,
    memory: of(
      [1],
      class extends PassingMemory {
        #late = false;
        override store(address: Address, value: number): void {
          if (address === REAPING) this.#late = value === 0;
          if (address !== REAPING || value !== 0) super.store(address, value);
        }
        override exchange(address: Address, value: number): number {
          if (address === Header.ARENA_LOCK && this.#late) super.store(REAPING, 0);
          this.#late = false;
          return super.exchange(address, value);
        }
      },
    ),
  },
  {
    name: "the mutex's next owner is not told of a death",
    number: "C12",
    breaks: "whoever has a lock after a dead owner is told",
    killer: "reap of a thread that died with a mutex, another asleep for it",
    kinds: wrong,
    memory: of(
      [1],
      class extends PassingMemory {
        override compareExchange(address: Address, expected: number, replacement: number): number {
          return super.compareExchange(address, expected, address === LOCK ? 0 : replacement);
        }
      },
    ),
  },
  {
    name: "reaping wakes nobody who waits for the dead thread's mutex",
    number: "C12",
    breaks: "who sleeps for a dead thread's lock is woken",
    killer: "reap of a thread that died with a mutex, another asleep for it",
    kinds: asleep,
    memory: of([1], silent(LOCK)),
  },
  {
    name: "what is retired is freed at once",
    number: "C1",
    breaks: "what is retired stays whole until the sections that are open have ended",
    killer: "retire and reuse of a page",
    kinds: unsafe,
    patch: () => patch(Domain.prototype, "retire", () => freeAtOnce),
  },
  {
    name: "what is retired joins a segment that has its cookie",
    number: "C2",
    breaks: "what is retired waits for a grace period that begins after it",
    killer: "what is retired joins no grace period that has begun",
    kinds: unsafe,
    patch: () =>
      patch(
        Limbo.prototype,
        "push",
        (original) =>
          function (this: Limbo, segment: number, object: Address) {
            const sealed = (segment + LIMBO_SEGMENTS - 1) % LIMBO_SEGMENTS;
            original.call(this, this.count(sealed) > 0 ? sealed : segment, object);
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
    patch: () =>
      patch(
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
    patch: () => patch(Reclaimer.prototype, "flushSync", () => () => {}),
  },
  {
    name: "a thread that leaves tells nobody what it leaves behind",
    number: "C12",
    breaks: "no departed thread's limbo is forgotten",
    killer: "what a thread that left had retired waits for a reader",
    kinds: wrong,
    memory: of(
      [0],
      without((address, value) => address === REAPING && value === 1),
    ),
  },
  {
    name: "a refill is not noted",
    number: "C12",
    breaks: "what a thread died in the middle of taking goes back",
    killer: "killed in an allocation that refills",
    kinds: wrong,
    memory: of(
      [0],
      without((address) => address === slotWord(0, SlotWord.REFILL_MASK)),
    ),
  },
  {
    name: "a free is not noted",
    number: "C12",
    breaks: "what a thread died in the middle of freeing is not lost",
    killer: "killed in a free",
    kinds: wrong,
    memory: of(
      [0],
      without((address) => address === slotWord(0, SlotWord.INTENT)),
    ),
  },
  {
    name: "free lists are not rebuilt after a death",
    number: "C12",
    breaks: "what a thread died in the middle of taking goes back",
    killer: "killed in taking and freeing pages",
    kinds: wrong,
    patch: () => patch(Pages.prototype, "recover", () => () => {}),
  },
  {
    name: "the next writer does not mend the tree",
    number: "C12",
    breaks: "a map whose writer died is whole for the next",
    killer: "a writer is killed below the root, and the next looks",
    kinds: wrong,
    patch: () => patch(Bonsai.prototype, "repair", () => () => {}),
  },
];
