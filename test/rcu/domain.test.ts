/** The API of a domain: what it refuses, in which order things happen, what its figures say. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, field, NULL } from "../../src/memory/address.js";
import { DoubleFreeError, InvalidAddressError, QuiesceError } from "../../src/memory/errors.js";
import { SlotKind, slotsOfKind } from "../../src/memory/slot.js";
import type { Domain } from "../../src/rcu/domain.js";
import { ContextError } from "../../src/rcu/errors.js";
import { DomainWord, ReaderWord, readerWord } from "../../src/rcu/layout.js";
import { runChild } from "../support/child.js";
import { until } from "../support/each-flavor.js";
import { flush, turn, World } from "../support/world.js";

const context =
  (code: string, says: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof ContextError, String(error));
    assert.equal(error.name, "ContextError");
    assert.equal(error.code, code);
    assert.match(error.message, says);
    return true;
  };

const one = (): Domain => new World().domain(1);

test("read(fn) gives back what fn gives, and ends its section however fn ends", () => {
  const domain = one();
  assert.equal(
    domain.read(() => 42),
    42,
  );
  assert.equal(
    domain.read(() => domain.readLockHeld),
    true,
  );
  assert.equal(domain.readLockHeld, false);
  assert.throws(
    () =>
      domain.read((): number => {
        throw new RangeError("mine");
      }),
    RangeError,
  );
  assert.equal(domain.readLockHeld, false);
  domain.detach();
});

test("a section that gives a promise is a type error, and is refused", () => {
  const domain = one();
  // @ts-expect-error an async function is no section
  assert.throws(() => domain.read(async () => 1), context("ERR_ASYNC_SECTION", /was given an async function/));
  // @ts-expect-error nor is one that gives anything to wait for
  assert.throws(() => domain.read(() => Promise.resolve()), context("ERR_ASYNC_SECTION", /await outside/));
  const thenable = (value: unknown): unknown => Object.fromEntries(["then"].map((name) => [name, value]));
  assert.throws(() => domain.read(() => thenable(() => {})), context("ERR_ASYNC_SECTION", /async/));
  assert.equal(domain.readLockHeld, false);
  assert.deepEqual(
    domain.read(() => thenable(1)),
    thenable(1),
  );
  domain.detach();
});

test("sections nest, and the last unlock ends them", () => {
  const domain = one();
  domain.readLock();
  domain.read(() => domain.read(() => assert.equal(domain.reader.nesting, 3)));
  domain.readLock();
  domain.readUnlock();
  assert.equal(domain.readLockHeld, true);
  domain.readUnlock();
  assert.equal(domain.readLockHeld, false);
  assert.throws(() => domain.readUnlock(), context("ERR_UNBALANCED_UNLOCK", /without a readLock\(\)/));
  assert.equal(domain.reader.nesting, 0);
  domain.detach();
});

test("waiting in a section is refused at once", async () => {
  const domain = one();
  const { sequence } = domain.stats();
  domain.readLock();
  for (const [wait, name] of [
    [() => domain.synchronize(), "synchronize"],
    [() => domain.synchronizeSync(), "synchronizeSync"],
    [() => domain.offline(() => assert.fail("it was run")), "offline"],
    [() => domain.detach(), "detach"],
  ] as const) {
    // Thrown, not a promise that rejects.
    assert.throws(() => void wait(), context("ERR_IN_SECTION", new RegExp(`${name}\\(\\) may wait, and was called in a read-side section`)));
  }
  assert.equal(domain.stats().sequence, sequence, "no grace period was asked for");
  domain.readUnlock();
  domain.synchronizeSync();
  await domain.synchronize();
  domain.detach();
});

test("dereference() only inside a section; assignPointer() publishes", () => {
  const domain = one();
  const pointer = domain.arena.heap.kmalloc(64);
  domain.arena.memory.store(pointer, NULL);
  assert.throws(() => domain.dereference(pointer), context("ERR_NOT_IN_SECTION", /outside a read-side section/));
  const target = domain.arena.heap.kmalloc(64);
  domain.assignPointer(pointer, target);
  assert.equal(
    domain.read(() => domain.dereference(pointer)),
    target,
  );
  domain.detach();
});

test("an object is retired once, and only if it is one", () => {
  const domain = one();
  const { heap } = domain.arena;
  const object = heap.kmalloc(64);
  domain.retire(object);
  assert.throws(
    () => domain.retire(object),
    (error: unknown) => error instanceof DoubleFreeError && error.code === "ERR_DOUBLE_RETIRE" && error.message.includes(`retire of address ${object}`),
  );
  assert.throws(
    () => heap.kfree(object),
    (error: unknown) => error instanceof DoubleFreeError && error.code === "ERR_DOUBLE_FREE",
  );
  const live = heap.kmalloc(64);
  for (const address of [field(live, 1), NULL, 1 as Address, -8 as Address]) assert.throws(() => domain.retire(address), InvalidAddressError);
  const freed = heap.kmalloc(64);
  heap.kfree(freed);
  assert.throws(() => domain.retire(freed), DoubleFreeError);
  assert.equal(domain.stats().waiting, 1);
  flush(domain);
  assert.equal(domain.stats().waiting, 0);
  assert.deepEqual(domain.arena.check(), []);
  domain.detach();
});

test("retired memory comes back by itself after the turn", async () => {
  const domain = one();
  const { heap } = domain.arena;
  for (let i = 0; i < 300; i++) domain.retire(heap.kmalloc(128));
  const block = heap.kmalloc(20_000);
  const free = heap.pages.free;
  domain.retire(block);
  await until(() => domain.stats().waiting === 0, "reclamation");
  assert.ok(heap.pages.free >= free + 8);
  domain.detach();
});

test("callbacks run from the top of the event loop, in order, after every section that was open", async () => {
  const world = new World();
  const [a, b] = [world.domain(1), world.domain(2)];
  const ran: number[] = [];
  const note = (n: number): void => {
    ran.push(n);
  };
  b.readLock();
  for (let i = 0; i < 5; i++) a.call(() => note(i));
  const synchronized = a.synchronize().then(() => note(100));
  assert.deepEqual(ran, []);
  await turn();
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.deepEqual(ran, [], "the other's section is open");
  b.readUnlock();
  b.offline(() => {});
  await until(() => ran.length === 6, "the callbacks");
  assert.deepEqual(
    ran.filter((n) => n < 100),
    [0, 1, 2, 3, 4],
  );
  // Those that are registered by others wait for a grace period of their own.
  a.call(() => a.call(() => note(7)));
  await synchronized;
  await until(() => ran.some((n) => n === 7), "a callback's callback");
  for (const domain of [a, b]) domain.detach();
});

test("a callback that throws is reported as any handler's error, and the others still run", async () => {
  const child = await runChild(`
    import { Shared } from "$SRC/shared/shared.js";
    const shared = Shared.create({ bytes: 2 ** 21 });
    let said = 0;
    const say = (what) => { console.log(what); said++; };
    process.on("uncaughtException", (error) => say("reported " + error.message));
    shared.domain.call(() => say("one"));
    shared.domain.call(() => { throw new Error("mine"); });
    shared.domain.call(() => say("two"));
    while (said < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  `);
  assert.equal(child.stderr, "");
  assert.deepEqual(child.stdout.trim().split("\n").sort(), ["one", "reported mine", "two"]);
});

test("a section left open over its turn warns, and holds reclamation until it ends", async () => {
  const child = await runChild(`
    import { Shared } from "$SRC/shared/shared.js";
    const shared = Shared.create({ bytes: 2 ** 21 });
    const { domain } = shared;
    process.on("warning", (warning) => console.log(warning.name + ": " + warning.message.slice(0, 60)));
    domain.readLock();
    domain.retire(domain.arena.heap.kmalloc(64));
    const tick = () => new Promise((resolve) => setTimeout(resolve, 60));
    await tick();
    console.log("waiting " + domain.stats().waiting + ", online " + domain.stats().slots[0].online);
    domain.readUnlock();
    do await tick();
    while (domain.stats().waiting > 0 || domain.stats().slots[0].online);
    console.log("waiting " + domain.stats().waiting + ", online " + domain.stats().slots[0].online);
  `);
  assert.equal(child.stderr.replace(/\(node:\d+\) .*\n?|\(Use .*\n?/g, ""), "");
  assert.deepEqual(child.stdout.trim().split("\n"), [
    "QuiesceWarning: quiesce: a turn ended inside a read-side section (readLock()",
    "waiting 1, online true",
    "waiting 0, online false",
  ]);
});

test("nothing keeps a process alive: sections, retired memory, callbacks, maps", async () => {
  const child = await runChild(
    `
    import { Shared } from "$SRC/shared/shared.js";
    import { u16 } from "$SRC/values/scalars.js";
    const shared = Shared.create({ bytes: 2 ** 21 });
    const map = shared.intervalMap("map", { bounds: "u32", value: u16 });
    map.set(1, 2, 3);
    map.set(2, 5, 4);
    map.get(2);
    shared.domain.read(() => 1);
    shared.domain.retire(shared.domain.arena.heap.kmalloc(64));
    shared.domain.call(() => {});
    console.log("end of the script");
  `,
  );
  assert.deepEqual([child.code, child.stdout, child.stderr], [0, "end of the script\n", ""]);
});

test("a promise of synchronize() that is pending does keep it alive", async () => {
  const child = await runChild(`
    import { Shared } from "$SRC/shared/shared.js";
    import { Arena } from "$SRC/memory/arena.js";
    import { Domain } from "$SRC/rcu/domain.js";
    import { SharedMemory } from "$SRC/memory/memory.js";
    const shared = Shared.create({ bytes: 2 ** 21 });
    const other = new Domain(new Arena(new SharedMemory(shared.handle.buffer), 12345));
    process.on("warning", () => {});
    other.readLock();
    shared.domain.synchronize().then(() => console.log("resolved"));
    const timer = setTimeout(() => { other.readUnlock(); other.offline(() => {}); }, 50);
  `);
  assert.deepEqual([child.code, child.stdout], [0, "resolved\n"]);
});

test("figures", async () => {
  const world = new World();
  const [a, b] = [world.domain(17), world.domain(18)];
  const before = a.stats();
  assert.deepEqual(
    before.slots.map(({ index, thread, online, waiting }) => [index, thread, online, waiting]),
    [
      [0, 17, false, 0],
      [1, 18, false, 0],
    ],
  );
  assert.deepEqual(before.gpMicros, { count: 0, p50: 0, p99: 0, max: 0 });
  b.readLock();
  a.retire(a.arena.heap.kmalloc(8));
  const during = a.stats();
  assert.deepEqual(
    during.slots.map(({ online, waiting }) => [online, waiting]),
    [
      [false, 1],
      [true, 0],
    ],
  );
  assert.equal(during.waiting, 1);
  b.readUnlock();
  b.offline(() => {});
  a.synchronizeSync();
  await a.synchronize();
  const after = a.stats();
  assert.ok(after.sequence >= before.sequence + 4, "each of the two asked for one");
  assert.ok(after.gracePeriods > before.gracePeriods);
  assert.ok(after.gpMicros.max >= after.gpMicros.p99 * (15 / 16) && after.gpMicros.p99 >= after.gpMicros.p50);
  assert.ok(after.completed <= after.sequence);
  for (const domain of [a, b]) domain.detach();
});

test("who leaves with something in limbo leaves it to the others", () => {
  const world = new World();
  const [a, b, c] = [world.domain(1), world.domain(2), world.domain(3)];
  c.readLock();
  for (let i = 0; i < 20; i++) a.retire(a.arena.heap.kmalloc(100));
  a.detach();
  const departed = (): number => [...slotsOfKind(world.memory, b.arena.layout, SlotKind.DRAINED)].length;
  assert.equal(departed(), 1);
  b.retire(b.arena.heap.kmalloc(8));
  for (let i = 0; i < 70; i++) b.retire(b.arena.heap.kmalloc(8));
  b.afterUpdate();
  assert.equal(departed(), 1, "a section is still open");
  c.readUnlock();
  c.offline(() => {});
  flush(b);
  assert.equal(departed(), 0);
  assert.equal(world.memory.load(field(b.arena.layout.root, DomainWord.REAPING)), 0);
  for (const domain of [b, c]) domain.detach();
});

test("allocate() forces a grace period before it gives up, except in a section", () => {
  const world = new World();
  const domain = world.domain(1);
  const { heap } = domain.arena;
  const all: Address[] = [];
  for (let object = heap.kmalloc(1024); object !== NULL; object = heap.kmalloc(1024)) all.push(object);
  domain.retire(all.pop() as Address);
  assert.notEqual(
    domain.allocate(1024, () => heap.kmalloc(1024)),
    NULL,
    "what was retired came back",
  );
  domain.retire(all.pop() as Address);
  domain.readLock();
  assert.throws(
    () => domain.allocate(1024, () => heap.kmalloc(1024)),
    (error: unknown) => error instanceof QuiesceError && error.code === "ERR_OUT_OF_MEMORY" && /1024 bytes asked for/.test(error.message),
  );
  domain.readUnlock();
  assert.notEqual(
    domain.allocate(1024, () => heap.kmalloc(1024)),
    NULL,
  );
  domain.detach();
});

test("a thread that sleeps for a lock is offline meanwhile", () => {
  const world = new World();
  const [a, b] = [world.domain(1), world.domain(2)];
  a.arena.heap.withArenaLock(() => {
    b.read(() => {});
    const seen = readerWord(b.arena.layout, b.arena.heap.slot.index, 0, ReaderWord.SEEN);
    assert.notEqual(world.memory.load(seen), 0);
    assert.throws(() => b.arena.heap.lockArena(2));
    assert.equal(world.memory.load(seen), 0);
  });
  for (const domain of [a, b]) domain.detach();
});
