/** vmalloc, swapping and the mempool. */

import type { Address } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import type { Memory } from "../../src/memory/memory.js";
import { PoolWord } from "../../src/memory/mempool.js";
import { SlotKind, SlotWord, slotAddress, slotState } from "../../src/memory/slot.js";
import { Areas } from "../../src/memory/vmalloc/areas.js";
import { VirtualSpace } from "../../src/memory/vmalloc/space.js";
import { BUSY, DIRTY } from "../../src/memory/vmalloc/virtual.js";
import { PassingMemory } from "../passing-memory.js";
import { POOL } from "../scenarios/mempool.js";
import { LAYOUT } from "../scenarios/support.js";
import { asleep, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { slotWord, unlocked, unrepaired } from "./words.js";

const PINNED = slotWord(0, SlotWord.PINNED);

/** A memory in which a word of the mempool is known. */
class WithPool extends PassingMemory {
  protected is(address: Address, word: number): boolean {
    return address === this.inner.read(POOL) + word;
  }
}

/** The toucher's pin is seen only after it has looked. */
class PinsLate extends PassingMemory {
  #late: number | undefined;

  override store(address: Address, value: number): void {
    if (address === PINNED && value !== 0) this.#late = value;
    else super.store(address, value);
  }

  override load(address: Address): number {
    const word = super.load(address);
    if (this.#late !== undefined) super.store(PINNED, this.#late);
    this.#late = undefined;
    return word;
  }
}

const orWithout = (flag: number): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override or(address: Address, value: number): number {
      return (value & flag) === 0 ? super.or(address, value) : super.or(address, value & ~flag);
    }
  };

export const vmalloc: readonly Mutant[] = [
  {
    name: "a vmalloc range is used again before a purge",
    number: "S14",
    breaks: "who has a freed address meets nobody else's data",
    killer: "a range is freed and another area made, and somebody has the old address",
    kinds: unsafe,
    patch: patch(
      VirtualSpace.prototype,
      "free",
      (original) =>
        function (this: VirtualSpace, page: number) {
          original.call(this, page);
          this.purge();
        },
    ),
  },
  {
    name: "vfree does not raise the generation",
    number: "S14",
    breaks: "no translation outlives its area",
    killer: "a translation, and its area is freed and the page used by another",
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        override add(address: Address, value: number): number {
          return address === Header.VM_GENERATION ? super.load(address) : super.add(address, value);
        }
      },
    ),
  },
  {
    name: "a page table is given back that an area needs",
    number: "S14",
    breaks: "a table stands as long as an area lies over it",
    killer: "a purge beside a touch",
    kinds: unsafe,
    patch: patch(Areas.prototype, "isUsed", () => () => false),
  },
  {
    name: "areas are made without the lock",
    number: "S14",
    breaks: "a range has one owner",
    killer: "two threads make an area each",
    kinds: unsafe,
    patch: unlocked(Header.VM_LOCK),
  },
  {
    name: "an eviction ignores a pin",
    number: "S14",
    breaks: "a page that is being copied stays",
    killer: "a page is written while another thread evicts it",
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        override load(address: Address): number {
          return address === PINNED ? 0 : super.load(address);
        }
      },
    ),
  },
  {
    name: "a toucher pins after it has looked",
    number: "S14",
    breaks: "of a toucher and an evictor one sees the other",
    killer: "a page is written while another thread evicts it",
    kinds: unsafe,
    memory: of([0], PinsLate),
  },
  {
    name: "an eviction does not say that it has begun",
    number: "S14",
    breaks: "of a toucher and an evictor one sees the other",
    killer: "a page is written while another thread evicts it",
    kinds: unsafe,
    memory: of([1], orWithout(BUSY)),
  },
  {
    name: "a write does not make its page dirty",
    number: "S14",
    breaks: "what was written is in the store before its page goes",
    killer: "a page that its store has is written while another thread evicts it",
    kinds: wrong,
    memory: of([0], orWithout(DIRTY)),
  },
  {
    name: "two threads bring a page in at once",
    number: "S14",
    breaks: "a page is in one frame",
    killer: "two threads touch a page that was swapped out",
    kinds: unsafe,
    patch: unlocked(Header.SWAP_LOCK),
  },
  {
    name: "a dead thread's pin counts",
    number: "C12",
    breaks: "the dead hold no page",
    killer: "killed while it writes a page, which another evicts",
    kinds: wrong,
    memory: of(
      [1],
      class extends PassingMemory {
        override load(address: Address): number {
          return address === slotAddress(LAYOUT, 0) ? slotState(SlotKind.LIVE, 1) : super.load(address);
        }
      },
    ),
  },
  ...["killed in a vmalloc", "killed in a vfree"].map(
    (killer): Mutant => ({
      name: `the virtual space is not mended: ${killer}`,
      number: "C12",
      breaks: "what a thread died in the middle of making or freeing goes back",
      killer,
      kinds: wrong,
      patch: unrepaired((lock) => lock === Header.VM_LOCK),
    }),
  ),
  ...["killed in an eviction", "killed in a fault"].map(
    (killer): Mutant => ({
      name: `what was being swapped is not mended: ${killer}`,
      number: "C12",
      breaks: "a page that was on its way is in one place",
      killer,
      kinds: wrong,
      patch: unrepaired((lock) => lock === Header.SWAP_LOCK),
    }),
  ),
  {
    name: "a mempool's free wakes nobody",
    number: "C7",
    breaks: "who waits for an element is woken when one comes back",
    killer: "two wait for a mempool's only element",
    kinds: asleep,
    memory: (inner) =>
      new (class extends WithPool {
        override notify(address: Address): number {
          return this.is(address, PoolWord.EVENT) ? 0 : super.notify(address);
        }
      })(inner),
  },
  {
    name: "who waits for an element does not say so before he looks",
    number: "C7",
    breaks: "a waiter announces himself before his last look",
    killer: "two wait for a mempool's only element",
    kinds: asleep,
    memory: (inner) =>
      new (class extends WithPool {
        override or(address: Address, value: number): number {
          return this.is(address, PoolWord.EVENT) ? super.load(address) : super.or(address, value);
        }
        override wait(address: Address, expected: number, timeout: number): ReturnType<Memory["wait"]> {
          if (this.is(address, PoolWord.EVENT)) super.or(address, 1);
          return super.wait(address, expected, timeout);
        }
      })(inner),
  },
  {
    name: "a mempool's reserve is not locked",
    number: "S14",
    breaks: "an element has one holder",
    killer: "two wait for a mempool's only element",
    kinds: [...unsafe, ...asleep],
    memory: (inner) =>
      new (class extends WithPool {
        override compareExchange(address: Address, expected: number, replacement: number): number {
          return this.is(address, PoolWord.LOCK) ? expected : super.compareExchange(address, expected, replacement);
        }
      })(inner),
  },
  {
    name: "who gives an element back does not note whom he is to wake",
    number: "C12",
    breaks: "who waits for an element is woken although the waker died",
    killer: "one dies as it wakes who waits for a mempool's element",
    kinds: asleep,
    memory: of(
      [0],
      class extends WithPool {
        override write(address: Address, value: number): void {
          if (!this.is(value as Address, PoolWord.EVENT)) super.write(address, value);
        }
      },
    ),
  },
  {
    name: "a mempool is not mended",
    number: "C12",
    breaks: "what a thread died in the middle of putting in, or had just taken, is put in",
    killer: "killed in taking an element from a mempool's reserve and giving it back",
    kinds: wrong,
    patch: unrepaired((lock) => lock !== Header.ARENA_LOCK && lock !== Header.VM_LOCK && lock !== Header.SWAP_LOCK),
  },
];
