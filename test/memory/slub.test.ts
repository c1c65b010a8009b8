/** slub: held slabs, what others free of them, slabs that nobody holds; and that check() tells of what is wrong in them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, field, NULL, PAGE_SHIFT } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { DoubleFreeError, LockTimeoutError } from "../../src/memory/errors.js";
import { SlabWord } from "../../src/memory/geometry.js";
import type { Heap } from "../../src/memory/heap.js";
import { reapThread } from "../../src/memory/reap.js";
import { cacheWordsOf } from "../../src/memory/slot.js";
import type { SlubCache } from "../../src/memory/slub-cache.js";
import { audit } from "../support/audit.js";
import { type Corruption, tellsOf } from "../support/corruptions.js";
import { SURVIVOR, VICTIM, World } from "../support/world.js";

const OPTIONS = { allocator: "slub" } as const;
const BYTES = 512;

/** The cache of objects of BYTES, or of another size. */
const cacheOf = (heap: Heap, object: Address): SlubCache => heap.cacheOf(object) as SlubCache;

/** Objects of BYTES: `slabs` slabs full of them, the last of which is still held. */
function slabsOf({ heap }: Arena, slabs: number, tag = 0): Address[] {
  const first = heap.kmalloc(BYTES, tag);
  const { capacity } = cacheOf(heap, first).slabs;
  return [first, ...Array.from({ length: slabs * capacity - 1 }, () => heap.kmalloc(BYTES, tag))];
}

/** Counts how often an arena's lock is taken. */
function countLocks({ heap }: Arena): () => number {
  let taken = 0;
  const original = heap.withArenaLock.bind(heap);
  heap.withArenaLock = (fn, timeout) => {
    taken++;
    return original(fn, timeout);
  };
  return () => taken;
}

/** How the victims of a test take their objects: untracked, or with a tag. */
for (const tag of [0, -77]) {
  const kind = tag === 0 ? "" : ", tracked";

  test(`what another thread frees of a held slab comes back to its holder, and nobody takes a lock${kind}`, () => {
    const world = new World(64, OPTIONS);
    const [holder, other] = [world.arena(1), world.arena(2)] as const;
    const objects = slabsOf(holder, 1, tag);
    other.heap.kmalloc(BYTES, tag); // it holds a slab of its own
    const locks = [holder, other].map(countLocks);
    const some = objects.filter((_, i) => i % 3 === 0);
    for (const object of some) other.heap.kfree(object);
    for (const object of some) assert.throws(() => other.heap.kfree(object), DoubleFreeError);
    const again = some.map(() => holder.heap.kmalloc(BYTES, tag));
    assert.deepEqual(again.toSorted(), some.toSorted());
    assert.deepEqual(
      locks.map((count) => count()),
      [0, 0],
    );
    assert.deepEqual(holder.check(), []);
  });

  test(`the first remote free of a full slab that nobody holds puts it into the partial list, the next need no lock${kind}`, () => {
    const world = new World(64, OPTIONS);
    const [owner, other, third] = [world.arena(1), world.arena(2), world.arena(3)] as const;
    const objects = slabsOf(owner, 2, tag);
    const { slabs } = cacheOf(owner.heap, objects[0] as Address);
    const left = objects.filter((object) => slabs.slabOf(object) === slabs.slabOf(objects[0] as Address));
    const locks = countLocks(other);
    const [first, second, ...rest] = left as [Address, Address, ...Address[]];
    other.heap.kfree(first);
    assert.equal(locks(), 1);
    other.heap.kfree(second);
    assert.equal(locks(), 1);
    assert.deepEqual([third.heap.kmalloc(BYTES, tag), third.heap.kmalloc(BYTES, tag)].toSorted(), [first, second].toSorted());
    assert.deepEqual(owner.check(), []);
    // The third holds it now, so it gets the rest as well.
    for (const object of rest) other.heap.kfree(object);
    assert.deepEqual(rest.map(() => third.heap.kmalloc(BYTES, tag)).toSorted(), rest.toSorted());
    assert.equal(locks(), 1);
  });

  test(`a remote free, killed at each access: the object is given once, whatever its slab's holder has done with it before the reaper comes${kind}`, () => {
    for (const isHeld of [true, false]) {
      const world = new World(64, OPTIONS);
      const before = world.arena(SURVIVOR);
      const objects = slabsOf(before, 2, tag);
      const object = (isHeld ? objects.at(-1) : objects[0]) as Address;
      before.detach();
      world.snapshot();
      let deaths = 0;
      for (let access = 1; ; access++) {
        world.restore();
        const holder = world.arena(SURVIVOR);
        // It holds the object's slab, in which that is the only one that is live; or nobody does.
        if (isHeld) {
          const { slabs } = cacheOf(holder.heap, object);
          for (const one of objects) if (one !== object && slabs.slabOf(one) === slabs.slabOf(object)) holder.heap.kfree(one);
          holder.heap.kmalloc(BYTES, tag);
        }
        const memory = world.dying();
        const victim = world.arena(VICTIM, memory);
        memory.arm(access);
        const died = memory.run(() => victim.heap.kfree(object));
        memory.kill();
        const when = `death before access ${access} (${memory.last})`;
        const lock = (fn: () => void): void => {
          try {
            fn();
          } catch (error) {
            if (!(error instanceof LockTimeoutError)) throw error; // the dead one has the arena lock
          }
        };
        const taken: Address[] = [];
        holder.heap.lockArena = (
          (original) =>
          (timeout = 0) =>
            original.call(holder.heap, timeout)
        )(holder.heap.lockArena);
        const takeAll = (): void =>
          lock(() => {
            for (let i = 0; i < 2 * objects.length; i++) taken.push(holder.heap.kmalloc(BYTES, tag));
          });
        takeAll();
        for (const one of taken.splice(0, taken.length >> 1)) lock(() => holder.heap.kfree(one));
        reapThread(holder.heap, VICTIM);
        assert.deepEqual(holder.check(), [], when);
        takeAll();
        assert.equal(new Set(taken).size, taken.length, when);
        assert.ok(!taken.includes(NULL), when);
        assert.deepEqual(holder.check(), [], when);
        holder.detach();
        if (!died) break;
        deaths++;
      }
      assert.ok(deaths > 8, `${deaths} deaths are too few to mean anything`);
    }
  });
}

