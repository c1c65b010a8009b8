/** slub: held slabs and remote frees. */

import { type Address, field } from "../../src/memory/address.js";
import { SlabWord } from "../../src/memory/geometry.js";
import { KMALLOC_BYTES } from "../../src/memory/heap.js";
import type { Memory } from "../../src/memory/memory.js";
import { cacheWordsOf } from "../../src/memory/slot.js";
import { SlubCache } from "../../src/memory/slub-cache.js";
import { FREED, SlubSlabs } from "../../src/memory/slub-slabs.js";
import { PassingMemory } from "../passing-memory.js";
import { LAYOUT } from "../scenarios/support.js";
import { idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { noArenaLock } from "./words.js";

const FULL = -0x80000000;
/** Of the scenarios' objects. */
const CACHE = KMALLOC_BYTES.indexOf(2048);
const TWO_FREES = "slub: two remote frees against the holder's take-all";
const FULL_SLAB = "slub: two remote frees of a full slab that nobody holds";

export const slub: readonly Mutant[] = [
  {
    name: "remote frees are taken by a load and a store",
    number: "S14",
    breaks: "a free that comes while the holder takes what was freed is not lost",
    killer: TWO_FREES,
    kinds: wrong,
    memory: of(
      [0],
      class extends PassingMemory {
        override and(address: Address, value: number): number {
          const old = super.load(address);
          super.store(address, old & value);
          return old;
        }
      },
    ),
  },
  {
    name: "a remote free is announced by a load and a store",
    number: "S14",
    breaks: "of two remote frees neither is lost",
    killer: TWO_FREES,
    kinds: wrong,
    memory: of(
      [1, 2],
      class extends PassingMemory {
        override or(address: Address, value: number): number {
          const old = super.load(address);
          super.store(address, old | value);
          return old;
        }
      },
    ),
  },
  {
    name: "a remote free is not announced",
    number: "S14",
    breaks: "what another thread frees gets back into its slab",
    killer: "slub: a remote free against the holder's take-all",
    kinds: wrong,
    patch: patch(SlubSlabs.prototype, "announce", () => () => false),
  },
  {
    name: "a slab is let go of, and not looked at again",
    number: "S14",
    breaks: "a free that comes while a full slab is let go of is not lost",
    killer: "slub: a remote free against the holder's letting go of a full slab",
    kinds: wrong,
    patch: patch(
      SlubSlabs.prototype,
      "collect",
      (original) =>
        function (this: SlubSlabs, slab: Address, take: (object: Address) => void) {
          const { memory } = this as unknown as { memory: Memory };
          if ((memory.load(field(slab, SlabWord.BITMAPS + 2 * this.bitmapWords)) & FULL) === 0) original.call(this, slab, take);
        },
    ),
  },
  {
    name: "a full slab is not put back into the partial list",
    number: "S14",
    breaks: "a slab with a free object is held or in the partial list",
    killer: FULL_SLAB,
    kinds: wrong,
    patch: idle(SlubSlabs.prototype, "settle"),
  },
  {
    name: "whoever frees of a full slab does not heed that nobody will look",
    number: "S14",
    breaks: "a slab with a free object is held or in the partial list",
    killer: FULL_SLAB,
    kinds: wrong,
    memory: of(
      [1, 2],
      class extends PassingMemory {
        override or(address: Address, value: number): number {
          return super.or(address, value) & ~FULL;
        }
      },
    ),
  },
  {
    name: "a remote free looks at the side word and then writes it",
    number: "S14",
    breaks: "of two who free one object one is refused",
    killer: "slub: two threads free one object",
    kinds: unsafe,
    memory: of(
      [1, 2],
      class extends PassingMemory {
        override compareExchange(address: Address, expected: number, replacement: number): number {
          if (replacement !== FREED) return super.compareExchange(address, expected, replacement);
          const old = super.load(address);
          if (old === expected) super.store(address, replacement);
          return old;
        }
      },
    ),
  },
  {
    name: "a remote free leaves no note",
    number: "S14",
    breaks: "what a thread that died was freeing is not lost",
    killer: "slub: killed in a remote free of a full slab",
    kinds: wrong,
    memory: of(
      [1],
      class extends PassingMemory {
        override write(address: Address, value: number): void {
          if (address !== field(cacheWordsOf(LAYOUT, 1, CACHE), 1)) super.write(address, value);
        }
      },
    ),
  },
  {
    name: "a holder takes what is announced, whatever its side word says",
    number: "S14",
    breaks: "an object that is announced twice is given once",
    killer: "slub: killed in a remote free, against the holder's take-all",
    kinds: unsafe,
    patch: patch(SlubSlabs.prototype, "isFreed", () => () => true),
  },
  {
    name: "a dead holder's slab stays held",
    number: "S14",
    breaks: "what a dead thread had is given back",
    killer: "slub: a remote free against the holder's take-all",
    kinds: wrong,
    patch: idle(SlubCache.prototype, "drain"),
  },
  {
    name: "no arena lock: two threads hold slabs of their own",
    number: "S14",
    breaks: "a slab has one holder at a time",
    killer: "slub: two threads hold slabs of their own",
    kinds: unsafe,
    patch: noArenaLock,
  },
];
