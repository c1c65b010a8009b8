/** The robust mutex in one thread: two slots of one arena are two owners. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, field } from "../../src/memory/address.js";
import { Arena, createArena } from "../../src/memory/arena.js";
import { DeadlockError, LockTimeoutError, QuiesceError } from "../../src/memory/errors.js";
import { leastBytes } from "../../src/memory/layout.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { markOwnerDied, RobustMutex } from "../../src/memory/robust-mutex.js";
import { heldLocks, type Slot } from "../../src/memory/slot.js";

const ROOT = { rootWords: 1024 };

function two(): { memory: SharedMemory; a: Slot; b: Slot; lockOf: (slot: Slot, n?: number) => RobustMutex; address: (n: number) => Address } {
  const memory = new SharedMemory(createArena(leastBytes(ROOT), ROOT));
  const [first, second] = [new Arena(memory, 1), new Arena(memory, 2)];
  const address = (n: number): Address => field(first.layout.root, n * 32);
  return { memory, a: first.heap.slot, b: second.heap.slot, address, lockOf: (slot, n = 0) => new RobustMutex(memory, address(n), slot) };
}

test("one owner at a time, who is told apart", () => {
  const { a, b, lockOf, memory, address } = two();
  const mine = lockOf(a);
  const theirs = lockOf(b);
  assert.equal(mine.lock(), false);
  assert.deepEqual([mine.held, theirs.held], [true, false]);
  assert.throws(
    () => theirs.lock(5),
    (error: unknown) =>
      error instanceof LockTimeoutError && error.code === "ERR_LOCK_TIMEOUT" && error.message.includes(String(address(0))) && error.message.includes("5 ms"),
  );
  assert.equal(theirs.held, false);
  mine.unlock();
  assert.deepEqual([mine.held, theirs.held], [false, false]);
  assert.equal(theirs.lock(), false);
  theirs.unlock();
  assert.equal(memory.load(address(0)), 0);
});

test("taking it twice is a deadlock that is told at once, and it is still held", () => {
  const { a, lockOf, memory } = two();
  const lock = lockOf(a);
  lock.lock();
  assert.throws(
    () => lock.lock(),
    (error: unknown) => error instanceof DeadlockError && error.code === "ERR_DEADLOCK" && /already holds the lock/.test(error.message),
  );
  assert.throws(() => lockOf(a).lock(), DeadlockError, "whichever object of this thread it is asked through");
  assert.equal(lock.held, true);
  assert.equal(heldLocks(memory, a.address).length, 1);
  lock.unlock();
  assert.equal(lock.lock(), false);
});

test("locks are noted while they are held, whatever the order of unlocking", () => {
  const { a, lockOf, memory, address } = two();
  const locks = [0, 1, 2, 3, 4].map((n) => lockOf(a, n));
  const noted = (): number[] => heldLocks(memory, a.address).sort((x, y) => x - y);
  const expected = new Set<number>();
  for (const [n, lock] of locks.entries()) {
    lock.lock();
    expected.add(address(n));
    assert.deepEqual(noted(), [...expected]);
  }
  for (const n of [1, 4, 0, 3, 2]) {
    (locks[n] as RobustMutex).unlock();
    expected.delete(address(n));
    assert.deepEqual(noted(), [...expected]);
  }
});

test("a lock that was not had in time is not noted", () => {
  const { a, b, lockOf, memory, address } = two();
  lockOf(a).lock();
  lockOf(b, 1).lock();
  assert.throws(() => lockOf(b).lock(0), LockTimeoutError);
  assert.deepEqual(heldLocks(memory, b.address), [address(1)]);
});

test("more locks than a slot can note are refused, and none is held", () => {
  const { a, lockOf, address, memory } = two();
  for (let n = 0; n < 8; n++) lockOf(a, n).lock();
  assert.throws(
    () => lockOf(a, 8).lock(),
    (error: unknown) => error instanceof QuiesceError && error.code === "ERR_TOO_MANY_LOCKS",
  );
  assert.equal(memory.load(address(8)), 0);
});

test("whoever takes it after its owner died is told so, until recovery has succeeded", () => {
  const { a, b, lockOf, memory, address } = two();
  lockOf(a).lock();
  markOwnerDied(memory, address(0), a.thread);
  const next = lockOf(b);
  assert.equal(next.lock(), true, "told");
  next.unlock(true); // its recovery failed
  assert.equal(next.lock(), true, "told again");
  // It dies in its turn.
  markOwnerDied(memory, address(0), b.thread);
  const third = new Arena(memory, 3).heap.slot;
  const last = lockOf(third);
  assert.equal(last.lock(), true, "told once more");
  last.unlock();
  assert.equal(last.lock(), false, "and no more");
});

test("marking takes the lock from the dead owner only, and may be repeated", () => {
  const { a, b, lockOf, memory, address } = two();
  const lock = lockOf(b);
  lock.lock();
  markOwnerDied(memory, address(0), a.thread);
  assert.equal(lock.held, true);
  lock.unlock();
  markOwnerDied(memory, address(0), a.thread);
  assert.equal(lock.lock(), false);
  lock.unlock();
  lockOf(a).lock();
  markOwnerDied(memory, address(0), a.thread);
  markOwnerDied(memory, address(0), a.thread);
  assert.equal(lock.lock(), true);
});

test("the sign that someone is asleep stays until they can be woken", () => {
  const { a, b, lockOf, memory, address } = two();
  const WAITERS = 1 << 30;
  lockOf(a).lock();
  assert.throws(() => lockOf(b).lock(2), LockTimeoutError); // it slept, and left the sign
  assert.notEqual(memory.load(address(0)) & WAITERS, 0);
  markOwnerDied(memory, address(0), a.thread);
  assert.notEqual(memory.load(address(0)) & WAITERS, 0, "the dead owner's waiters");
  assert.equal(lockOf(b).lock(), true);
  assert.notEqual(memory.load(address(0)) & WAITERS, 0, "kept by the next owner, whose unlock wakes the others");
  lockOf(b).unlock();
  assert.equal(memory.load(address(0)), 0);
});
