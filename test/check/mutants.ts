/**
 * Broken versions of the shipped code, made while they are explored: a method replaced, or a memory that drops, delays or falsifies some
 * accesses. Numbered, where it is one of them, as the seeded bugs in section 5 of reference/rcu.md (G grace period, C callbacks
 * and life, S structures and allocators).
 */

import { PassingMemory } from "../../check/passing-memory.js";
import type { FailureKind } from "../../check/scenario.js";
import { NEW, POINTER } from "../../check/scenarios/block.js";
import { LOCK } from "../../check/scenarios/mutex.js";
import { LAYOUT, user } from "../../check/scenarios/support.js";
import { type Address, field } from "../../src/memory/address.js";
import { Heap } from "../../src/memory/heap.js";
import { Header } from "../../src/memory/layout.js";
import { Limbo } from "../../src/memory/limbo.js";
import type { Memory, WaitResult } from "../../src/memory/memory.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { Slabs } from "../../src/memory/slab.js";
import { SlotKind, SlotWord, slotAddress, slotState } from "../../src/memory/slot.js";
import { EventLoopReader } from "../../src/rcu/event-loop.js";
import { type Cookie, GracePeriods } from "../../src/rcu/grace-period.js";
import { DOMAIN_WORDS, DomainWord } from "../../src/rcu/layout.js";

export interface Mutant {
  readonly name: string;
  /** The scenario that must catch it. */
  readonly scenario: string;
  readonly kinds: readonly FailureKind[];
  /** The memory of a thread. */
  readonly memory?: (inner: Memory, thread: number) => Memory;
  /** Replaces methods; gives what puts them back. */
  readonly patch?: () => () => void;
}

const domainWord = (word: number): Address => field(LAYOUT.root, word);
const GP_SEQ = domainWord(DomainWord.GP_SEQ);
const COMPLETED = domainWord(DomainWord.COMPLETED);
const WANTED = domainWord(DomainWord.WANTED);
const REAPING = domainWord(DomainWord.REAPING);
const seenOf = (slot: number): Address => field(slotAddress(LAYOUT, slot), SlotWord.SEEN);
/** Root pointer of the scenarios' interval map, and where a node's left child is. */
const MAP_ROOT = user(32);
const NODE_LEFT = 2;

const DIRECTORY_LOCK = domainWord(DOMAIN_WORDS);

// The arena lock in the hands of the thread that ended, and of the one that has its slot next: numbers 3 and 4.
const DEAD = 4;
const NEXT = 5;

/** Replace a method. */
function patch<T extends object, K extends keyof T>(prototype: T, method: K, replacement: (original: T[K]) => T[K]): () => void {
  const original = prototype[method];
  prototype[method] = replacement(original);
  return () => {
    prototype[method] = original;
  };
}

const all =
  (...patches: (() => () => void)[]): (() => () => void) =>
  () => {
    const undo = patches.map((make) => make());
    return () => {
      for (const back of undo) back();
    };
  };

/** A memory for one thread, or several; the others keep theirs. */
const of =
  (threads: readonly number[], Kind: new (inner: Memory) => Memory): ((inner: Memory, thread: number) => Memory) =>
  (inner, thread) =>
    threads.includes(thread) ? new Kind(inner) : inner;

const unsafe: readonly FailureKind[] = ["race", "use-after-free", "uninitialised", "thread", "verify"];
const asleep: readonly FailureKind[] = ["deadlock"];
const wrong: readonly FailureKind[] = ["verify", "thread"];

/** The scan does not see a slot. */
const skipping = (slot: number): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override load(address: Address): number {
      return address === seenOf(slot) ? 0 : super.load(address);
    }
  };

/** A cookie is the present sequence, not a new one. */
class StaleCookie extends PassingMemory {
  override add(address: Address, value: number): number {
    return address === GP_SEQ ? super.load(address) - value : super.add(address, value);
  }
}

/** Nobody is notified of a word's change. */
const silent = (word: Address): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override notify(address: Address): number {
      return address === word ? 0 : super.notify(address);
    }
  };

/** Sequences compared as plain numbers, of this sign. */
function naiveCompare(value: (word: number) => number): Pick<Mutant, "memory" | "patch"> {
  let updater: Memory | undefined;
  return {
    memory: (inner, thread) => {
      if (thread === 1) updater = inner;
      return inner;
    },
    patch: () =>
      patch(GracePeriods.prototype, "isOver", () => (cookie: Cookie) => {
        const seen = (updater as Memory).load(seenOf(0));
        return seen === 0 || value(seen) >= value(cookie);
      }),
  };
}

