/** The debug mode of the allocators: each fault is provoked and found, with where the object came from; what is right is not reported. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ownLimbo, retireInto } from "../../check/support/limbo.js";
import { randomOf, seedOf } from "../../check/support/seed.js";
import { type Address, field, NULL, type Order, PAGE_BYTES, PAGE_WORDS } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { DoubleFreeError, InvalidAddressError, WrongCacheError, WrongSizeError } from "../../src/memory/errors.js";
import type { MemoryFault, MemoryReport } from "../../src/memory/memory-report.js";
import { freeSlot, reapThread, releaseLimbo } from "../../src/memory/reap.js";
import { NAME_WORDS, SlotKind, SlotWord, slotsOfKind } from "../../src/memory/slot.js";
import { storeText } from "../../src/memory/text.js";
import { audit } from "../support/audit.js";
import { World } from "../support/world.js";

interface Watched {
  readonly world: World;
  readonly arena: Arena;
  readonly heap: Arena["heap"];
  readonly debug: NonNullable<Arena["heap"]["debug"]>;
  /** What was reported since it was asked last. */
  reported(): MemoryReport[];
}

function watched(arena: Arena, world: World): Watched {
  const { heap } = arena;
  const { debug } = heap;
  assert.ok(debug !== undefined);
  const reports: MemoryReport[] = [];
  debug.warns = false;
  debug.onReport = (report) => reports.push(report);
  return { world, arena, heap, debug, reported: () => reports.splice(0) };
}

/** A debug arena, and one thread of it. */
function debugArena(pages = 400): Watched {
  const world = new World(pages, { debugMemory: true, caches: 32 });
  return watched(world.arena(1), world);
}

/** The only report, and what it says. */
function only(reports: readonly MemoryReport[], fault: MemoryFault, offset: number, bytes: number, during: string): MemoryReport {
  assert.deepEqual(
    reports.map((report) => ({ fault: report.fault, offset: report.offset, bytes: report.bytes, during: report.during })),
    [{ fault, offset, bytes, during }],
  );
  return reports[0] as MemoryReport;
}

// Named, so that they stand in the stacks.
function takeHere(heap: Arena["heap"], bytes: number, tag = 0): Address {
  return heap.kmalloc(bytes, tag);
}
function freeHere(heap: Arena["heap"], address: Address): void {
  heap.kfree(address);
}

const everySize = [1, 8, 20, 64, 100, 129, 1000, 4096, 5000, 8192];

test("a write beyond the end is found at free, and says what was written and who allocated", () => {
  const { heap, world, reported } = debugArena();
  for (const bytes of everySize) {
    const object = takeHere(heap, bytes);
    const end = Math.ceil(bytes / 4);
    world.memory.write(field(object, end), 0x04030201);
    freeHere(heap, object);
    const report = only(reported(), "red-zone-right", 4 * end, 4, "free");
    assert.deepEqual(report.found, [1, 2, 3, 4]);
    assert.equal(report.object.bytes, bytes);
    assert.match(report.object.allocated?.stack ?? "", /takeHere/);
    assert.equal(report.object.allocated?.thread, 1);
    assert.match(
      report.message,
      /write beyond the end of an object: 4 bytes at byte \d+ of \d+, \d+ bytes of kmalloc-\d+: 01 02 03 04; found in free by thread 1 at freeHere.*\nallocated \d+ ms ago by thread 1 at\n.*takeHere/,
    );
  }
});

test("a write before the start is found at free; one byte is enough", () => {
  const { heap, world, reported } = debugArena();
  for (const bytes of everySize) {
    const object = takeHere(heap, bytes);
    world.memory.writeBytes(field(object, -2), Uint8Array.of(0xcc, 0x77));
    freeHere(heap, object);
    assert.deepEqual(only(reported(), "red-zone-left", -7, 1, "free").found, [0x77]);
  }
});

