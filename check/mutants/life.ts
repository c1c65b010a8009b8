/** Threads that come, go and die. */

import type { Address } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import { Limbo } from "../../src/memory/limbo.js";
import { Pages } from "../../src/memory/pages.js";
import { Sheaves } from "../../src/memory/sheaf.js";
import { SlotKind, slotAddress, slotState } from "../../src/memory/slot.js";
import { Bonsai } from "../../src/structures/bonsai.js";
import { PassingMemory } from "../passing-memory.js";
import { LOCK } from "../scenarios/mutex.js";
import { LAYOUT } from "../scenarios/support.js";
import { asleep, idle, type Mutant, of, unsafe, wrong } from "./mutant.js";
import { REAPING, silent, WANTED, without } from "./words.js";

// The arena lock in the hands of the thread that ended, and of the one that has its slot next: numbers 3 and 4.
const DEAD = 4;
const NEXT = 5;

export const life: readonly Mutant[] = [
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
    name: "reaping does not finish a retire",
    number: "C12",
    breaks: "what a thread died in the middle of retiring is not lost",
    killer: "killed in a retire",
    kinds: wrong,
    patch: idle(Limbo.prototype, "finish"),
  },
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
    name: "what was on its way into a sheaf is forgotten",
    number: "C12",
    breaks: "what a thread died in the middle of taking or freeing goes back",
    killer: "killed in an allocation that refills",
    kinds: wrong,
    patch: idle(Sheaves.prototype, "finish"),
  },
  {
    name: "free lists are not rebuilt after a death",
    number: "C12",
    breaks: "what a thread died in the middle of taking goes back",
    killer: "killed in taking and freeing pages",
    kinds: wrong,
    patch: idle(Pages.prototype, "recover"),
  },
  {
    name: "the next writer does not mend the tree",
    number: "C12",
    breaks: "a map whose writer died is whole for the next",
    killer: "a writer is killed below the root, and the next looks",
    kinds: wrong,
    patch: idle(Bonsai.prototype, "repair"),
  },
];
