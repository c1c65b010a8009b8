/** check() can fail: each kind of word, when it is wrong, is a violation; and it says nothing of a sound arena. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ownLimbo, retireInto } from "../../check/support/limbo.js";
import { type Address, field, type Order } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { Descriptor as DESCRIPTOR, descriptorAt, SlabWord as SLAB } from "../../src/memory/geometry.js";
import { Header, PAGE_ENTRY_WORDS } from "../../src/memory/layout.js";
import { PageKind } from "../../src/memory/pages.js";
import { countWord, lastEntry } from "../../src/memory/sheaf.js";
import type { SlabCache } from "../../src/memory/slab-cache.js";
import { RecordWord } from "../../src/memory/slot.js";
import { type Corruption, tellsOf } from "../support/corruptions.js";
import { World } from "../support/world.js";

interface Sound {
  readonly arena: Arena;
  readonly object: Address;
  readonly block: Address;
  /** Words of the slab that `object` lies in. */
  readonly slab: Address;
  readonly bitmapWords: number;
  readonly cache: number;
}

/** An arena with something of everything in it. */
function sound(): Sound {
  const arena = new World(16).arena(1);
  const { heap } = arena;
  const object = heap.kmalloc(60);
  for (const bytes of [8, 512, 4096]) heap.kfree(heap.kmalloc(bytes));
  const block = heap.allocPages(1 as Order);
  heap.allocPages(0 as Order);
  retireInto(heap, 0, heap.kmalloc(60));
  retireInto(heap, 1, heap.allocPages(0 as Order));
  assert.deepEqual(arena.check(), []);
  const cache = 3; // kmalloc-64, whose magazine does not empty a slab
  const { slabs } = slabCache(arena, cache);
  return { arena, object, block, slab: slabs.slabOf(object), bitmapWords: slabs.bitmapWords, cache };
}

const slabCache = ({ heap }: Arena, index: number): SlabCache => heap.cache(index) as SlabCache;

/** A magazine of a cache: only its thread knows it, but each object in it is of that size. */
function magazineOf({ heap }: Arena, index: number): Address {
  const inLimbo = new Set([...ownLimbo(heap).sheaves(), ...ownLimbo(heap).openSheaves()]);
  const found = [...heap.sheaves.all()].find(
    (sheaf) => !inLimbo.has(sheaf) && heap.sheaves.count(sheaf) > 0 && heap.cacheOf(heap.sheaves.last(sheaf))?.index === index,
  );
  return found as Address;
}

const entry = (arena: Arena, page: number, word: number): Address => field(arena.layout.pageTable, page * PAGE_ENTRY_WORDS + word);
const flip = ({ memory }: Arena, address: Address, bits: number): void => memory.write(address, memory.read(address) ^ bits);
const add = ({ memory }: Arena, address: Address, value: number): void => memory.write(address, memory.read(address) + value);

/** The first page of a free block of some order that has one. */
function freeBlock({ heap, memory }: Arena): { page: number; order: number } {
  for (let order = 10; order >= 0; order--) {
    const page = memory.read(field(Header.FREE_LISTS, order));
    if (page !== 0) return { page, order };
  }
  throw new Error(`nothing is free of ${heap.pages.all}`);
}

