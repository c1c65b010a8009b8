/** kmalloc, slab caches and magazines in one thread (and objects that another thread frees). */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ownLimbo, retireInto } from "../../check/support/limbo.js";
import { randomOf, seedOf } from "../../check/support/seed.js";
import { type Address, field, NULL, PAGE_BYTES } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { DoubleFreeError, InvalidAddressError, InvalidSizeError, TooManyCachesError } from "../../src/memory/errors.js";
import { KMALLOC_BYTES, MAX_KMALLOC_BYTES } from "../../src/memory/heap.js";
import type { ArenaOptions } from "../../src/memory/layout.js";
import { audit } from "../support/audit.js";
import { onEachAllocator } from "../support/each-allocator.js";
import { World } from "../support/world.js";

/** An object's words hold what only it holds. */
function mark(arena: Arena, address: Address, bytes: number): void {
  for (let word = 0; word < Math.ceil(bytes / 4); word++) arena.memory.write(field(address, word), Math.imul(address, 31) + word);
}

function isWhole(arena: Arena, address: Address, bytes: number): boolean {
  for (let word = 0; word < Math.ceil(bytes / 4); word++) {
    if (arena.memory.read(field(address, word)) !== ((Math.imul(address, 31) + word) | 0)) return false;
  }
  return true;
}

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  { weight: 3, arbitrary: fc.nat(9000) },
  { weight: 1, arbitrary: fc.nat(70_000) },
  { weight: 3, arbitrary: fc.constantFrom(...KMALLOC_BYTES, ...KMALLOC_BYTES.map((bytes) => bytes + 1)) },
);

const sequences = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ take: sizes, count: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(70) }) }) },
    { weight: 4, arbitrary: fc.record({ give: fc.nat(), count: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(70) }) }) },
    { weight: 2, arbitrary: fc.record({ retire: fc.nat(), segment: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ release: fc.nat(3) }) },
  ),
  { maxLength: 120, size: "max" },
);

/** Slob: the last object of a region is freed twice, when it is free to the region's end. */
const LAST_OF_REGION = [
  { take: 2049, count: 1 },
  { take: 512, count: 1 },
  { take: 192, count: 51 },
  { retire: 987819721, segment: 0 },
  { retire: 956074, segment: 0 },
  { give: 0, count: 51 },
  { take: 33, count: 1 },
  { take: 128, count: 35 },
  { take: 8, count: 5 },
  { retire: 0, segment: 0 },
  { take: 0, count: 1 },
  { retire: 0, segment: 0 },
  { give: 308626198, count: 1 },
];

function agreesWithModel(options: ArenaOptions): void {
  fc.assert(
    fc.property(sequences, (sequence) => {
      const world = new World(300, options);
      const empty = audit(world);
      // Two threads take turns, so that each also frees what the other took.
      const arenas = [world.arena(1), world.arena(2)] as const;
      const live = new Map<Address, number>();
      let turn = 0;
      for (const step of sequence) {
        const arena = arenas[turn++ % 2] as Arena;
        const { heap } = arena;
        if ("take" in step) {
          for (let i = 0; i < step.count; i++) {
            const address = heap.kmalloc(step.take);
            if (address === NULL) break;
            const usable = heap.usableBytes(address);
            assert.ok(usable >= step.take && (usable <= 8 || usable <= 2 * step.take), `${usable} for ${step.take}`);
            const aligned = options.allocator === "slob" ? 8 : Math.min(64, usable & -usable);
            assert.equal((address * 4) % aligned, 0, `an object of ${usable} bytes at ${address}`);
            assert.ok(!live.has(address));
            live.set(address, usable);
            mark(arena, address, usable);
          }
        } else if ("give" in step) {
          for (let i = 0; i < step.count && live.size > 0; i++) {
            const address = [...live.keys()][step.give % live.size] as Address;
            assert.ok(isWhole(arena, address, live.get(address) as number), `${address} was written to`);
            live.delete(address);
            heap.kfree(address);
            assert.throws(
              () => heap.kfree(address),
              (error) => error instanceof DoubleFreeError || error instanceof InvalidAddressError,
            );
          }
        } else if ("retire" in step) {
          if (live.size === 0) continue;
          const address = [...live.keys()][step.retire % live.size] as Address;
          const usable = live.get(address) as number;
          live.delete(address);
          retireInto(heap, step.segment, address);
          // A reader may still look at it.
          assert.ok(isWhole(arena, address, usable));
          assert.throws(() => retireInto(heap, step.segment, address), DoubleFreeError);
        } else ownLimbo(heap).release(step.release);
      }
      for (const [address, usable] of live) assert.ok(isWhole(arenas[0], address, usable), `${address} was written to`);
      assert.deepEqual(arenas[0].check(), []);
      for (const address of live.keys()) arenas[0].heap.kfree(address);
      for (const arena of arenas) for (let segment = 0; segment < 4; segment++) ownLimbo(arena.heap).release(segment);
      for (const arena of arenas) {
        arena.detach();
        assert.equal(arena.heap.debug?.reports ?? 0, 0);
      }
      assert.deepEqual(audit(world), empty);
    }),
    { seed: seedOf("heap"), numRuns: 100, examples: [[LAST_OF_REGION]] },
  );
}

