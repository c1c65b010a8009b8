/** The reader-writer lock and the sequence lock in one thread: two slots of one arena are two threads. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, field } from "../../src/memory/address.js";
import { reapThread } from "../../src/memory/reap.js";
import { RW_LOCK_BYTES, RwLock } from "../../src/memory/rw-lock.js";
import { SEQ_LOCK_BYTES, SeqLock } from "../../src/memory/seqlock.js";
import { refusal } from "../support/refusal.js";
import { SURVIVOR, VICTIM, World } from "../support/world.js";

type Kind<L> = new (...given: ConstructorParameters<typeof RwLock>) => L;

function two<L>(Lock: Kind<L>): { world: World; a: L; b: L; again: () => L; reap: () => void; repairs: number[]; fails: { next: boolean }; word: Address } {
  const world = new World();
  const [first, second] = [world.arena(VICTIM), world.arena(SURVIVOR)];
  const word = first.heap.kmalloc(64);
  world.memory.fill(word, 16, 0);
  const repairs: number[] = [];
  const fails = { next: false };
  const repair = (): void => {
    if (fails.next) {
      fails.next = false;
      throw new RangeError("cannot mend it");
    }
    repairs.push(1);
  };
  const of = ({ heap }: typeof first): L => new Lock(world.memory, word, heap.slot, repair);
  return { world, a: of(first), b: of(second), again: () => of(second), reap: () => void reapThread(second.heap, VICTIM), repairs, fails, word };
}

test("a reader-writer lock: readers together, a writer alone", () => {
  const { world, a, b, again, word } = two(RwLock);
  a.readLock();
  b.readLock();
  assert.deepEqual([a.held, b.held], ["read", "read"]);
  b.readUnlock();
  assert.equal(
    refusal(() => b.writeLock(5), /still had 1 readers inside after 5 ms/),
    "LockReadersError ERR_LOCK_READERS",
  );
  assert.equal(b.held, undefined);
  b.readLock(); // the gate is open again
  b.readUnlock();
  a.readUnlock();
  b.writeLock();
  assert.equal(
    refusal(() => a.readLock(5), /held by thread 2/),
    "LockTimeoutError ERR_LOCK_TIMEOUT",
  );
  assert.equal(
    refusal(() => a.writeLock(5), /held by thread 2/),
    "LockTimeoutError ERR_LOCK_TIMEOUT",
  );
  for (const lock of [() => b.readLock(), () => b.writeLock(), () => again().writeLock()])
    assert.equal(refusal(lock, /already holds/), "DeadlockError ERR_DEADLOCK");
  assert.equal(
    refusal(() => b.readUnlock(), /readUnlock\(\)/),
    "QuiesceError ERR_NOT_OWNER",
  );
  b.writeUnlock();
  assert.equal(
    refusal(() => b.writeUnlock(), /writeUnlock\(\)/),
    "QuiesceError ERR_NOT_OWNER",
  );
  assert.equal(a.read(() => 3) + b.write(() => 4), 7);
  assert.throws(() => b.write(() => assert.fail("mine")), /mine/);
  assert.throws(() => a.read(() => assert.fail("mine")), /mine/);
  for (let i = 0; i < RW_LOCK_BYTES / 4; i++) assert.equal(world.memory.load(field(word, i)), 0, "free");
});

for (const next of ["read", "write"] as const) {
  test(`a reader-writer lock: after a writer's death the next one, to ${next}, mends it alone`, () => {
    const { a, b, reap, repairs, fails } = two(RwLock);
    a.writeLock();
    reap();
    fails.next = true;
    assert.throws(() => b[next](() => assert.fail("it was run")), /cannot mend it/);
    assert.deepEqual(repairs, []);
    for (let i = 0; i < 2; i++) b[next](() => assert.deepEqual(repairs, [1], "once"));
    b.writeLock();
    b.writeUnlock(true); // it says itself that it could not
    b.read(() => assert.deepEqual(repairs, [1, 1]));
  });
}

test("a reader-writer lock: a reader that dies inside keeps writers out for good, and they are told", () => {
  const { a, b, reap } = two(RwLock);
  a.readLock();
  reap();
  for (let i = 0; i < 2; i++)
    assert.equal(
      refusal(() => b.writeLock(5), /one that died inside/),
      "LockReadersError ERR_LOCK_READERS",
    );
  b.read(() => {});
});

test("a sequence lock: what is read is of one instant", () => {
  const { world, a, b, word } = two(SeqLock);
  const pair = [field(word, 8), field(word, 9)] as const;
  const add = (): void => a.write(() => pair.forEach((at) => void world.memory.add(at, 1)));
  let looks = 0;
  const look = (): number[] =>
    b.read(() => {
      const first = world.memory.load(pair[0]);
      if (looks++ < 3) add(); // in the middle of it
      if (world.memory.load(pair[1]) !== first) throw new RangeError("what is thrown in a look that was spoilt counts for nothing");
      return [first, world.memory.load(pair[1])];
    });
  assert.deepEqual(look(), [3, 3]);
  assert.equal(looks, 4);
  assert.throws(() => b.read(() => assert.fail("mine")), /mine/);
  looks = -1000; // a writer at each look: the reader keeps it out in the end
  let kept = 0;
  const seen = b.read(() => {
    const before = world.memory.load(pair[0]);
    try {
      a.writeLock(1);
      world.memory.store(pair[0], before + 1);
      a.writeUnlock();
    } catch {
      kept++;
    }
    return before;
  });
  assert.equal(kept, 1);
  assert.equal(seen, world.memory.load(pair[0]));
  const sequence = b.readBegin();
  assert.equal(b.readRetry(sequence), false);
  a.writeLock();
  assert.equal(b.readRetry(sequence), true);
  assert.equal(a.held, true);
  assert.equal(
    refusal(() => b.readBegin(5), /held by thread/),
    "LockTimeoutError ERR_LOCK_TIMEOUT",
  );
  assert.equal(
    refusal(() => a.read(() => 1), /already holds/),
    "DeadlockError ERR_DEADLOCK",
  );
  assert.equal(
    refusal(() => b.writeUnlock(), /does not hold/),
    "QuiesceError ERR_NOT_OWNER",
  );
  a.writeUnlock();
  assert.equal(world.memory.load(word), 0);
  assert.ok(SEQ_LOCK_BYTES === 8);
});

for (const next of ["read", "write"] as const) {
  test(`a sequence lock: after a writer's death the next one, to ${next}, mends it`, () => {
    const { a, b, reap, repairs, fails } = two(SeqLock);
    a.writeLock();
    reap();
    fails.next = true;
    assert.throws(() => b[next](() => assert.fail("it was run")), /cannot mend it/);
    for (let i = 0; i < 2; i++) b[next](() => assert.deepEqual(repairs, [1], "once"));
    b.writeLock();
    b.writeUnlock(true);
    b.read(() => assert.deepEqual(repairs, [1, 1]));
  });
}