test("a write over an edge is found in check() and validate() while the object lives, and again at its retirement", async () => {
  const { arena, heap, world, debug, reported } = debugArena();
  const object = takeHere(heap, 24);
  world.memory.write(field(object, 7), 0);
  world.memory.write(field(object, 9), 0);
  only(debug.validate(), "red-zone-right", 28, 12, "check");
  assert.match(arena.check().join(), /write beyond the end/);
  assert.deepEqual(reported(), []);
  retireInto(heap, 0, object);
  await Promise.resolve();
  only(reported(), "red-zone-right", 28, 12, "retire");
  ownLimbo(heap).release(0);
  reported();
  assert.deepEqual(arena.check(), []);
});

test("a write after free is found in check(), at the end of quarantine, at the next allocation: whichever comes first", () => {
  const { arena, heap, world, debug, reported } = debugArena();
  for (const bytes of everySize) {
    for (const word of [0, Math.ceil(bytes / 4) - 1]) {
      const object = takeHere(heap, bytes);
      freeHere(heap, object);
      assert.notEqual(debug.quarantined, 0);
      world.memory.write(field(object, word), 77);
      only(debug.validate(), "write-after-free", 4 * word, 4, "check");
      assert.match(arena.check().join(), /write after free/);
      heap.withArenaLock(() => heap.shrink());
      assert.equal(debug.quarantined, 0);
      const report = only(reported(), "write-after-free", 4 * word, 4, "quarantine");
      assert.match(report.object.allocated?.stack ?? "", /takeHere/);
      assert.match(report.object.freed?.stack ?? "", /freeHere/);
      assert.match(report.message, /freed \d+ ms ago by thread 1 at\n.*freeHere/);
      assert.deepEqual(arena.check(), []);
    }
  }
  debug.quarantineLimit = 0;
  const object = takeHere(heap, 40);
  freeHere(heap, object);
  world.memory.write(field(object, 3), 77);
  assert.equal(takeHere(heap, 40), object);
  only(reported(), "write-after-free", 12, 4, "alloc");
});

test("a write after free is found in what was retired, once its grace period is over, and not before", () => {
  const { heap, world, debug, reported } = debugArena();
  for (const bytes of [40, 5000, 20_000]) {
    const object = takeHere(heap, bytes);
    world.memory.write(object, 1);
    retireInto(heap, 0, object);
    assert.equal(world.memory.read(object), 1); // a reader may still look
    assert.deepEqual(debug.validate(), []);
    ownLimbo(heap).release(0);
    assert.notEqual(world.memory.read(object), 1);
    world.memory.write(object, 1);
    only(debug.validate(), "write-after-free", 0, 4, "check");
    heap.withArenaLock(() => heap.shrink());
    if (bytes < 8192) only(reported(), "write-after-free", 0, 4, "quarantine");
    else world.memory.write(object, 0x6b6b6b6b);
  }
});

test("pages: a write after free is found when they are taken again, of any order; a write beyond what kmalloc was asked for at free", () => {
  const { arena, heap, world, reported } = debugArena();
  for (const order of [0, 2]) {
    const block = heap.allocPages(order as Order, { tag: 5 });
    freeHere(heap, block);
    world.memory.write(field(block, 17), 0);
    assert.match(arena.check().join(), /write after free: 4 bytes at byte 68/);
    for (let again = heap.allocPages(order as Order); again !== block; again = heap.allocPages(order as Order)) assert.notEqual(again, NULL);
    assert.match(only(reported(), "write-after-free", 68, 4, "alloc").object.freed?.stack ?? "", /freeHere/);
  }
  const block = takeHere(heap, 20_000);
  assert.equal(heap.usableBytes(block), 20_000);
  world.memory.write(field(block, 5000), 0);
  freeHere(heap, block);
  only(reported(), "red-zone-right", 20_000, 4, "free");
});