const AGREES = "against a model of live objects: none overlap, all aligned and whole, and all comes back, by two threads";
onEachAllocator(AGREES, (options) => agreesWithModel(options));
for (const allocator of ["slab", "slub"] as const) {
  test(`${allocator}: ${AGREES}; and a debug arena reports nothing`, () => agreesWithModel({ allocator, debugMemory: true }));
}

onEachAllocator("nothing is a size too: each time another block, that can be freed", (options) => {
  const { heap } = new World(0, options).arena(1);
  const blocks = Array.from({ length: 100 }, () => heap.kmalloc(0));
  assert.equal(new Set(blocks).size, 100);
  assert.ok(!blocks.includes(NULL));
  for (const block of blocks) heap.kfree(block);
});

onEachAllocator("sizes of the classes, at most half waste; whole pages above 8 KiB; nothing above 4 MiB", (options) => {
  const { heap } = new World(2500, options).arena(1);
  for (let bytes = 1; bytes <= 8192; bytes++) {
    const block = heap.kmalloc(bytes);
    const usable = heap.usableBytes(block);
    assert.equal(
      usable,
      KMALLOC_BYTES.find((size) => size >= bytes),
    );
    assert.ok(bytes < 4 || usable <= 2 * bytes, `${usable} for ${bytes}`);
    heap.kfree(block);
  }
  for (const [bytes, usable] of [
    [8193, 3 * PAGE_BYTES + PAGE_BYTES],
    [16384, 16384],
    [16385, 32768],
    [MAX_KMALLOC_BYTES - 1, MAX_KMALLOC_BYTES],
    [MAX_KMALLOC_BYTES, MAX_KMALLOC_BYTES],
  ] as const) {
    const block = heap.kmalloc(bytes);
    assert.notEqual(block, NULL);
    assert.equal(heap.usableBytes(block), usable);
    heap.kfree(block);
  }
  for (const bytes of [MAX_KMALLOC_BYTES + 1, 2 ** 31, 2 ** 40]) assert.equal(heap.kmalloc(bytes), NULL);
  for (const bytes of [-1, 1.5, Number.NaN, "8", undefined]) {
    assert.throws(
      () => heap.kmalloc(bytes as number),
      (error: unknown) => error instanceof InvalidSizeError && error.code === "ERR_INVALID_SIZE" && error.message.includes(`got ${String(bytes)}`),
    );
  }
});

onEachAllocator("what is not live, or not the start of an object, is neither freed nor retired", (options) => {
  const arena = new World(64, options).arena(1);
  const { heap } = arena;
  for (const bytes of [8, 40, 96, 192, 4096, 8192]) {
    const object = heap.kmalloc(bytes);
    const keep = heap.kmalloc(bytes);
    const inner = (error: unknown): boolean => error instanceof InvalidAddressError && error.code === "ERR_INVALID_ADDRESS";
    for (let word = 1; word < heap.usableBytes(object) / 4; word += bytes > 200 ? 97 : 1) {
      assert.throws(() => heap.kfree(field(object, word)), inner, `kfree(object + ${word}) of ${bytes} bytes`);
      assert.throws(() => retireInto(heap, 0, field(object, word)), inner);
    }
    heap.kfree(object);
    // Where nothing else was in its pages, it is not even known what it was.
    if (options.allocator === "slob" && bytes >= 4096) {
      assert.throws(() => heap.kfree(object), inner);
      continue;
    }
    assert.throws(
      () => heap.kfree(object),
      (error: unknown) => error instanceof DoubleFreeError && error.code === "ERR_DOUBLE_FREE" && error.message.includes(`free of address ${object}`),
    );
    assert.throws(
      () => retireInto(heap, 0, object),
      (error: unknown) => error instanceof DoubleFreeError && error.code === "ERR_DOUBLE_RETIRE",
    );
    retireInto(heap, 1, keep);
    assert.throws(
      () => retireInto(heap, 1, keep),
      (error: unknown) => error instanceof DoubleFreeError && error.code === "ERR_DOUBLE_RETIRE" && error.message.includes(`retire of address ${keep}`),
    );
    assert.throws(() => heap.kfree(keep), DoubleFreeError);
  }
  for (const address of [0, 1, -4, arena.layout.slotTable, arena.layout.pages * 1024, 2 ** 30, Number.NaN]) {
    assert.throws(() => heap.kfree(address as Address), InvalidAddressError, `kfree(${address})`);
    assert.throws(() => retireInto(heap, 0, address as Address), InvalidAddressError, `retire(${address})`);
    assert.throws(() => heap.usableBytes(address as Address), InvalidAddressError, `usableBytes(${address})`);
  }
  // The first words of a slab are no object of it.
  const object = heap.kmalloc(64);
  assert.throws(() => heap.kfree((object - (object % 1024)) as Address), InvalidAddressError);
  assert.deepEqual(arena.check(), []);
});