export const mutants: readonly Mutant[] = [
  {
    name: "G1 synchronize is a no-op",
    scenario: "section against synchronizeSync",
    kinds: unsafe,
    patch: () => patch(GracePeriods.prototype, "isOver", () => () => true),
  },
  { name: "G4 the first slot is skipped", scenario: "two readers against synchronizeSync", kinds: unsafe, memory: of([2], skipping(0)) },
  { name: "G4 the last reader's slot is skipped", scenario: "two readers against synchronizeSync", kinds: unsafe, memory: of([2], skipping(1)) },
  {
    name: "G5 a nested unlock ends the outer section",
    scenario: "nested sections against synchronizeSync",
    kinds: unsafe,
    patch: all(
      () =>
        patch(
          EventLoopReader.prototype,
          "lock",
          (original) =>
            function (this: EventLoopReader) {
              if (this.nesting === 0) original.call(this);
            },
        ),
      () =>
        patch(
          EventLoopReader.prototype,
          "unlock",
          (original) =>
            function (this: EventLoopReader) {
              if (this.nesting > 0) original.call(this);
            },
        ),
    ),
  },
  {
    name: "G9 online is stored after the section's first load",
    scenario: "section against synchronizeSync",
    kinds: unsafe,
    memory: of(
      [0],
      class extends PassingMemory {
        #late = 0;
        override store(address: Address, value: number): void {
          if (address === seenOf(0) && value !== 0) this.#late = value;
          else super.store(address, value);
        }
        override load(address: Address): number {
          const value = super.load(address);
          if (address === POINTER) super.store(seenOf(0), this.#late);
          return value;
        }
      },
    ),
  },
  {
    name: "G9 offline is stored before the section's last load",
    scenario: "section against synchronizeSync",
    kinds: unsafe,
    memory: of(
      [0],
      class extends PassingMemory {
        override read(address: Address): number {
          super.store(seenOf(0), 0);
          return super.read(address);
        }
      },
    ),
  },
  { name: "G10 unsigned compare at the wrap", scenario: "sequence wraps at 2^32", kinds: unsafe, ...naiveCompare((word) => word >>> 0) },
  { name: "G10 signed compare at the wrap", scenario: "sequence wraps at 2^31", kinds: unsafe, ...naiveCompare((word) => word | 0) },
  {
    name: "G12 a joiner rides a running grace period",
    scenario: "two updaters and a reader",
    kinds: unsafe,
    memory: of(
      [1, 2],
      class extends PassingMemory {
        override add(address: Address, value: number): number {
          const running = address === GP_SEQ && super.load(COMPLETED) !== super.load(GP_SEQ);
          return running ? super.load(GP_SEQ) - 2 : super.add(address, value);
        }
      },
    ),
  },
  {
    name: "G14 plain store at section start",
    scenario: "section against synchronizeSync",
    kinds: ["race"],
    memory: of(
      [0],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          if (address === seenOf(0)) super.write(address, value);
          else super.store(address, value);
        }
      },
    ),
  },
  {
    name: "G15 freed one period early",
    scenario: "retire and reuse of a page",
    kinds: unsafe,
    patch: () =>
      patch(
        GracePeriods.prototype,
        "isOver",
        (original) =>
          function (this: GracePeriods, cookie: Cookie) {
            return original.call(this, ((cookie - 2) | 0) as Cookie);
          },
      ),
  },
  {
    name: "C7 the sleeper checks before it sets its flag",
    scenario: "section against synchronizeSync",
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
    name: "C7 going offline looks at WANTED first",
    scenario: "section against synchronizeSync",
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
    name: "C7 WANTED is cleared after the notify",
    scenario: "section against synchronizeSync",
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
    name: "C7 WANTED is a flag, and one sleeper's announcement is taken for another's",
    scenario: "two updaters and a reader",
    kinds: asleep,
    memory: (inner) =>
      new (class extends PassingMemory {
        override compareExchange(address: Address, expected: number, replacement: number): number {
          return address === WANTED ? super.exchange(address, 0) : super.compareExchange(address, expected, replacement);
        }
      })(inner),
  },
  {
    name: "C7 a reaper trusts what the dead thread made of WANTED",
    scenario: "killed at any moment of a section",
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
  { name: "C7 going offline wakes nobody", scenario: "section against synchronizeSync", kinds: asleep, memory: of([0], silent(WANTED)) },
  {
    name: "C8 a wake-up is taken for the end",
    scenario: "two readers against synchronizeSync",
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
    name: "C9 the cookie is the current sequence, not a new one",
    scenario: "section against synchronizeSync",
    kinds: unsafe,
    memory: of([1], StaleCookie),
  },
  {
    name: "C11 a double retire goes undetected",
    scenario: "two threads retire one object",
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
    name: "C12 a dead thread's slot is waited for",
    scenario: "reap of a slot that died in a section",
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
  { name: "C12 reaping wakes nobody", scenario: "reap of a slot that died in a section", kinds: asleep, memory: of([1], silent(WANTED)) },
  {
    name: "C12 a late reaper takes the slot's next thread for the dead one",
    scenario: "a late reaper takes nothing from the slot's next thread",
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
    name: "C12 the bound of the slots rises after the slot is claimed",
    scenario: "a slot passes from thread to thread during a grace period",
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        #late: number | undefined;
        override compareExchange(address: Address, expected: number, replacement: number): number {
          if (address !== Header.SLOTS_USED) return super.compareExchange(address, expected, replacement);
          this.#late = replacement;
          return expected;
        }
        override load(address: Address): number {
          if (this.#late === undefined) return super.load(address);
          if (address === Header.SLOTS_USED) return this.#late;
          const value = super.load(address);
          if (address === POINTER) {
            super.store(Header.SLOTS_USED, this.#late);
            this.#late = undefined;
          }
          return value;
        }
      },
    ),
  },
  {
    name: "S1 publish before init",
    scenario: "section against synchronizeSync",
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        readonly #late: [Address, number][] = [];
        override write(address: Address, value: number): void {
          if (address === NEW || address === field(NEW, 1)) this.#late.push([address, value]);
          else super.write(address, value);
        }
        override exchange(address: Address, value: number): number {
          const old = super.exchange(address, value);
          for (const [where, what] of this.#late.splice(0)) super.write(where, what);
          return old;
        }
      },
    ),
  },
  {
    name: "S4 replace leaves the old reachable",
    scenario: "section against synchronizeSync",
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        override exchange(address: Address, value: number): number {
          return address === POINTER ? super.load(address) : super.exchange(address, value);
        }
      },
    ),
  },
  ...["rotation under a reader", "double rotation under a reader", "interval split under a reader"].map(
    (scenario): Mutant => ({
      name: `S12 ${scenario.replace(" under a reader", "")} published in two stores`,
      scenario,
      kinds: wrong,
      memory: of(
        [0],
        class extends PassingMemory {
          override store(address: Address, value: number): void {
            if (address === MAP_ROOT) super.store(address, super.read(field(value as Address, NODE_LEFT)));
            super.store(address, value);
          }
        },
      ),
    }),
  ),
  {
    name: "S12 a node is changed in place",
    scenario: "interval split under a reader",
    kinds: ["race", "verify"],
    memory: of(
      [0],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          // The old root is cut short where it stands, before the new one is published.
          if (address === MAP_ROOT) super.write(field(super.read(address) as Address, 1), 19);
          super.store(address, value);
        }
      },
    ),
  },
  {
    name: "S11 the directory is not locked",
    scenario: "two threads open one name",
    kinds: unsafe,
    patch: all(
      () =>
        patch(
          RobustMutex.prototype,
          "lock",
          (original) =>
            function (this: RobustMutex, timeout?: number) {
              return this.address === DIRECTORY_LOCK ? false : original.call(this, timeout);
            },
        ),
      () =>
        patch(
          RobustMutex.prototype,
          "unlock",
          (original) =>
            function (this: RobustMutex, failed?: boolean) {
              if (this.address !== DIRECTORY_LOCK) original.call(this, failed);
            },
        ),
    ),
  },
  ...["two threads refill their magazines", "two threads take and free pages"].map(
    (scenario): Mutant => ({
      name: `S14 no arena lock: ${scenario}`,
      scenario,
      kinds: unsafe,
      patch: all(
        () => patch(Heap.prototype, "lockArena", () => () => {}),
        () => patch(Heap.prototype, "unlockArena", () => () => {}),
      ),
    }),
  ),
  {
    name: "S10 what a dead thread had retired is freed before the grace period",
    scenario: "what a dead thread had retired waits for a reader",
    kinds: unsafe,
    memory: of([1], StaleCookie),
  },
  {
    name: "S10 a map's nodes are freed before the grace period",
    scenario: "a map's nodes are reused under a reader",
    kinds: unsafe,
    patch: () => patch(GracePeriods.prototype, "isOver", () => () => true),
  },
  {
    name: "allocation does not set the live bit",
    scenario: "two threads refill their magazines",
    kinds: wrong,
    patch: () => patch(Slabs.prototype, "setLive", () => () => {}),
  },
  {
    name: "a free forgets the live bit",
    scenario: "one thread frees what another retires",
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
    scenario: "killed in a retire",
    kinds: wrong,
    patch: () => patch(Limbo.prototype, "finishPush", () => () => {}),
  },
  ...["killed in a release of what was retired", "a reaper is killed in giving back what a dead thread had retired"].map(
    (scenario): Mutant => ({
      name: `what a dead thread had released already is not stepped over: ${scenario}`,
      scenario,
      kinds: wrong,
      patch: () => patch(Limbo.prototype, "skipReleased", () => () => {}),
    }),
  ),
  {
    name: "REAPING is cleared after the look for departed threads",
    scenario: "a thread leaves something behind while another looks for such",
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
    name: "the mutex is taken by a load and a store",
    scenario: "mutex of two, twice",
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
  { name: "the mutex's unlock wakes nobody", scenario: "mutex of two, twice", kinds: asleep, memory: (inner) => new (silent(LOCK))(inner) },
  {
    name: "the mutex's next owner is not told of a death",
    scenario: "reap of a thread that died with a mutex, another asleep for it",
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
    scenario: "reap of a thread that died with a mutex, another asleep for it",
    kinds: asleep,
    memory: of([1], silent(LOCK)),
  },
  {
    name: "a thread asleep for a lock stays online",
    scenario: "a thread that sleeps for a lock holds up no grace period",
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
