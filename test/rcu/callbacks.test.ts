/** Callbacks on each flavor: when they run, lazily or in a hurry, with a head in the object they are for. */

import assert from "node:assert/strict";
import { LIMIT, within } from "../../check/support/watchdog.js";
import { containerOf, i32, offsetOf, rcuHead, struct, u16 } from "../../src/index.js";
import { type Address, field } from "../../src/memory/address.js";
import { DoubleCallError } from "../../src/rcu/errors.js";
import { end, onEach, settle, until, withSlowClock } from "../support/each-flavor.js";

onEach("call() runs after the sections that were open, in order, never inside the call", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const ran: number[] = [];
  const index = reader.readLock();
  for (const n of [1, 2, 3]) updater.call(() => void ran.push(n));
  assert.deepEqual(ran, []);
  await settle(30);
  assert.deepEqual(ran, []);
  end(reader, index);
  await until(() => ran.length === 3, "the callbacks");
  assert.deepEqual(ran, [1, 2, 3]);
});

onEach("call() may be made in a section and in a callback", async ({ attach }) => {
  const domain = attach();
  let ran = 0;
  domain.read(() => domain.call(() => domain.call(() => ran++)));
  await until(() => ran === 1, "the callback's callback");
});

onEach("a lazy callback is late by itself, and not when a barrier, a hurry or an urgent one comes", async ({ attach }) => {
  const domain = attach();
  let ran = 0;
  const lazy = (): void => domain.call(() => ran++, { lazy: true });
  await withSlowClock(async () => {
    lazy();
    await settle(120);
    assert.equal(ran, 0, "it waits for others to share a grace period with");
    assert.equal(domain.stats().callbacks.next, 1);
    await within(LIMIT, "the barrier", domain.barrier());
    assert.equal(ran, 1, "a barrier flushes it");
    lazy();
    domain.call(() => {}, { hurry: true });
    await until(() => ran === 2, "with one in a hurry");
    lazy();
    domain.call(() => {});
    await until(() => ran === 3, "with an ordinary one");
    domain.call(() => ran++, { lazy: true, hurry: true });
    await until(() => ran === 4, "who is both is in a hurry");
  });
});

onEach("a lazy callback is late however long ago the last one was", async ({ attach }) => {
  const domain = attach();
  let ran = 0;
  domain.call(() => ran++, { lazy: true });
  await domain.barrier();
  const { now } = performance;
  performance.now = () => now.call(performance) + 20_000;
  try {
    domain.call(() => ran++, { lazy: true });
    await settle(50);
    assert.equal(ran, 1);
  } finally {
    performance.now = now;
  }
});

onEach("a barrier hurries a lazy callback of a driver that is busy at that moment", async ({ attach }) => {
  const [a, b] = [attach(), attach()];
  let ran = 0;
  await withSlowClock(async () => {
    a.call(() => a.call(() => ran++, { lazy: true })); // its driver sleeps for grace periods now, and for lateness later
    await within(LIMIT, "the first barrier", b.barrier());
    await within(LIMIT, "the barrier", b.barrier());
    assert.equal(ran, 1);
  });
});

onEach("another thread's barrier flushes lazy callbacks", async ({ attach }) => {
  const [a, b] = [attach(), attach()];
  let ran = 0;
  await withSlowClock(async () => {
    a.call(() => ran++, { lazy: true });
    await settle(20);
    assert.deepEqual((await within(LIMIT, "the barrier", b.barrier())).lost, []);
    assert.equal(ran, 1);
  });
});

onEach("10,000 lazy callbacks are late no more", async ({ attach }) => {
  const domain = attach();
  let ran = 0;
  await withSlowClock(async () => {
    domain.call(() => ran++, { lazy: true });
    await settle(10); // the driver sleeps by now
    for (let i = 0; i < 9998; i++) domain.call(() => ran++, { lazy: true });
    await settle(10);
    assert.equal(ran, 0);
    domain.call(() => ran++, { lazy: true });
    await until(() => ran === 10_000, "all of them");
  });
});