for (const bytes of [...KMALLOC_BYTES, 3 * PAGE_BYTES]) {
  onEachAllocator(`filled to the last byte with objects of ${bytes} bytes, then emptied`, (options) => {
    const world = new World(200, options);
    const empty = audit(world);
    const arena = world.arena(1);
    const { heap } = arena;
    const random = randomOf(bytes);
    const objects: Address[] = [];
    for (let round = 0; round < 2; round++) {
      for (let object = heap.kmalloc(bytes); object !== NULL; object = heap.kmalloc(bytes)) objects.push(object);
      assert.equal(heap.kmalloc(bytes), NULL, "and still so");
      const least = options.allocator === "slob" ? 0.45 : 0.5;
      assert.ok(objects.length * bytes >= heap.pages.all * PAGE_BYTES * least, `only ${objects.length}`);
      assert.equal(new Set(objects).size, objects.length);
      assert.deepEqual(arena.check(), []);
      for (let i = objects.length - 1; i > 0; i--) {
        const j = random(i + 1);
        [objects[i], objects[j]] = [objects[j] as Address, objects[i] as Address];
      }
      if (round === 0) for (const object of objects.splice(0, objects.length >> 1)) heap.kfree(object);
    }
    for (const object of objects) heap.kfree(object);
    assert.deepEqual(arena.check(), []);
    arena.detach();
    assert.deepEqual(audit(world), empty);
  });
}

onEachAllocator("one class takes the spare slabs of another before it gives up", (options) => {
  const arena = new World(0, options).arena(1);
  const { heap } = arena;
  const small: Address[] = [];
  for (let object = heap.kmalloc(8); object !== NULL; object = heap.kmalloc(8)) small.push(object);
  assert.equal(heap.kmalloc(512), NULL);
  for (const object of small) heap.kfree(object);
  assert.notEqual(heap.kmalloc(512), NULL);
  assert.ok((heap.allocPagesBulk(40) ?? []).length === 40);
});

onEachAllocator("caches of any size, up to as many as there is room for", (options) => {
  const world = new World(600, options);
  const arena = world.arena(1);
  const { heap } = arena;
  const made: number[] = [];
  for (const bytes of [1, 4, 5, 72, 100, 8192]) {
    const index = heap.createCache(`of ${bytes}`, bytes);
    // Objects of different sizes do not run into each other.
    for (const size of [bytes]) {
      const cache = heap.cache(index);
      const objects = Array.from({ length: 100 }, () => cache.alloc());
      assert.ok(!objects.includes(NULL));
      for (const object of objects) mark(arena, object, size);
      assert.ok(objects.every((object) => isWhole(arena, object, size)));
      assert.ok(new Set(objects).size === 100);
      for (const object of objects) cache.free(object);
    }
    made.push(index);
  }
  assert.equal(new Set(made).size, 6); // 32 caches, 26 of them kmalloc's
  assert.throws(
    () => heap.createCache("one more", 8),
    (error: unknown) => error instanceof TooManyCachesError && error.code === "ERR_TOO_MANY_CACHES" && /all 32/.test(error.message),
  );
  for (const bytes of [0, 8193, -1, 1.5, Number.NaN]) assert.throws(() => heap.createCache("none", bytes), InvalidSizeError);
  assert.deepEqual(arena.check(), []);
});

onEachAllocator("an object's side word is its owner's, and survives its neighbours' use", (options) => {
  const arena = new World(64, options).arena(1);
  const { heap } = arena;
  const index = heap.createCache("with sides", 24, { tracked: true });
  const cache = heap.cache(index);
  const objects = Array.from({ length: 300 }, () => cache.alloc());
  const sides = objects.map((object) => cache.sideOf(object));
  assert.equal(new Set([...sides]).size, 300);
  for (const [i, side] of sides.entries()) arena.memory.write(side, i);
  for (const object of objects) mark(arena, object, 24);
  for (const [i, side] of sides.entries()) assert.equal(arena.memory.read(side), i);
  assert.ok(objects.every((object) => isWhole(arena, object, 24)));
});

onEachAllocator("objects of a tag are found, in slabs and in pages, and only while they live", (options) => {
  const { heap } = new World(64, options).arena(1);
  const mine = [8, 100, 4096, 20_000].map((bytes) => heap.kmalloc(bytes, -9));
  for (const bytes of [8, 100, 4096, 20_000]) heap.kmalloc(bytes, -10);
  assert.deepEqual(heap.ownedBy(-9).sort(), [...mine].sort());
  heap.kfree(mine[1] as Address);
  retireInto(heap, 0, mine[2] as Address);
  assert.deepEqual(heap.ownedBy(-9).sort(), [mine[0], mine[3]].sort());
});
