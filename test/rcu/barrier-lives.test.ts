/** The barrier says exactly whose callbacks ran, and whose went with their thread. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMIT, within } from "../../check/support/watchdog.js";
import { World } from "../support/world.js";

test("a thread that leaves and comes back into its slot has lost its callbacks, though all looks as before", async () => {
  const world = new World();
  const [waiter, reader] = [world.domain(1), world.domain(2)];
  const leaver = world.domain(3);
  reader.readLock();
  let ran = 0;
  for (let i = 0; i < 3; i++) leaver.call(() => ran++);
  const barrier = waiter.barrier();
  leaver.detach();
  const again = world.domain(3);
  assert.equal(again.arena.heap.slot.index, leaver.arena.heap.slot.index, "the same slot");
  reader.readUnlock();
  const { lost } = await within(LIMIT, "the barrier", barrier);
  assert.deepEqual(lost, [{ thread: 3, callbacks: 3 }]);
  assert.equal(ran, 0);
  for (const domain of [again, waiter, reader]) domain.detach();
});

test("a barrier says of each thread that died with how many callbacks, and the others' have all run", async () => {
  const world = new World();
  const [waiter, reader, dead, alive] = [world.domain(1), world.domain(2), world.domain(3), world.domain(4)];
  reader.readLock();
  let ran = 0;
  for (let i = 0; i < 5; i++) dead.call(() => {});
  for (let i = 0; i < 7; i++) alive.call(() => ran++);
  const barrier = waiter.barrier();
  waiter.reap(3);
  reader.readUnlock();
  const { lost } = await within(LIMIT, "the barrier", barrier);
  assert.deepEqual(lost, [{ thread: 3, callbacks: 5 }]);
  assert.equal(ran, 7);
  assert.deepEqual(await waiter.barrier(), { lost: [] }, "who died before it began is none of its business");
  for (const domain of [alive, waiter, reader]) domain.detach();
});