test("a second free or retirement is refused, and tells who allocated and who freed", () => {
  const { heap, reported } = debugArena();
  for (const bytes of [40, 5000, PAGE_BYTES * 3]) {
    const object = takeHere(heap, bytes);
    freeHere(heap, object);
    for (const again of [() => heap.kfree(object), () => retireInto(heap, 0, object)]) {
      assert.throws(again, (error: unknown) => error instanceof DoubleFreeError && /allocated[\s\S]*takeHere[\s\S]*freed[\s\S]*freeHere/.test(error.message));
    }
    const retired = takeHere(heap, bytes);
    retireInto(heap, 0, retired);
    assert.throws(() => heap.kfree(retired), DoubleFreeError);
    assert.throws(() => retireInto(heap, 0, retired), DoubleFreeError);
  }
  assert.deepEqual(reported(), []);
});

test("a free of another size, of an inner address, to another cache is refused, and nothing has changed", () => {
  const { arena, heap, reported } = debugArena();
  for (const bytes of [0, 100, 20_000]) {
    const object = takeHere(heap, bytes);
    assert.throws(
      () => heap.kfree(object, bytes + 28),
      (error: unknown) => error instanceof WrongSizeError && error.code === "ERR_WRONG_SIZE" && /takeHere/.test(error.message),
    );
    heap.kfree(object, bytes);
  }
  const object = takeHere(heap, 100);
  assert.throws(
    () => heap.kfree(field(object, 2)),
    (error: unknown) => error instanceof InvalidAddressError && /begins 8 bytes before it, at \d+\.[\s\S]*takeHere/.test(error.message),
  );
  const [a = 0, b = 0] = [heap.createCache("cats", 64), heap.createCache("dogs", 64)];
  const cat = heap.cache(a).alloc();
  assert.throws(
    () => heap.cache(b).free(cat),
    (error: unknown) => error instanceof WrongCacheError && error.code === "ERR_WRONG_CACHE" && /cache dogs and belongs to cache cats/.test(error.message),
  );
  assert.throws(() => heap.cache(b).free(heap.allocPages(0 as Order)), InvalidAddressError);
  heap.kfree(cat, 64);
  heap.kfree(object);
  assert.deepEqual(reported(), []);
  assert.deepEqual(arena.check(), []);
});