onEach("a hurry asks for its grace period in this very turn", ({ attach }) => {
  const domain = attach();
  domain.call(() => {}, { hurry: true });
  assert.equal(domain.stats().callbacks.next, 0);
  domain.call(() => {});
  assert.equal(domain.stats().callbacks.next, 1, "others wait for the turn's end");
});

const superDuper = struct({ meaning: i32, head: rcuHead, of: i32, life: u16 });

onEach("callHead() gives the head, and containerOf() finds the object", async ({ attach }) => {
  const domain = attach();
  const { heap, memory } = domain.arena;
  const object = heap.kmalloc(superDuper.words * 4);
  superDuper.write(memory, object, { meaning: -1, head: 0, of: 42, life: 23 });
  assert.deepEqual([offsetOf(superDuper, "head"), offsetOf(superDuper, "of"), superDuper.words], [1, 3, 5]);
  const head = field(object, offsetOf(superDuper, "head"));
  let freed: Address | undefined;
  domain.callHead(head, (given) => {
    assert.equal(given, head);
    freed = containerOf(given, superDuper, "head");
    assert.deepEqual(superDuper.read(memory, freed), { meaning: -1, head: 0, of: 42, life: 23 });
    heap.kfree(freed);
  });
  await until(() => freed !== undefined, "the callback");
  assert.equal(freed, object);
  assert.throws(() => containerOf(head, superDuper, "none" as "head"), { code: "ERR_SCHEMA" });
});

onEach("a head is given up once, whichever thread tries; after its callback it may be used again", async ({ attach }) => {
  const [a, b] = [attach(), attach()];
  const { heap, memory } = a.arena;
  const head = heap.kmalloc(8);
  rcuHead.write(memory, head, 0);
  let ran = 0;
  a.callHead(head, () => ran++);
  for (const domain of [a, b])
    assert.throws(
      () => domain.callHead(head, () => ran++),
      (error: unknown) => error instanceof DoubleCallError && error.code === "ERR_DOUBLE_CALL" && error.message.includes(`the head at ${head}`),
    );
  await until(() => ran === 1, "the callback");
  b.callHead(head, () => ran++);
  await until(() => ran === 2, "the next one's");
  heap.kfree(head);
});

onEach("retireSync() waits for the sections, and frees", ({ attach }) => {
  const domain = attach();
  const { heap } = domain.arena;
  const object = heap.kmalloc(64);
  domain.retireSync(object);
  assert.throws(() => domain.retireSync(object), { code: "ERR_DOUBLE_FREE" });
  assert.equal(domain.stats().waiting, 0);
});

onEach("who retires more than its limit has to wait, where waiting makes sense", ({ attach }) => {
  const [reader, updater] = [attach(), attach({ retireLimit: 256 })];
  const { heap } = updater.arena;
  const retire = (count: number): void => {
    for (let i = 0; i < count; i++) updater.retire(heap.kmalloc(128));
  };
  const index = reader.readLock();
  retire(2);
  assert.equal(updater.stats().backPressure, 0);
  retire(2);
  assert.equal(updater.stats().backPressure, 2);
  assert.deepEqual([updater.stats().waiting, updater.stats().waitingBytes], [4, 512]);
  updater.read(() => retire(1));
  assert.equal(updater.stats().backPressure, 2, "not in a section, for which it would wait itself");
  end(reader, index);
  updater.reader.goOffline();
  retire(1);
  assert.deepEqual([updater.stats().waiting, updater.stats().backPressure], [0, 3]);
});

onEach("a flood of retired memory stays within its limit", ({ attach }) => {
  const updater = attach({ retireLimit: 16_384 });
  const { heap } = updater.arena;
  for (let i = 0; i < 2000; i++) {
    const object = heap.kmalloc(128);
    assert.notEqual(object, 0, `${i}: the arena, of ${heap.bytes().total} bytes, is full`);
    updater.retire(object);
    assert.ok(updater.stats().waitingBytes <= 16_384 + 128);
  }
  updater.flushSync(LIMIT);
});