const corruptions: readonly Corruption<Sound>[] = [
  {
    name: "free list: head lost",
    says: /not in the free list of its order/,
    corrupt: ({ arena }) => arena.memory.write(field(Header.FREE_LISTS, freeBlock(arena).order), 0),
  },
  {
    name: "free list: another order",
    says: /not in the free list of its order|is in the free list of order/,
    corrupt: ({ arena }) => {
      const { page, order } = freeBlock(arena);
      const other = order === 0 ? 1 : order - 1;
      arena.memory.write(field(Header.FREE_LISTS, order), arena.memory.read(entry(arena, page, 2)));
      arena.memory.write(entry(arena, page, 2), arena.memory.read(field(Header.FREE_LISTS, other)));
      arena.memory.write(field(Header.FREE_LISTS, other), page);
    },
  },
  {
    name: "free list: a circle",
    says: /in the free lists twice/,
    corrupt: ({ arena }) => {
      const { page } = freeBlock(arena);
      arena.memory.write(entry(arena, page, 2), page);
    },
  },
  {
    name: "free list: a block that is not free",
    says: /is not free/,
    corrupt: ({ arena, block }) => {
      arena.heap.pages.push(field(Header.FREE_LISTS, 1), block >>> 10);
    },
  },
  { name: "count of free pages", says: /the header counts/, corrupt: ({ arena }) => add(arena, Header.FREE_PAGES, 1) },
  {
    name: "state: a block's order",
    says: /aligned|head of a block|ends at page|not in the free list/,
    corrupt: ({ arena, block }) => flip(arena, entry(arena, block >>> 10, 0), 1 << 4),
  },
  {
    name: "state: a block never claimed",
    says: /taken and never claimed/,
    corrupt: ({ arena, block }) => arena.memory.write(entry(arena, block >>> 10, 0), (1 << 4) | PageKind.UNCLAIMED),
  },
  {
    name: "state: a free block that nobody listed",
    says: /not in the free list of its order/,
    corrupt: ({ arena, block }) => arena.memory.write(entry(arena, block >>> 10, 0), (1 << 4) | PageKind.FREE),
  },
  {
    name: "state: a head that is none",
    says: /should be the head of a block/,
    corrupt: ({ arena, block }) => arena.memory.write(entry(arena, block >>> 10, 0), PageKind.TAIL),
  },
  {
    name: "state: free buddies",
    says: /were not joined/,
    corrupt: ({ arena }) => {
      const { page, order } = freeBlock(arena);
      const { heap, memory } = arena;
      assert.ok(order > 0);
      heap.pages.remove(field(Header.FREE_LISTS, order), page);
      for (const half of [page, page + (1 << (order - 1))]) {
        memory.store(entry(arena, half, 0), ((order - 1) << 4) | PageKind.FREE);
        heap.pages.push(field(Header.FREE_LISTS, order - 1), half);
      }
    },
  },
  { name: "owner: a slab of no cache", says: /belongs to no cache/, corrupt: ({ arena, slab }) => arena.memory.write(entry(arena, slab >>> 10, 1), 31) },
  { name: "slab header: count of free objects", says: /its header counts/, corrupt: ({ arena, slab }) => add(arena, field(slab, SLAB.FREE), 1) },
  {
    name: "out bit: of a live object",
    says: /live but not out|its header counts/,
    corrupt: ({ arena, slab, object }) => {
      const index = slabCache(arena, 3).slabs.indexOf(object);
      flip(arena, field(slab, SLAB.BITMAPS + (index >>> 5)), 1 << (index & 31));
    },
  },
  {
    name: "out bit: beyond the last object",
    says: /beyond the last object/,
    corrupt: ({ arena, slab, bitmapWords }) => {
      const { capacity } = slabCache(arena, 3).slabs;
      assert.notEqual(capacity % 32, 0);
      flip(arena, field(slab, SLAB.BITMAPS + bitmapWords - 1), 1 << (capacity % 32));
    },
  },
  {
    name: "out bit: an object taken and nowhere",
    says: /lost|its header counts/,
    corrupt: ({ arena, slab, cache }) => {
      const { slabs } = slabCache(arena, cache);
      const free = Array.from({ length: slabs.capacity }, (_, i) => i).find((i) => !slabs.isOut(slabs.objectAt(slab, i))) as number;
      flip(arena, field(slab, SLAB.BITMAPS + (free >>> 5)), 1 << (free & 31));
      add(arena, field(slab, SLAB.FREE), -1);
    },
  },
  {
    name: "live: no more, without a home",
    says: /is lost/,
    corrupt: ({ arena, object }) => arena.memory.write(slabCache(arena, 3).sideOf(object), 0),
  },
  {
    name: "live: an object in a magazine",
    says: /is live, or in its slab/,
    corrupt: ({ arena, cache }) => {
      const [first] = arena.heap.sheaves.objects(magazineOf(arena, cache));
      slabCache(arena, cache).slabs.setLive(first as Address, 0);
    },
  },
  { name: "magazine: count", says: /lost|is live/, corrupt: ({ arena, cache }) => add(arena, countWord(magazineOf(arena, cache)), -1) },
  {
    name: "magazine: one object twice",
    says: /is in a magazine of slot 0 and in a magazine of slot 0/,
    corrupt: ({ arena, cache }) => {
      const magazine = magazineOf(arena, cache);
      arena.memory.write(lastEntry(magazine, 1), arena.memory.read(lastEntry(magazine, 2)));
    },
  },
  {
    name: "limbo: its sheaves lost",
    says: /objects are in it, it counts/,
    corrupt: ({ arena }) => arena.memory.write(field(ownLimbo(arena.heap).record, RecordWord.LIMBO + 1), 0),
  },
  {
    name: "partial list: a slab missing",
    says: /not in the partial list/,
    corrupt: ({ arena, cache }) => arena.memory.write(field(descriptorAt(arena.layout, cache), DESCRIPTOR.PARTIAL), 0),
  },
  {
    name: "partial list: no slab of it",
    says: /is in the partial list but is no slab of it/,
    corrupt: ({ arena, cache, block }) => arena.heap.pages.push(field(descriptorAt(arena.layout, cache), DESCRIPTOR.PARTIAL), block >>> 10),
  },
  {
    name: "partial list: a circle",
    says: /in its partial list twice/,
    corrupt: ({ arena, slab }) => arena.memory.write(entry(arena, slab >>> 10, 2), slab >>> 10),
  },
  {
    name: "cache: count of slabs",
    says: /has 1 slabs, counts 2/,
    corrupt: ({ arena, cache }) => add(arena, field(descriptorAt(arena.layout, cache), DESCRIPTOR.SLABS), 1),
  },
  {
    name: "cache: count of empty slabs",
    says: /0 slabs are empty, it counts 1/,
    corrupt: ({ arena, cache }) => add(arena, field(descriptorAt(arena.layout, cache), DESCRIPTOR.EMPTY), 1),
  },
];

tellsOf(sound, corruptions);

test("check() says nothing of a sound arena, whatever its threads are doing", () => {
  const world = new World(64);
  const a = world.arena(1);
  const b = world.arena(2);
  const blocks = Array.from({ length: 50 }, (_, i) => a.heap.kmalloc(i * 20));
  for (const block of blocks) retireInto(b.heap, 2, block);
  assert.deepEqual(a.check(), []);
  assert.deepEqual(b.check(), []);
  b.detach();
  assert.deepEqual(a.check(), []);
});