test("a free whose slab cannot be listed, for want of the arena lock, is done all the same, and made good later", () => {
  const world = new World(64, OPTIONS);
  const empty = audit(world);
  const [owner, other] = [world.arena(1), world.arena(2)] as const;
  const objects = slabsOf(owner, 2);
  const { heap } = other;
  const original = heap.withArenaLock;
  heap.withArenaLock = () => {
    throw new LockTimeoutError(32, 9, 5000);
  };
  heap.kfree(objects[0] as Address);
  assert.throws(() => heap.kfree(objects[0] as Address), DoubleFreeError);
  assert.throws(() => heap.kfree(objects[1] as Address), LockTimeoutError, "and nothing has changed:");
  heap.withArenaLock = original;
  for (const object of objects.slice(1)) heap.kfree(object);
  assert.deepEqual(owner.check(), []);
  for (const arena of [owner, other]) arena.detach();
  assert.deepEqual(audit(world), empty);
});

test("constructed, typesafe, coloured and aligned caches are as with slab", () => {
  const world = new World(200, OPTIONS);
  const empty = audit(world);
  const arena = world.arena(1);
  const other = world.arena(2);
  const made = new Set<Address>();
  const construct = (object: Address): void => {
    assert.ok(!made.has(object));
    made.add(object);
    arena.memory.write(object, 4711);
  };
  const constructed = arena.heap.createCache("constructed", 72, { construct });
  const coloured = arena.heap.createCache("coloured", 120, { colour: true, align: 8 });
  const trackedToo = arena.heap.createCache("coloured and tracked", 120, { colour: true, align: 8, tracked: true });
  const typesafe = arena.heap.createCache("typesafe", 256, { typesafeByRcu: true });
  const aligned = arena.heap.createCache("aligned", 100, { align: 256 });
  other.heap.openCache(constructed, construct);
  for (const index of [constructed, coloured, trackedToo, typesafe, aligned]) {
    const cache = arena.heap.cache(index) as SlubCache;
    const objects = Array.from({ length: 5 * cache.slabs.capacity + 3 }, () => cache.alloc());
    assert.equal(new Set(objects).size, objects.length);
    if (index === aligned) assert.ok(objects.every((object) => object % 64 === 0));
    if (index === coloured) assert.ok(new Set(objects.map((object) => object % 1024)).size > cache.slabs.capacity, "slabs of different colours");
    if (index === constructed) for (const object of objects) assert.equal(arena.memory.read(object), 4711);
    for (const [i, object] of objects.entries()) (i % 2 === 0 ? arena : other).heap.kfree(object);
    for (const object of objects) assert.throws(() => arena.heap.kfree(object), /ERR_DOUBLE_FREE|not live|not the start/);
    assert.deepEqual(arena.check(), []);
  }
  arena.heap.withArenaLock(() => arena.heap.shrink());
  assert.equal(arena.heap.slabinfo().find(({ name }) => name === "typesafe")?.blocks, 0);
  for (const one of [arena, other]) {
    for (let segment = 0; segment < 4; segment++) one.heap.limboOf(one.heap.slot.index, 0).release(segment);
    one.detach();
  }
  assert.deepEqual({ ...audit(world), live: [] }, empty);
});

