/** Shared in one thread: create, attach, open, close. Threads have tests of their own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ArenaFormatError, ArenaOptionsError, ClosedError, QuiesceError, TooManyCachesError } from "../../src/memory/errors.js";
import { ALLOCATORS } from "../../src/memory/layout.js";
import { HandleError, SchemaError } from "../../src/shared/errors.js";
import { Shared, type SharedHandle, type WatchableWorker } from "../../src/shared/shared.js";
import { u16, u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { refusal } from "../support/refusal.js";

const MIB = 2 ** 20;
const ranges = { bounds: "u32", value: u16 } as const;

test("create, use, check, figures, close", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  const before = shared.stats();
  assert.equal(before.bytes.total, 2 * MIB);
  assert.deepEqual([before.threads, before.structures, before.retired.waiting], [1, [], 0]);
  const map = shared.intervalMap("ranges", ranges);
  for (let i = 0; i < 1000; i++) map.set(i * 3, i * 3 + 1, i % 100);
  const after = shared.stats();
  assert.ok(after.bytes.used > before.bytes.used && after.bytes.used < after.bytes.total);
  assert.deepEqual(after.structures, [{ name: "ranges", schema: "intervalMap(u32 -> u16)" }]);
  assert.deepEqual(shared.check(), []);
  shared.close();
});

test("each allocator serves every structure, and another is refused", () => {
  for (const allocator of ALLOCATORS) {
    const shared = Shared.create({ bytes: 2 * MIB, allocator });
    assert.equal(shared.domain.arena.layout.allocator, allocator);
    const map = shared.intervalMap("ranges", ranges);
    for (let i = 0; i < 1000; i++) map.set(i * 3, i * 3 + 1, i % 100);
    for (let i = 0; i < 1000; i += 2) map.delete(i * 3, i * 3 + 1);
    assert.equal(
      map.at(9, ({ value }) => value),
      3,
    );
    assert.deepEqual(shared.check(), []);
    shared.close();
  }
  assert.throws(() => Shared.create({ bytes: 2 * MIB, allocator: "buddy" as never }), ArenaOptionsError);
});

test("attaching twice in a thread gives the same, also by a handle that was posted", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  assert.equal(Shared.attach(shared.handle), shared);
  const posted = structuredClone(shared.handle) as SharedHandle;
  assert.notEqual(posted.buffer, shared.handle.buffer);
  assert.equal(Shared.attach(posted), shared);
  assert.equal(shared.stats().threads, 1);
  const other = Shared.create({ bytes: 2 * MIB });
  assert.notEqual(Shared.attach(other.handle), shared);
  shared.close();
  const again = Shared.attach(posted);
  assert.notEqual(again, shared);
  assert.equal(again.stats().threads, 1);
  assert.equal(Shared.attach(shared.handle), again);
  for (const one of [again, other]) one.close();
});

test("what is stored stays while nobody is attached", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  const { handle } = shared;
  shared.intervalMap("texts", { bounds: "u128", value: utf8 }).set(5n, 9n, "five to nine");
  shared.close();
  const again = Shared.attach(handle);
  const map = again.intervalMap("texts", { bounds: "u128", value: utf8 });
  assert.deepEqual([...map], [[5n, 9n, "five to nine"]]);
  assert.deepEqual(again.check(), []);
  again.close();
});

test("handles and workers that are none are refused", () => {
  for (const handle of [undefined, null, {}, 7, { buffer: new ArrayBuffer(8) }, { buffer: "text" }, new SharedArrayBuffer(8)]) {
    assert.equal(
      refusal(() => Shared.attach(handle as SharedHandle), /takes the `handle` of a Shared/),
      "HandleError ERR_HANDLE",
    );
  }
  assert.throws(
    () => Shared.attach({ buffer: new SharedArrayBuffer(MIB) }),
    (error: unknown) => error instanceof ArenaFormatError && error.code === "ERR_FOREIGN_BUFFER",
  );
  assert.throws(
    () => Shared.create({ bytes: 4096 }),
    (error: unknown) => error instanceof ArenaOptionsError && /bytes must be a whole number from \d+ to/.test(error.message),
  );
  assert.throws(() => Shared.create({ bytes: 2 * MIB, slots: 0 }), ArenaOptionsError);
  const shared = Shared.create({ bytes: 2 * MIB });
  for (const worker of [undefined, null, {}, { threadId: 1 }, { on() {}, off() {} }]) {
    assert.equal(
      refusal(() => shared.watch(worker as unknown as WatchableWorker), /takes a Worker/),
      "HandleError ERR_WORKER",
    );
    assert.throws(() => shared.watch(worker as unknown as WatchableWorker), HandleError);
  }
  shared.close();
});

test("the same name is the same map; another schema is refused and told", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  const map = shared.intervalMap("ranges", ranges);
  assert.equal(shared.intervalMap("ranges", { bounds: "u32", value: u16 }), map);
  for (const schema of [
    { bounds: "u128", value: u16 },
    { bounds: "u32", value: u32 },
    { bounds: "u32", value: utf8 },
    { bounds: "u32", value: struct({ a: u16 }) },
  ] as const) {
    const wanted = `intervalMap(${schema.bounds} -> ${schema.value.name})`.replace(/[(){}>]/g, "\\$&");
    assert.equal(
      refusal(
        () => shared.intervalMap("ranges", schema as never),
        new RegExp(`ranges exists as intervalMap\\(u32 -> u16\\); it cannot be opened as ${wanted}`),
      ),
      "SchemaError ERR_SCHEMA_MISMATCH",
    );
  }
  // The order and the names of fields count.
  shared.intervalMap("records", { bounds: "u32", value: struct({ a: u16, b: u32 }) });
  for (const value of [struct({ b: u32, a: u16 }), struct({ a: u16, c: u32 }), struct({ a: u16 })]) {
    assert.throws(() => shared.intervalMap("records", { bounds: "u32", value: value as never }), SchemaError);
  }
  assert.equal(shared.intervalMap("ranges", ranges), map, "and still open");
  assert.equal(shared.stats().structures.length, 2);
  shared.close();
});

test("schemas that only look alike are told apart, or refused", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  shared.intervalMap("two fields", { bounds: "u32", value: struct({ a: u16, b: u16 }) });
  assert.throws(() => shared.intervalMap("two fields", { bounds: "u32", value: struct({ "a:u16,b": u16 }) as never }), QuiesceError);
  shared.close();
});

test("names that are none are refused; any others are names", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  for (const name of ["", "a\nb", "x".repeat(201), 7, null, undefined]) {
    assert.equal(
      refusal(() => shared.intervalMap(name as string, ranges), /a name is 1 to 200 characters of well-formed text without a line break; got /),
      "SchemaError ERR_NAME",
    );
  }
  for (const name of ["a", "x".repeat(200), "é🙂", " ", "__proto__", "é".repeat(200)]) {
    const map = shared.intervalMap(name, ranges);
    map.set(1, 1, 1);
    assert.equal(shared.intervalMap(name, ranges), map);
  }
  assert.deepEqual(shared.check(), []);
  shared.close();
});

test("more structures than an arena holds are refused, and so is one cache too many", () => {
  const shared = Shared.create({ bytes: 8 * MIB, caches: 200 });
  for (let i = 0; i < 64; i++) shared.intervalMap(`map ${i}`, ranges).set(i, i, i);
  assert.equal(
    refusal(() => shared.intervalMap("map 64", ranges), /at most 64 structures; map 64 would be one more/),
    "SchemaError ERR_TOO_MANY_STRUCTURES",
  );
  for (let i = 0; i < 64; i++) assert.equal(shared.intervalMap(`map ${i}`, ranges).get(i), i);
  assert.deepEqual(shared.check(), []);
  shared.close();

  const few = Shared.create({ bytes: 2 * MIB, caches: 32 });
  for (let i = 0; i < 6; i++) few.intervalMap(`map ${i}`, ranges);
  const { used } = few.stats().bytes;
  for (let i = 0; i < 50; i++) assert.throws(() => few.intervalMap("map 6", ranges), TooManyCachesError);
  assert.equal(few.stats().bytes.used, used, "a failed opening leaves nothing");
  assert.equal(few.stats().structures.length, 6);
  assert.deepEqual(few.check(), []);
  few.close();
});

test("a structure that finds no memory leaves nothing, and can be opened later", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  const { heap } = shared.domain.arena;
  const all: Parameters<typeof heap.kfree>[0][] = [];
  for (const bytes of [4096 * 1024, 65536, 4096, 256, 64, 8]) for (let block = heap.kmalloc(bytes); block !== 0; block = heap.kmalloc(bytes)) all.push(block);
  assert.equal(
    refusal(() => shared.intervalMap("map", ranges), /the arena is full/),
    "OutOfMemoryError ERR_OUT_OF_MEMORY",
  );
  assert.deepEqual(shared.stats().structures, []);
  for (const block of all) heap.kfree(block);
  shared.intervalMap("map", ranges).set(1, 2, 3);
  assert.deepEqual(shared.check(), []);
  shared.close();
});

test("closing: twice is once; use after it is refused; dispose closes", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  const { handle } = shared;
  const map = shared.intervalMap("ranges", ranges);
  map.set(1, 2, 3);
  shared.close();
  shared.close();
  for (const use of [
    () => map.get(1),
    () => map.has(1),
    () => map.at(1, () => 1),
    () => map.set(1, 2, 4),
    () => map.delete(1, 2),
    () => map.clear(),
    () => map.load([]),
    () => map.compact(),
    () => [...map.entries()],
    () => map.check(),
    () => shared.stats(),
    () => shared.check(),
    () => shared.intervalMap("ranges", ranges),
    () => shared.intervalMap("other", ranges),
    () => shared.domain.read(() => 1),
  ]) {
    assert.equal(refusal(use, /was closed in this thread; attach again/), "ClosedError ERR_CLOSED", use.toString());
  }
  assert.throws(() => map.get(1), ClosedError);
  const again = Shared.attach(handle);
  assert.equal(again.intervalMap("ranges", ranges).get(1), 3);
  again[Symbol.dispose]();
  assert.throws(() => again.stats(), ClosedError);
});

test("closing in a section is refused, and it is still open", () => {
  const shared = Shared.create({ bytes: 2 * MIB });
  shared.domain.read(() =>
    assert.equal(
      refusal(() => shared.close(), /in a read-side section/),
      "ContextError ERR_IN_SECTION",
    ),
  );
  assert.equal(shared.stats().threads, 1);
  shared.close();
});

test("slots and memory come back through a thousand rounds of attaching", () => {
  const first = Shared.create({ bytes: 2 * MIB, slots: 2 });
  const { handle } = first;
  first.intervalMap("ranges", ranges).set(0, 1000, 1);
  first.close();
  let used: number | undefined;
  for (let round = 0; round < 1000; round++) {
    const shared = Shared.attach(handle);
    const map = shared.intervalMap("ranges", ranges);
    map.set(round % 7, 500 + (round % 11), 2);
    map.delete(600, 601);
    map.set(0, 1000, 1);
    shared.domain.synchronizeSync();
    if (round === 10) ({ used } = shared.stats().bytes);
    if (round > 10) assert.ok(shared.stats().bytes.used <= (used as number) + 8192, `round ${round}`);
    if (round % 100 === 0) assert.deepEqual(shared.check(), []);
    shared.close();
  }
});

test("the first grace-period sequence may be given, to test the wrap", () => {
  for (const firstSequence of [2 ** 31 - 5, -5, 1]) {
    const shared = Shared.create({ bytes: 2 * MIB, firstSequence });
    const map = shared.intervalMap("ranges", ranges);
    for (let i = 0; i < 50; i++) {
      map.set(i, i + 3, i);
      shared.domain.synchronizeSync();
    }
    assert.equal(shared.stats().gracePeriods >= 50, true);
    assert.deepEqual(shared.check(), []);
    shared.close();
  }
});
