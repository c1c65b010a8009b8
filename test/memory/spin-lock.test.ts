/** The spin lock: one owner at a time, also among real threads; who dies with it is told of; its owner may not wait. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../src/memory/address.js";
import { DeadlockError, LockTimeoutError } from "../../src/memory/errors.js";
import { reapThread } from "../../src/memory/reap.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import { SURVIVOR, VICTIM, World } from "../support/world.js";

function two(): { world: World; a: SpinLock; b: SpinLock; reap(): void; slots: { spinLocks: number }[] } {
  const world = new World();
  const [first, second] = [world.arena(VICTIM), world.arena(SURVIVOR)];
  const word = first.heap.kmalloc(8);
  world.memory.store(word, 0);
  return {
    world,
    a: new SpinLock(world.memory, word, first.heap.slot),
    b: new SpinLock(world.memory, word, second.heap.slot),
    reap: () => void reapThread(second.heap, VICTIM),
    slots: [first.heap.slot, second.heap.slot],
  };
}

test("one owner at a time; the other is told whom it waited for", () => {
  const { a, b } = two();
  assert.equal(a.lock(), false);
  assert.deepEqual([a.held, b.held], [true, false]);
  assert.throws(
    () => b.lock(5),
    (error: unknown) => error instanceof LockTimeoutError && error.message.includes(`held by thread ${VICTIM} for 5 ms`),
  );
  a.unlock();
  assert.equal(b.lock(), false);
  b.unlock();
});

test("taking it twice is a deadlock that is told at once", () => {
  const { a, slots } = two();
  a.lock();
  assert.throws(() => a.lock(), DeadlockError);
  assert.equal(slots[0]?.spinLocks, 1, "a lock that was not had does not count");
  a.unlock();
  assert.equal(slots[0]?.spinLocks, 0);
});

test("the next owner is told that an owner died, until one has mended", () => {
  const { a, b, reap } = two();
  a.lock();
  reap();
  const repairs: number[] = [];
  assert.throws(
    () =>
      b.withLock(
        () => assert.fail("it was run"),
        () => {
          repairs.push(1);
          throw new RangeError("cannot mend it");
        },
      ),
    RangeError,
  );
  assert.equal(b.held, false);
  assert.equal(
    b.withLock(
      () => "done",
      () => void repairs.push(2),
    ),
    "done",
  );
  b.withLock(
    () => {},
    () => void repairs.push(3),
  );
  assert.deepEqual(repairs, [1, 2]);
});

test("withLock() lets go however fn ends, and gives what fn gives", () => {
  const { a, slots } = two();
  assert.equal(
    a.withLock(() => 42),
    42,
  );
  assert.throws(
    () =>
      a.withLock(() => {
        throw new RangeError("mine");
      }),
    RangeError,
  );
  assert.deepEqual([a.held, slots[0]?.spinLocks], [false, 0]);
});

test("locks nest, and count as long as one is held", () => {
  const { world, a, slots } = two();
  const slot = slots[0] as unknown as ConstructorParameters<typeof SpinLock>[2];
  const other = new SpinLock(world.memory, (a.address + 1) as Address, slot);
  a.lock();
  other.lock();
  a.unlock(); // in any order
  assert.equal(slot.spinLocks, 1);
  other.unlock();
  assert.equal(slot.spinLocks, 0);
});
