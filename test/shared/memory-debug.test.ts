/** `debugMemory` of a shared memory: the library's own structures are clean, and what a program damages is told with names. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomOf, seedOf } from "../../check/support/seed.js";
import { type MemoryReport, Shared, struct, u16, u32, utf8 } from "../../src/index.js";
import { type Address, field } from "../../src/memory/index.js";

const FLAVORS = ["event-loop", "phase", "tree"] as const;

for (const flavor of FLAVORS) {
  test(`${flavor}: maps that change, grow, are loaded and compacted, are clean`, async () => {
    const reports: MemoryReport[] = [];
    const shared = Shared.create({ bytes: 16 * 2 ** 20, flavor, debugMemory: true, onMemoryReport: (report) => reports.push(report) });
    const random = randomOf(seedOf("debug maps"));
    const numbers = shared.intervalMap("numbers", { bounds: "u32", value: struct({ a: u16, b: u32 }) });
    const texts = shared.intervalMap("texts", { bounds: "u32", value: utf8 });
    numbers.load(Array.from({ length: 300 }, (_, i) => [i * 10, i * 10 + 4, { a: i, b: i }] as const));
    for (let i = 0; i < 400; i++) {
      const lo = random(5000);
      const hi = lo + random(40);
      numbers.set(lo, hi, { a: i, b: i });
      texts.set(lo, hi, "x".repeat(random(40)));
      if (i % 3 === 0) texts.delete(lo, hi);
      numbers.get(random(5000));
      texts.get(random(5000));
      if (i % 50 === 0) await shared.domain.synchronize();
    }
    numbers.compact();
    texts.clear();
    await shared.domain.barrier();
    const debug = shared.domain.arena.heap.debug;
    assert.deepEqual(shared.check(), []);
    assert.deepEqual(reports, []);
    // All that is live was taken by this test.
    assert.ok(
      debug?.leaks().some(({ stack }) => stack?.includes("memory-debug.test")),
      debug?.leakTable(),
    );
    shared.close();
  });
}

test("who, by name, wrote where it should not: what is found in the middle of a retirement is told after it", async () => {
  const reports: MemoryReport[] = [];
  const shared = Shared.create({ bytes: 4 * 2 ** 20, name: "writer", debugMemory: true, onMemoryReport: (report) => reports.push(report) });
  const { heap, memory } = shared.domain.arena;
  if (heap.debug !== undefined) heap.debug.warns = false;
  const object = heap.kmalloc(40);
  memory.write(field(object, 10), 1);
  shared.domain.retire(object);
  assert.equal(reports.length, 0);
  await shared.domain.synchronize();
  assert.deepEqual(
    reports.map(({ fault, during }) => [fault, during]),
    [["red-zone-right", "retire"]],
  );
  assert.match(reports[0]?.message ?? "", /by thread \d+ "writer" at/);
  assert.throws(() => shared.domain.retire(object), /allocated[\s\S]*"writer"[\s\S]*freed[\s\S]*"writer"/);
  shared.close();
});

test("debug alone does not switch it on; an attached thread needs no option", () => {
  const shared = Shared.create({ bytes: 4 * 2 ** 20, debug: true });
  assert.equal(shared.domain.arena.heap.debug, undefined);
  shared.close();
  const guarded = Shared.create({ bytes: 4 * 2 ** 20, debugMemory: true });
  assert.equal(Shared.attach(guarded.handle), guarded);
  assert.ok(guarded.domain.arena.layout.debugMemory);
  const object = guarded.domain.arena.heap.kmalloc(8);
  guarded.domain.arena.heap.kfree(object as Address, 8);
  guarded.close();
});
