/** How pages are wanted: zeroed, without ever sleeping. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, NULL, type Order, PAGE_WORDS } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import { markOwnerDied, RobustMutex } from "../../src/memory/robust-mutex.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import { SURVIVOR, VICTIM, World } from "../support/world.js";

function words(world: World, address: Address, count: number): Set<number> {
  const seen = new Set<number>();
  for (let word = 0; word < count; word++) seen.add(world.memory.read((address + word) as Address));
  return seen;
}

test("zeroed pages hold nothing of what was there, and others may", () => {
  const world = new World(64);
  const { heap } = world.arena(1);
  const soil = heap.allocPagesBulk(64) ?? [];
  for (const page of soil) world.memory.fill(page, PAGE_WORDS, -1);
  for (const page of soil) heap.freePages(page);
  const block = heap.allocPages(3 as Order, { zero: true });
  assert.deepEqual(words(world, block, 8 * PAGE_WORDS), new Set([0]));
  const bulk = heap.allocPagesBulk(20, { zero: true, tag: 5 }) ?? [];
  assert.equal(bulk.length, 20);
  for (const page of bulk) assert.deepEqual(words(world, page, PAGE_WORDS), new Set([0]));
  assert.deepEqual(
    heap.ownedBy(5),
    [...bulk].sort((a, b) => a - b),
  );
  for (const page of [block, ...bulk]) heap.freePages(page);
});

test("atomic: pages where the arena lock is free; none, and nothing changed, where another thread holds it", () => {
  const world = new World(16);
  const holder = world.arena(VICTIM);
  const asker = world.arena(SURVIVOR);
  const freeBlocks = (): number[] => {
    asker.heap.trim();
    return asker.heap.pages.freeBlocks();
  };
  const before = freeBlocks();
  let slept = false;
  const { park } = asker.heap.slot;
  asker.heap.slot.park = (...sleep) => {
    slept = true;
    park(...sleep);
  };
  holder.heap.withArenaLock(() => {
    assert.equal(asker.heap.allocPages(0 as Order, { atomic: true }), NULL);
    assert.equal(asker.heap.allocPagesBulk(2, { atomic: true }), undefined);
    assert.equal(
      asker.heap.tryWithArenaLock(() => assert.fail("run without the lock")),
      undefined,
    );
  });
  assert.equal(asker.heap.slot.locksHeld, 0);
  assert.deepEqual(asker.heap.pages.freeBlocks(), before);
  const word = asker.heap.allocPages(0 as Order, { zero: true });
  const listed = [...asker.heap.pageListOf(asker.heap.slot.index)].length;
  assert.ok(listed > 0, "its own list has some now");
  holder.heap.withArenaLock(() => {
    const pages = Array.from({ length: listed }, () => asker.heap.allocPages(0 as Order, { atomic: true }));
    assert.ok(!pages.includes(NULL), "for which it needs no lock");
    assert.equal(asker.heap.allocPages(0 as Order, { atomic: true }), NULL, "but for more");
    for (const page of pages) asker.heap.freePages(page);
  });
  assert.equal(slept, false);
  const lock = new SpinLock(world.memory, word, asker.heap.slot);
  lock.withLock(() => {
    const block = asker.heap.allocPages(1 as Order, { atomic: true });
    const pages = asker.heap.allocPagesBulk(3, { atomic: true });
    assert.notEqual(block, NULL);
    assert.equal(pages?.length, 3);
    for (const page of [block, ...(pages ?? [])]) asker.heap.freePages(page);
  });
  asker.heap.freePages(word);
  assert.deepEqual(freeBlocks(), before);
  assert.deepEqual(asker.check(), []);
});

test("atomic: what a thread died with is left for one who has the time to mend it", () => {
  const world = new World(16);
  const victim = world.arena(VICTIM);
  const survivor = world.arena(SURVIVOR);
  victim.heap.lockArena();
  markOwnerDied(world.memory, Header.ARENA_LOCK, VICTIM);
  assert.equal(survivor.heap.allocPages(0 as Order, { atomic: true }), NULL);
  assert.equal(survivor.heap.allocPages(0 as Order, { atomic: true }), NULL, "the next is told too");
  const page = survivor.heap.allocPages(0 as Order);
  assert.notEqual(page, NULL);
  survivor.heap.freePages(page);
  const again = survivor.heap.allocPages(0 as Order, { atomic: true });
  assert.notEqual(again, NULL, "mended by now");
  survivor.heap.freePages(again);
});

test("tryLock keeps the waiters' mark, so that unlock wakes them", () => {
  const world = new World();
  const [a, b] = [world.arena(VICTIM), world.arena(SURVIVOR)] as const;
  const word = a.heap.allocPages(0 as Order, { zero: true });
  const [mine, its] = [a, b].map((arena) => new RobustMutex(world.memory, word, arena.heap.slot)) as [RobustMutex, RobustMutex];
  const WAITERS = 1 << 30;
  world.memory.store(word, WAITERS);
  assert.equal(mine.tryLock(), false);
  assert.ok(mine.held);
  assert.equal(its.tryLock(), undefined);
  assert.throws(() => mine.tryLock(), { code: "ERR_DEADLOCK" });
  assert.notEqual(world.memory.load(word) & WAITERS, 0);
  mine.unlock(true);
  assert.equal(its.tryLock(), true, "told that an owner failed");
  its.unlock();
  assert.equal(its.tryLock(), false);
  its.unlock();
});