test("reads: of words never written, of what was freed, of what lies beside; each place once", () => {
  const { arena, heap, debug, reported } = debugArena();
  const { memory } = arena;
  const object = takeHere(heap, 40);
  assert.deepEqual(debug.unwritten(object), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  memory.fill(object, 5, 0);
  memory.writeBytes(field(object, 6), Uint8Array.of(1, 2));
  assert.deepEqual(debug.unwritten(object), [5, 7, 8, 9]);
  for (let word = 0; word < 5; word++) memory.read(field(object, word));
  memory.load(field(object, 6));
  assert.deepEqual(reported(), []);
  memory.load(field(object, 5));
  memory.read(field(object, 7));
  assert.match(only(reported(), "uninitialised-read", 20, 4, "read").message, /read of a word that was never written[\s\S]*takeHere/);
  memory.read(field(object, 10));
  only(reported(), "out-of-bounds-read", 40, 4, "read");
  memory.read(field(object, -1));
  freeHere(heap, object);
  memory.read(field(object, 3));
  memory.read(field(object, 9));
  assert.match(only(reported(), "read-after-free", 12, 4, "read").message, /read after free[\s\S]*freeHere/);
  // Values that only look like poison are nobody's business outside objects.
  memory.read(arena.layout.callLog);
});

test("where an object came from can be read by any thread, also when its own has left or died", () => {
  const { world, debug } = debugArena();
  const victimMemory = world.dying();
  const victim = world.arena(2, victimMemory);
  storeText(world.memory, field(victim.heap.slot.address, SlotWord.NAME), NAME_WORDS, "importer");
  const object = takeHere(victim.heap, 64, -3);
  const before = debug.historyOf(field(object, 5));
  assert.deepEqual(
    { ...before, allocated: undefined },
    { address: object, bytes: 64, cache: "kmalloc-tagged-64", state: "live", allocated: undefined, freed: undefined },
  );
  assert.deepEqual([before?.allocated?.thread, before?.allocated?.name], [2, "importer"]);
  assert.match(before?.allocated?.stack ?? "", /takeHere/);
  victimMemory.kill();
  const survivor = watched(world.arena(3), world);
  reapThread(survivor.heap, 2);
  assert.equal(survivor.debug.historyOf(object)?.allocated?.name, "importer");
  world.memory.write(field(object, 16), 5);
  freeHere(survivor.heap, object);
  assert.match(
    only(survivor.reported(), "red-zone-right", 64, 4, "free").message,
    /found in free by thread 3 at freeHere.*\nallocated \d+ ms ago by thread 2 "importer"/,
  );
  assert.equal(debug.historyOf(object)?.freed?.thread, 3);
  assert.equal(debug.historyOf(1 as Address), undefined);
});

test("leaks: live objects by owner and call site, most bytes first; those of threads that are gone", () => {
  const { world, heap, debug } = debugArena();
  const mine = Array.from({ length: 3 }, () => takeHere(heap, 100, -4));
  const block = heap.allocPages(1 as Order, { tag: 7 });
  const victimMemory = world.dying();
  const victim = world.arena(2, victimMemory);
  for (let i = 0; i < 5; i++) takeHere(victim.heap, 1000);
  freeHere(victim.heap, takeHere(victim.heap, 1000));
  victimMemory.kill();
  reapThread(heap, 2);
  const leaks = debug.leaks();
  assert.deepEqual(
    leaks.map(({ objects, bytes, cache, tag, thread, isGone }) => ({ objects, bytes, cache, tag, thread, isGone })),
    [
      { objects: 1, bytes: 2 * PAGE_BYTES, cache: "pages", tag: 7, thread: 1, isGone: false },
      { objects: 5, bytes: 5000, cache: "kmalloc-1024", tag: 0, thread: 2, isGone: true },
      { objects: 3, bytes: 300, cache: "kmalloc-tagged-128", tag: -4, thread: 1, isGone: false },
    ],
  );
  assert.deepEqual(
    debug.leaks({ gone: true }).map(({ bytes }) => bytes),
    [5000],
  );
  assert.deepEqual(
    debug.leaks({ tag: -4 }).map(({ objects }) => objects),
    [3],
  );
  assert.deepEqual(debug.leaks({ age: 60_000 }), []);
  const table = debug.leakTable();
  assert.match(
    table,
    /^bytes +objects +cache +tag +thread +oldest +allocated\n +8192 +1 +pages +7 +1 .*\n +5000 +5 +kmalloc-1024 +0 +2 \(gone\).*takeHere.*\n +300 +3 +kmalloc-tagged-128 +-4 +1 .*takeHere/,
  );
  for (const object of [...mine, block]) heap.kfree(object);
  assert.equal(debug.leaks({ tag: -4 }).length, 0);
  assert.equal(debug.leakTable({ tag: -4 }), "no live objects");
});

test("objects of caches with a constructor, and of typesafe ones, are never poisoned; their edges are watched", () => {
  const { arena, heap, world, debug, reported } = debugArena();
  const constructed = heap.createCache("constructed", 24, { construct: (object) => world.memory.fill(object, 6, 4711) });
  const typesafe = heap.createCache("typesafe", 24, { typesafeByRcu: true });
  for (const index of [constructed, typesafe]) {
    const cache = heap.cache(index);
    const object = cache.alloc();
    if (index === constructed) assert.equal(arena.memory.read(object), 4711);
    world.memory.fill(object, 6, 4711);
    cache.free(object);
    for (let word = 0; word < 6; word++) assert.equal(arena.memory.read(field(object, word)), 4711);
    assert.deepEqual(debug.validate(), []);
    world.memory.write(field(object, 6), 0);
    only(debug.validate(), "red-zone-right", 24, 4, "check");
    heap.withArenaLock(() => heap.shrink());
    only(reported(), "red-zone-right", 24, 4, "quarantine");
    assert.equal(world.memory.read(object), index === constructed ? 0x6b6b6b6b : 4711, "a slab's pages are poisoned as pages, at once or after a grace period");
  }
});

test("quarantine keeps freed objects from being used anew, up to its limit, and lets go when memory is short", () => {
  const { arena, heap, world, debug, reported } = debugArena(100);
  const object = takeHere(heap, 64);
  freeHere(heap, object);
  for (let i = 0; i < 20; i++) {
    const other = takeHere(heap, 64);
    assert.notEqual(other, object);
    freeHere(heap, other);
  }
  assert.ok(debug.quarantined > 0);
  debug.quarantineLimit = 3000;
  for (let i = 0; i < 200; i++) freeHere(heap, takeHere(heap, 64));
  assert.ok(debug.quarantined <= 3000);
  debug.quarantineLimit = 2 ** 30;
  for (let round = 0; round < 3; round++) {
    for (const bytes of [16, 900, 8192]) {
      const taken: Address[] = [];
      for (let next = heap.kmalloc(bytes); next !== NULL; next = heap.kmalloc(bytes)) taken.push(next);
      assert.ok(taken.length > 10);
      for (const address of taken) heap.kfree(address);
    }
  }
  assert.deepEqual(reported(), []);
  assert.deepEqual(arena.check(), []);
  arena.detach();
  const empty = audit(new World(100, { debugMemory: true }));
  assert.deepEqual(audit(world), empty);
});

test("what a thread that left had in limbo is in quarantine of whoever gave it back, whatever becomes of its slot", () => {
  const { arena, world, heap, debug, reported } = debugArena();
  const leaver = world.arena(2);
  for (let i = 0; i < 40; i++) retireInto(leaver.heap, 0, leaver.heap.kmalloc(64));
  leaver.detach();
  heap.withArenaLock(() => {
    for (const index of slotsOfKind(world.memory, arena.layout, SlotKind.DRAINED)) {
      assert.ok(releaseLimbo(heap, index, 0));
      freeSlot(heap, index);
    }
  });
  assert.ok(debug.quarantined > 0);
  const mortal = world.dying();
  world.arena(3, mortal); // in the slot of the one that left
  mortal.kill();
  reapThread(heap, 3);
  assert.deepEqual(arena.check(), []);
  const taken = new Set(Array.from({ length: 100 }, () => heap.kmalloc(64)));
  heap.withArenaLock(() => heap.shrink());
  for (let i = 0; i < 100; i++) taken.add(heap.kmalloc(64));
  assert.equal(taken.size, 200);
  assert.deepEqual(arena.check(), []);
  assert.deepEqual(reported(), []);
});

test("without stacks, or when the call log is full, places are not known, and all else goes on", () => {
  const { arena, heap, world, debug, reported } = debugArena();
  debug.stacks = false;
  assert.equal(debug.historyOf(takeHere(heap, 64))?.allocated?.stack, undefined);
  debug.stacks = true;
  world.memory.store(arena.layout.callLog, arena.layout.callLog + arena.layout.callLogWords - 2);
  const object = takeHere(heap, 64);
  world.memory.write(field(object, 16), 0);
  freeHere(heap, object);
  assert.match(only(reported(), "red-zone-right", 64, 4, "free").message, /allocated \d+ ms ago by thread 1 \(place not kept\)/);
  assert.equal(debug.historyOf(object)?.state, "freed");
});

test("a history that was written over makes no report worse than that", () => {
  const { heap, world, debug } = debugArena();
  const object = takeHere(heap, 64);
  for (let word = 16; word < 40; word++) world.memory.write(field(object, word), -1);
  debug.validate();
  debug.historyOf(object);
  debug.leakTable();
  freeHere(heap, object);
});

test("a listener that throws does not disturb the allocator; a listener may allocate", async () => {
  const { arena, heap, world, debug } = debugArena();
  const uncaught: unknown[] = [];
  const listeners = process.rawListeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => uncaught.push(error));
  let extra: Address = NULL;
  debug.onReport = () => {
    extra = heap.kmalloc(8);
    throw new Error("of a listener");
  };
  const object = takeHere(heap, 64);
  world.memory.write(field(object, 16), 0);
  freeHere(heap, object);
  await new Promise((resolve) => setImmediate(resolve));
  process.removeAllListeners("uncaughtException");
  for (const listener of listeners) process.on("uncaughtException", listener as () => void);
  assert.match(String(uncaught[0]), /of a listener/);
  assert.notEqual(extra, NULL);
  assert.equal(debug.reports, 1);
  assert.deepEqual(arena.check(), []);
});

