/** A stack overflow at the worst moments, which its caller catches: what was half done then is ended by the next who comes by, and nothing that is not its own is written. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Shared, type SharedMap, u32 } from "../../src/index.js";
import { Header } from "../../src/memory/layout.js";
import { SHEAF_CAPACITY } from "../../src/memory/sheaf.js";

const overflow = (): never => {
  throw new RangeError("Maximum call stack size exceeded");
};

type Numbers = SharedMap<number, number>;

/** A map whose updates retire, with nothing waiting. */
async function filled(): Promise<{ shared: Shared; map: Numbers }> {
  const shared = Shared.create({ bytes: 2 ** 23 });
  const map = shared.map("m", { key: u32, value: u32 });
  for (let i = 0; i < 200; i++) map.set(i, i);
  await shared.domain.barrier();
  return { shared, map };
}

/** All goes on, and nothing is broken. */
async function goesOn(shared: Shared, map: Numbers): Promise<void> {
  for (let i = 0; i < 5000; i++) map.set(i % 200, i);
  await shared.domain.barrier();
  assert.deepEqual([[...map].length, map.size, map.check(), shared.check()], [200, 200, [], []]);
  shared.close();
}

for (const moment of ["before", "after"] as const) {
  test(`retiring: ${moment} a full sheaf was put into its segment`, async () => {
    const { shared, map } = await filled();
    const { sheaves } = shared.domain.arena.heap;
    const { push } = sheaves;
    let overflows = 0;
    sheaves.push = (list, sheaf) => {
      const isClosed = sheaves.count(sheaf) === SHEAF_CAPACITY && (new Error().stack ?? "").includes("#putIn");
      if (!isClosed || overflows > 0) return push.call(sheaves, list, sheaf);
      overflows++;
      if (moment === "after") push.call(sheaves, list, sheaf);
      return overflow();
    };
    for (let i = 0; overflows === 0; i++) {
      try {
        map.set(i % 200, 7);
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }
    await goesOn(shared, map);
  });
}

test("retiring: after a sheaf that is not full was put into its segment, while grace periods go on", async () => {
  const { shared, map } = await filled();
  const { sheaves } = shared.domain.arena.heap;
  const { push } = sheaves;
  let overflows = 0;
  let isDeep = false;
  sheaves.push = (list, sheaf) => {
    push.call(sheaves, list, sheaf);
    if (!isDeep || overflows > 0 || sheaves.count(sheaf) === 0 || sheaves.count(sheaf) === SHEAF_CAPACITY) return;
    overflows++;
    overflow();
  };
  for (let i = 0; overflows === 0; i++) {
    map.set(i % 200, 7);
    isDeep = i % 5 === 4;
    try {
      if (isDeep) shared.domain.flushSync(100);
    } catch (error) {
      assert.ok(error instanceof RangeError);
    }
    isDeep = false;
  }
  await goesOn(shared, map);
});

test("letting the arena lock go: this thread finds that it has it still, and mends what it protects", () => {
  const shared = Shared.create({ bytes: 2 ** 23 });
  const { memory, heap } = shared.domain.arena;
  const { exchange } = memory;
  memory.exchange = (address, value) => {
    if (address !== Header.ARENA_LOCK) return exchange.call(memory, address, value);
    memory.exchange = exchange;
    return overflow();
  };
  assert.throws(() => heap.withArenaLock(() => {}), RangeError);
  assert.notEqual(memory.load(Header.ARENA_LOCK), 0, "it is held");
  assert.equal(
    heap.tryWithArenaLock(() => 1),
    undefined,
    "there is something to mend",
  );
  assert.equal(
    heap.withArenaLock(() => 2),
    2,
  );
  assert.equal(memory.load(Header.ARENA_LOCK), 0);
  heap.withArenaLock(() => assert.throws(() => heap.withArenaLock(() => {}), { code: "ERR_DEADLOCK" }, "who runs with the lock is told as ever"));
  assert.deepEqual(shared.check(), []);
  shared.close();
});

test("after the arena lock was taken, and before anything ran with it", () => {
  const shared = Shared.create({ bytes: 2 ** 23 });
  const { memory, heap } = shared.domain.arena;
  heap.lockArena(); // as when the call that runs with it overflows
  assert.equal(
    heap.withArenaLock(() => 2),
    2,
  );
  assert.equal(memory.load(Header.ARENA_LOCK), 0);
  for (let i = 0; i < 20; i++) heap.withArenaLock(() => {}); // its slot has forgotten it as often as it noted it
  assert.deepEqual(shared.check(), []);
  shared.close();
});
