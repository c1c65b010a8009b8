/** Sleepers that are not woken, woken for nothing, or in the way; and locks that let in two. */

import type { Address } from "../../src/memory/address.js";
import type { WaitResult } from "../../src/memory/memory.js";
import { PassingMemory } from "../passing-memory.js";
import { LOCK } from "../scenarios/mutex.js";
import { asleep, type Mutant, of, unsafe } from "./mutant.js";
import { COMPLETED, GP_SEQ, seenOf, silent, WANTED } from "./words.js";

export const wakeUps: readonly Mutant[] = [
  {
    name: "the sleeper checks before it sets its flag",
    number: "C7",
    breaks: "a sleeper announces itself before its last look",
    killer: "section against synchronizeSync",
    kinds: asleep,
    memory: of(
      [1],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          if (address !== WANTED) super.store(address, value);
        }
        override or(address: Address, value: number): number {
          return address === WANTED ? super.load(address) : super.or(address, value);
        }
        override wait(address: Address, expected: number, timeout: number): WaitResult {
          if (address === WANTED) super.or(address, 1);
          return super.wait(address, expected, timeout);
        }
      },
    ),
  },
  {
    name: "going offline looks at WANTED first",
    number: "C7",
    breaks: "a slot looks for sleepers after it has changed",
    killer: "section against synchronizeSync",
    kinds: asleep,
    memory: of(
      [0],
      class extends PassingMemory {
        #wanted: number | undefined;
        override store(address: Address, value: number): void {
          if (address === seenOf(0) && value === 0) this.#wanted = super.load(WANTED);
          super.store(address, value);
        }
        override load(address: Address): number {
          return address === WANTED && this.#wanted !== undefined ? this.#wanted : super.load(address);
        }
      },
    ),
  },
  {
    name: "WANTED is cleared after the notify",
    number: "C7",
    breaks: "whoever announces itself after a wake is seen by the next one",
    killer: "section against synchronizeSync",
    kinds: asleep,
    memory: of(
      [0],
      class extends PassingMemory {
        #late: (() => void) | undefined;
        override store(address: Address, value: number): void {
          if (address === WANTED) this.#late = () => super.store(address, value);
          else super.store(address, value);
        }
        override compareExchange(address: Address, expected: number, replacement: number): number {
          if (address !== WANTED) return super.compareExchange(address, expected, replacement);
          this.#late = () => void super.compareExchange(address, expected, replacement);
          return expected;
        }
        override notify(address: Address): number {
          const woken = super.notify(address);
          this.#late?.();
          return woken;
        }
      },
    ),
  },
  {
    name: "WANTED is a flag, and one sleeper's announcement is taken for another's",
    number: "C7",
    breaks: "a wake ends the announcements before it, and no later one",
    killer: "two updaters and a reader",
    kinds: asleep,
    memory: (inner) =>
      new (class extends PassingMemory {
        override compareExchange(address: Address, expected: number, replacement: number): number {
          return address === WANTED ? super.exchange(address, 0) : super.compareExchange(address, expected, replacement);
        }
      })(inner),
  },
  {
    name: "a reaper trusts what the dead thread made of WANTED",
    number: "C7",
    breaks: "sleepers are woken although the waker died between its count and its notify",
    killer: "killed at any moment of a section",
    kinds: asleep,
    memory: of(
      [1],
      class extends PassingMemory {
        #counted = false;
        override compareExchange(address: Address, expected: number, replacement: number): number {
          this.#counted ||= address === WANTED;
          return super.compareExchange(address, expected, replacement);
        }
        override notify(address: Address): number {
          return address === WANTED && !this.#counted ? 0 : super.notify(address);
        }
      },
    ),
  },
  {
    name: "going offline wakes nobody",
    number: "C7",
    breaks: "sleepers are woken when a slot changes",
    killer: "section against synchronizeSync",
    kinds: asleep,
    memory: of([0], silent(WANTED)),
  },
  {
    name: "a wake-up is taken for the end",
    number: "C8",
    breaks: "a sleeper looks again when it is woken",
    killer: "two readers against synchronizeSync",
    kinds: unsafe,
    memory: of(
      [2],
      class extends PassingMemory {
        #woken = false;
        override wait(address: Address, expected: number, timeout: number): WaitResult {
          const result = super.wait(address, expected, timeout);
          this.#woken = true;
          return result;
        }
        override load(address: Address): number {
          return super.load(this.#woken && address === COMPLETED ? GP_SEQ : address);
        }
      },
    ),
  },
  {
    name: "the mutex's unlock wakes nobody",
    number: "C7",
    breaks: "who sleeps for a lock is woken when it is let go",
    killer: "mutex of two, twice",
    kinds: asleep,
    memory: (inner) => new (silent(LOCK))(inner),
  },
  {
    name: "the mutex is taken by a load and a store",
    number: "S8",
    breaks: "a lock has one owner",
    killer: "mutex of two, twice",
    kinds: [...unsafe, ...asleep],
    memory: (inner) =>
      new (class extends PassingMemory {
        override compareExchange(address: Address, expected: number, replacement: number): number {
          if (address !== LOCK) return super.compareExchange(address, expected, replacement);
          const value = super.load(address);
          if (value === expected) super.store(address, replacement);
          return value;
        }
      })(inner),
  },
  {
    name: "a thread asleep for a lock stays online",
    number: "-",
    breaks: "a thread that sleeps holds up no grace period",
    killer: "a thread that sleeps for a lock holds up no grace period",
    kinds: asleep,
    memory: of(
      [0],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          if (address !== seenOf(0) || value !== 0) super.store(address, value);
        }
      },
    ),
  },
];