interface Sound {
  readonly arena: Arena;
  readonly cache: SlubCache;
  /** A full slab that nobody holds, one that is held, and one with a free object that nobody holds. */
  readonly full: Address;
  readonly held: Address;
  readonly partial: Address;
  /** Freed by another, and in the held slab. */
  readonly freed: Address;
}

function sound(): Sound {
  const world = new World(64, OPTIONS);
  const [arena, other] = [world.arena(1), world.arena(2)] as const;
  const objects = slabsOf(arena, 3);
  const cache = cacheOf(arena.heap, objects[0] as Address);
  const { capacity } = cache.slabs;
  const freed = objects[2 * capacity + 1] as Address;
  other.heap.kfree(objects[capacity] as Address);
  other.heap.kfree(freed);
  other.detach();
  assert.deepEqual(arena.check(), []);
  const [full, partial, held] = [0, 1, 2].map((i) => cache.slabs.slabOf(objects[i * capacity] as Address)) as [Address, Address, Address];
  return { arena, cache, full, held, partial, freed };
}

const remoteOf = ({ cache }: Sound, slab: Address): Address => field(slab, SlabWord.BITMAPS + 2 * cache.slabs.bitmapWords);

const corruptions: readonly Corruption<Sound>[] = [
  {
    name: "holder: of a slab that none holds",
    says: /is held by slot 3, which does not say so/,
    corrupt: ({ arena, full }) => arena.memory.write(field(full, SlabWord.HOLDER), 4),
  },
  {
    name: "holder: lost",
    says: /is held, its remote word|not in the partial|is full and held by nobody/,
    corrupt: ({ arena, held }) => arena.memory.write(field(held, SlabWord.HOLDER), 0),
  },
  {
    name: "holder: the slot names another",
    says: /is held by slot 0, which does not say so/,
    corrupt: ({ arena, cache, full }) => arena.memory.write(cacheWordsOf(arena.layout, 0, cache.index), full),
  },
  {
    name: "FULL flag: missing",
    says: /is full and held by nobody, its remote word 0 says otherwise/,
    corrupt: (s) => s.arena.memory.store(remoteOf(s, s.full), 0),
  },
  {
    name: "FULL flag: of a partial slab",
    says: /has free objects, or is held, its remote word/,
    corrupt: (s) => void s.arena.memory.or(remoteOf(s, s.partial), 1 << 31),
  },
  { name: "remote bit: missing", says: /is lost/, corrupt: (s) => s.arena.memory.store(remoteOf(s, s.held), 0) },
  { name: "side word: freed and in a slab's list", says: /is lost/, corrupt: ({ arena, cache, freed }) => arena.memory.store(cache.sideOf(freed), -2) },
  { name: "out bit: of a freed object", says: /its header counts|lost/, corrupt: ({ arena, held }) => arena.memory.write(field(held, SlabWord.BITMAPS), 0) },
  {
    name: "partial list: a held slab",
    says: /is in the partial list/,
    corrupt: ({ arena, cache, held }) => arena.heap.pages.push(field(cache.slabs.descriptor, 11), held >>> PAGE_SHIFT),
  },
];

tellsOf(sound, corruptions);