test("an arena of slob cannot be watched", () => {
  assert.throws(() => new World(100, { debugMemory: true, allocator: "slob" }), /ERR_ARENA_OPTIONS|debugMemory needs the allocator "slab" or "slub"/);
});

test("an arena without debugMemory has none of it", () => {
  const { heap } = new World(100).arena(1);
  assert.equal(heap.debug, undefined);
  const object = heap.kmalloc(100);
  assert.equal(heap.usableBytes(object), 128);
  heap.kfree(object, 7);
});

test("random damage beside live objects and in freed ones: each is found, and said of the right object; nothing else is", () => {
  const random = randomOf(seedOf("debug damage"));
  for (let round = 0; round < 30; round++) {
    const { arena, heap, world, debug, reported } = debugArena(600);
    debug.quarantineLimit = 2 ** 30;
    const live: { object: Address; bytes: number }[] = [];
    const freed: typeof live = [];
    for (let i = 0; i < 60; i++) {
      const bytes = random(4) === 0 ? random(20_000) : random(300);
      const object = takeHere(heap, bytes, random(2));
      world.memory.fill(object, Math.max(1, Math.ceil(bytes / 4)), random(2 ** 30));
      live.push({ object, bytes });
      if (random(2) === 0) freed.push(...live.splice(random(live.length), 1));
    }
    // Pages last: quarantine takes pages for its sheaves, and may get these.
    for (const { object } of freed.sort((a, b) => a.bytes - b.bytes)) heap.kfree(object);
    assert.deepEqual(debug.validate(), []);
    const expected = new Set<string>();
    const damage = (fault: MemoryFault, object: Address, word: number): void => {
      const at = field(object, word);
      world.memory.write(at, world.memory.read(at) ^ (1 + random(2 ** 31 - 1)));
      expected.add(`${fault} ${object}`);
    };
    for (const { object, bytes } of live) {
      const isObject = bytes <= 8192;
      if (random(5) === 0 && isObject) damage("red-zone-left", object, -1 - random(4));
      const words = Math.max(1, Math.ceil(bytes / 4));
      // Of a block of pages that was asked for whole, to the last word (zones begin at words), nothing is left to watch.
      if (random(5) === 0 && heap.debug?.historyOf(object) !== undefined && (isObject || Math.log2(words / PAGE_WORDS) % 1 !== 0)) {
        damage("red-zone-right", object, words + random(isObject ? 4 : 1));
      }
    }
    for (const { object, bytes } of freed) if (random(5) === 0) damage("write-after-free", object, random(Math.max(1, Math.ceil(bytes / 4))));
    // A page of a freed block speaks for itself.
    const found = debug.validate().map(({ fault, object, offset }) => `${fault} ${ownerOf(freed, field(object.address, offset >> 2)) ?? object.address}`);
    assert.deepEqual(new Set(found), expected);
    for (const { object } of live) heap.kfree(object);
    heap.withArenaLock(() => heap.shrink());
    const told = reported();
    for (const what of expected) {
      const [fault, object] = what.split(" ");
      const isPages = (freed.find((one) => one.object === Number(object))?.bytes ?? 0) > 8192; // found when the page is used again
      assert.ok(isPages || told.some((report) => report.fault === fault && report.object.address === Number(object)), what);
    }
    assert.deepEqual(
      arena.check().filter((line) => !line.includes("of pages")),
      [],
    );
    arena.detach();
  }
});

/** Whose a damaged word was. */
function ownerOf(blocks: readonly { object: Address; bytes: number }[], at: number): Address | undefined {
  return blocks.find(({ object, bytes }) => at >= object && at < object + Math.max(1, Math.ceil(bytes / 4)))?.object;
}
