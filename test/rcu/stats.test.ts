/** Figures on each flavor: what stats() says of threads and of what waits, and intervals of measure(). */

import assert from "node:assert/strict";
import { LIMIT } from "../../check/support/watchdog.js";
import { end, onEach, settle } from "../support/each-flavor.js";

/** By how much the two clocks of a thread may differ, in ms. */
const CLOCKS = 1000;

onEach("slots: who is there, under which name, in a section since when", async ({ attach, flavor }) => {
  const [reader, other] = [attach(), attach()];
  reader.nameThread("reader");
  other.nameThread("ä".repeat(40));
  const before = Date.now();
  const index = reader.readLock();
  await settle(5); // the phase flavor times sections that outlive their turn
  const [mine, its] = other.stats().slots;
  assert.deepEqual([mine?.index, mine?.thread, mine?.name, mine?.online], [0, 1, "reader", true]);
  assert.equal(mine?.seen === 0, flavor === "phase");
  assert.ok((mine?.since as number) > before - CLOCKS && (mine?.since as number) < Date.now() + CLOCKS, `since ${mine?.since}, looked from ${before} on`);
  assert.deepEqual([its?.index, its?.thread, its?.online, its?.since], [1, 2, false, undefined]);
  assert.equal(its?.name, "ä".repeat(32), "64 bytes of it");
  await settle(30);
  end(reader, index);
  const [after] = other.stats().slots;
  assert.deepEqual([after?.online, after?.since], [false, undefined]);
  assert.ok((after?.longestSection as number) >= 25, `${after?.longestSection} ms`);
  assert.equal(other.stats().flavor, flavor);
  reader.detach();
  assert.deepEqual(
    other.stats().slots.map(({ thread }) => thread),
    [2],
  );
});

onEach("what waits: objects, bytes, callbacks by segment, and all of it gone in the end", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const index = reader.readLock();
  for (let i = 0; i < 3; i++) updater.retire(updater.arena.heap.kmalloc(100));
  for (let i = 0; i < 4; i++) updater.call(() => {});
  let stats = updater.stats();
  assert.deepEqual([stats.waiting, stats.waitingBytes], [3, 3 * 128]);
  assert.deepEqual(stats.callbacks, { done: 0, wait: 0, nextReady: 0, next: 4 });
  assert.deepEqual(
    reader.stats().slots.map(({ waiting, callbacks }) => [waiting, callbacks]),
    [
      [0, 0],
      [3, 4],
    ],
    "others see it too",
  );
  await settle(10);
  updater.call(() => {});
  stats = updater.stats();
  assert.equal(stats.callbacks.wait, 4);
  assert.equal(stats.callbacks.nextReady + stats.callbacks.next, 1);
  end(reader, index);
  await updater.barrier();
  updater.flushSync(LIMIT);
  stats = updater.stats();
  assert.deepEqual([stats.waiting, stats.waitingBytes, stats.callbacks], [0, 0, { done: 0, wait: 0, nextReady: 0, next: 0 }]);
});

onEach("grace periods are counted and timed; intervals are, each for itself", async ({ attach }) => {
  const domain = attach();
  const whole = domain.measure();
  for (let i = 0; i < 4; i++) domain.synchronizeSync();
  const part = domain.measure();
  await domain.synchronize();
  assert.deepEqual([whole.stats().gpMicros.count, part.stats().gpMicros.count, domain.stats().gpMicros.count], [5, 1, 5]);
  assert.ok(whole.stats().gracePeriods >= part.stats().gracePeriods && part.stats().gracePeriods > 0);
  const { p50, p99, max } = whole.stats().gpMicros;
  assert.ok(p50 <= p99 && p99 <= max);
  const { milliseconds } = part.stats();
  assert.ok(whole.stats().milliseconds >= milliseconds);
  part.reset();
  assert.deepEqual([part.stats().gpMicros.count, part.stats().gracePeriods, whole.stats().gpMicros.count], [0, 0, 5]);
  assert.deepEqual(part.stats().gpMicros, { count: 0, p50: 0, p99: 0, max: 0 });
});

onEach("completed never passes sequence, and follows it", ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  for (let i = 0; i < 5; i++) {
    const index = reader.readLock();
    updater.startPoll();
    const { sequence, completed } = updater.stats();
    assert.ok(((sequence - completed) | 0) >= 0);
    end(reader, index);
    updater.synchronizeSync();
  }
});
