/** slob: first fit, joined neighbours, lists by size; and that check() tells of what is wrong in regions. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, field, type Order, PAGE_SHIFT } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { DoubleFreeError, InvalidAddressError } from "../../src/memory/errors.js";
import { Descriptor, descriptorAt } from "../../src/memory/geometry.js";
import { audit } from "../support/audit.js";
import { type Corruption, tellsOf } from "../support/corruptions.js";
import { World } from "../support/world.js";

const OPTIONS = { allocator: "slob" } as const;
const arena = (): Arena => new World(64, OPTIONS).arena(1);

test("the first block that fits is taken, by a size that was not there before", () => {
  const { heap } = arena();
  const objects = [128, 32, 128, 32].map((bytes) => heap.kmalloc(bytes)) as [Address, Address, Address, Address];
  heap.kfree(objects[0]);
  heap.kfree(objects[2]);
  assert.equal(heap.kmalloc(32), objects[0]);
  assert.equal(heap.kmalloc(64), objects[0] + 8 + 2, "in the rest of it");
  assert.equal(heap.kmalloc(128), objects[2]);
});

test("free neighbours are joined, on either side and both", () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [0, 2, 1],
    [1, 0, 2],
  ]) {
    const { heap } = arena();
    const objects = [96, 96, 96, 96].map((bytes) => heap.kmalloc(bytes));
    for (const i of order) heap.kfree(objects[i] as Address);
    // 3 x 24 words and 2 heads between them.
    const own = heap.createCache("as large as all three", 304 - 64);
    assert.equal(heap.cache(own).alloc(), objects[0]);
  }
});

test("objects of one page are of any size, and three lists keep small, medium and large apart", () => {
  const { heap } = arena();
  const regionOf = (bytes: number): number => heap.kmalloc(bytes) >>> PAGE_SHIFT;
  const small = [8, 40, 100, 192].map(regionOf);
  const medium = [256, 512].map(regionOf);
  const large = [1024, 1024].map(regionOf);
  for (const pages of [small, medium, large]) assert.equal(new Set(pages).size, 1);
  assert.equal(new Set([small[0], medium[0], large[0]]).size, 3);
});

test("a page goes back with its last object, and a freed object is refused while it lasts", () => {
  const world = new World(64, OPTIONS);
  const { heap } = world.arena(1);
  const { free } = heap.pages;
  const [one, two] = [heap.kmalloc(40), heap.kmalloc(500)] as const;
  const keep = heap.kmalloc(8);
  heap.kfree(one);
  assert.throws(() => heap.kfree(one), DoubleFreeError);
  assert.throws(() => heap.kfree(field(keep, 1)), InvalidAddressError);
  assert.throws(() => heap.kfree(field(keep, -2)), InvalidAddressError, "its head is no object");
  heap.kfree(two);
  assert.throws(() => heap.kfree(two), InvalidAddressError);
  heap.kfree(keep);
  assert.equal(heap.pages.free, free);
});

test("objects are aligned as asked, up to a page", () => {
  const { heap } = new World(64, { ...OPTIONS, caches: 64 }).arena(1);
  for (const align of [4, 8, 16, 64, 256, 1024, 4096]) {
    const cache = heap.cache(heap.createCache(`aligned to ${align}`, 200, { align }));
    const objects = Array.from({ length: 9 }, () => cache.alloc());
    assert.ok(
      objects.every((object) => object !== 0 && (object * 4) % align === 0),
      `${align}: ${objects.join(" ")}`,
    );
    assert.equal(new Set(objects).size, 9);
  }
});

test("constructors and typesafe memory are refused, colours mean nothing", () => {
  const { heap } = arena();
  for (const options of [{ construct: () => {} }, { typesafeByRcu: true }])
    assert.throws(() => heap.createCache("refused", 64, options), { code: "ERR_CACHE_OPTION", message: /slob/ });
  const cache = heap.cache(heap.createCache("coloured", 64, { colour: true }));
  assert.ok(heap.isLive(cache.alloc()));
});

test("slabinfo() tells each cache's objects, though they share regions", () => {
  const { heap } = arena();
  const objects = [40, 60, 64, 500].map((bytes) => heap.kmalloc(bytes));
  const info = (name: string): number | undefined => heap.slabinfo().find((cache) => cache.name === name)?.out;
  assert.deepEqual(["kmalloc-64", "kmalloc-512", "kmalloc-8"].map(info), [3, 1, 0]);
  for (const object of objects) heap.kfree(object);
  assert.equal(info("kmalloc-64"), 0);
});

interface Sound {
  readonly arena: Arena;
  readonly object: Address;
  readonly region: Address;
}

function sound(): Sound {
  const whole = arena();
  const [, object] = [40, 100, 8].map((bytes) => whole.heap.kmalloc(bytes)) as [Address, Address];
  for (const bytes of [500, 2000]) whole.heap.kmalloc(bytes);
  assert.deepEqual(whole.check(), []);
  return { arena: whole, object, region: ((object >>> PAGE_SHIFT) << PAGE_SHIFT) as Address };
}

const corruptions: readonly Corruption<Sound>[] = [
  {
    name: "head: another size",
    says: /start bit says otherwise|has no block|starts where no block/,
    corrupt: ({ arena: a, object }) => void a.memory.add(field(object, -2), 1 << 12),
  },
  { name: "head: a size beyond the region", says: /has no block at its word/, corrupt: ({ arena: a, object }) => void a.memory.or(field(object, -2), 1 << 23) },
  {
    name: "head: free, and an object starts there",
    says: /its start bit says otherwise/,
    corrupt: ({ arena: a, object }) => a.memory.store(field(object, -2), (a.memory.load(field(object, -2)) & ~3) | 1),
  },
  {
    name: "start bit: missing",
    says: /its start bit says otherwise/,
    corrupt: ({ arena: a, object, region }) => void a.memory.and(field(region, 2 + ((object - region) >>> 6)), ~(1 << (((object - region) >>> 1) & 31))),
  },
  {
    name: "start bit: where nothing starts",
    says: /starts where no block/,
    corrupt: ({ arena: a, object, region }) => void a.memory.or(field(region, 2 + ((object - region + 2) >>> 6)), 1 << (((object - region + 2) >>> 1) & 31)),
  },
  { name: "count of free words", says: /free words, counts/, corrupt: ({ arena: a, region }) => a.memory.write(region, a.memory.read(region) + 2) },
  {
    name: "list: a region missing",
    says: /and is not in list 0/,
    corrupt: ({ arena: a }) => a.memory.write(field(descriptorAt(a.layout, 0), Descriptor.PARTIAL), 0),
  },
  {
    name: "list: no region of it",
    says: /is no region of it/,
    corrupt: ({ arena: a }) => a.heap.pages.push(field(descriptorAt(a.layout, 1), Descriptor.PARTIAL), a.heap.allocPages(1 as Order) >>> PAGE_SHIFT),
  },
  {
    name: "count of regions",
    says: /has 1 regions, counts 2/,
    corrupt: ({ arena: a }) => a.memory.write(field(descriptorAt(a.layout, 2), Descriptor.SLABS), 2),
  },
  {
    name: "state: an object in no limbo",
    says: /is lost/,
    corrupt: ({ arena: a, object }) => a.memory.store(field(object, -2), a.memory.load(field(object, -2)) | 1),
  },
];

tellsOf(sound, corruptions);

test("a list whose region was emptied by a release from limbo is as it was before", () => {
  const world = new World(64, OPTIONS);
  const empty = audit(world);
  const one = world.arena(1);
  const limbo = one.heap.limboOf(one.heap.slot.index, 0);
  for (let i = 0; i < 200; i++) limbo.push(0, one.heap.kmalloc(8 + i * 3));
  limbo.seal(0);
  limbo.release(0);
  one.detach();
  assert.deepEqual(audit(world), empty);
});
