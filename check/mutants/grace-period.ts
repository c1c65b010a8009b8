/** Grace periods that are too short, or that never end. */

import type { Address } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import type { Memory } from "../../src/memory/memory.js";
import { EventLoopPeriods, EventLoopReader } from "../../src/rcu/flavors/event-loop.js";
import type { Cookie } from "../../src/rcu/sequence.js";
import { PassingMemory } from "../passing-memory.js";
import { POINTER } from "../scenarios/block.js";
import { asleep, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { COMPLETED, GP_SEQ, seenOf, without } from "./words.js";

/** The scan does not see a slot. */
const skipping = (slot: number): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override load(address: Address): number {
      return address === seenOf(slot) ? 0 : super.load(address);
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
    patch: patch(EventLoopPeriods.prototype, "isOver", () => (cookie: Cookie) => {
      const seen = (updater as Memory).load(seenOf(0));
      return seen === 0 || value(seen) >= value(cookie);
    }),
  };
}

function quiescentInSection(): Mutant {
  let reader: Memory | undefined;
  return {
    name: "a quiescent state in a section counts",
    number: "G5",
    breaks: "while a section is open, its slot says what it said when it began",
    killer: "nested: an inner section's end",
    kinds: wrong,
    memory: (inner, thread) => {
      if (thread === 0) reader = inner;
      return inner;
    },
    patch: patch(
      EventLoopReader.prototype,
      "quiescent",
      (original) =>
        function (this: EventLoopReader) {
          if (this.nesting > 0) reader?.store(seenOf(0), reader.load(GP_SEQ));
          else original.call(this);
        },
    ),
  };
}

export const gracePeriod: readonly Mutant[] = [
  {
    name: "synchronize is a no-op",
    number: "G1",
    breaks: "a grace period waits for the sections that are open",
    killer: "section against synchronizeSync",
    kinds: unsafe,
    patch: patch(EventLoopPeriods.prototype, "isOver", () => () => true),
  },
  {
    name: "the first slot is skipped",
    number: "G4",
    breaks: "a scan looks at every slot",
    killer: "two readers against synchronizeSync",
    kinds: unsafe,
    memory: of([2], skipping(0)),
  },
  {
    name: "the last reader's slot is skipped",
    number: "G4",
    breaks: "a scan looks at every slot",
    killer: "two readers against synchronizeSync",
    kinds: unsafe,
    memory: of([2], skipping(1)),
  },
  {
    name: "a nested unlock ends the outer section",
    number: "G5",
    breaks: "a section lasts until its outermost unlock",
    killer: "nested: an inner section's end",
    kinds: unsafe,
    patch: patch(
      EventLoopReader.prototype,
      "endTo",
      (original) =>
        function (this: EventLoopReader) {
          original.call(this, 0);
        },
    ),
  },
  {
    name: "the bound of the slots rises after the slot is claimed",
    number: "G8",
    breaks: "a scan looks at a slot that was claimed before it began",
    killer: "a slot passes from thread to thread during a grace period",
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
    name: "online is stored after the section's first load",
    number: "G9",
    breaks: "a reader is online before its first load",
    killer: "section against synchronizeSync",
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
    name: "offline is stored before the section's last load",
    number: "G9",
    breaks: "a reader stays online until its last load",
    killer: "section against synchronizeSync",
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
  {
    name: "unsigned compare at the wrap",
    number: "G10",
    breaks: "sequences compare modulo 2^32",
    killer: "sequence wraps at 2^32",
    kinds: unsafe,
    ...naiveCompare((word) => word >>> 0),
  },
  {
    name: "signed compare at the wrap",
    number: "G10",
    breaks: "sequences compare modulo 2^32",
    killer: "sequence wraps at 2^31",
    kinds: unsafe,
    ...naiveCompare((word) => word | 0),
  },
  {
    name: "a joiner rides a running grace period",
    number: "G12",
    breaks: "a grace period that is under way counts for nobody who comes later",
    killer: "two updaters and a reader",
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
    name: "plain store at section start",
    number: "G14",
    breaks: "what says that a reader is online is atomic",
    killer: "section against synchronizeSync",
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
    name: "freed one period early",
    number: "G15",
    breaks: "what is retired waits for its own grace period",
    killer: "retire and reuse of a page",
    kinds: unsafe,
    patch: patch(
      EventLoopPeriods.prototype,
      "isOver",
      (original) =>
        function (this: EventLoopPeriods, cookie: Cookie) {
          return original.call(this, ((cookie - 2) | 0) as Cookie);
        },
    ),
  },
  {
    name: "online is a sequence ahead of the one that was seen",
    number: "G9",
    breaks: "a slot says that it has seen what it has seen, and no more",
    killer: "RCU+sync+read",
    kinds: wrong,
    memory: of(
      [0],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          super.store(address, address === seenOf(0) && value !== 0 ? value + 2 : value);
        }
      },
    ),
  },
  quiescentInSection(),
  {
    name: "a thread waits for itself",
    number: "-",
    breaks: "a thread that synchronizes counts as quiescent",
    killer: "synchronize by a thread that was online",
    kinds: asleep,
    memory: of(
      [1],
      without((address, value) => address === seenOf(1) && value === 0),
    ),
  },
  {
    name: "a turn ends online",
    number: "-",
    breaks: "a thread whose stack is empty holds up nobody",
    killer: "RCU+sync+read",
    kinds: asleep,
    memory: of(
      [0],
      without((address, value) => address === seenOf(0) && value === 0),
    ),
  },
];
