/** The interval map in an arena that is full: a failed call changes nothing, and after deletion it works again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openMap } from "../../check/support/open-map.js";
import { randomOf, seedOf } from "../../check/support/seed.js";
import { OutOfMemoryError } from "../../src/memory/errors.js";
import type { IntervalMap } from "../../src/structures/interval-map.js";
import type { BoundsTypes } from "../../src/structures/schema.js";
import type { Codec } from "../../src/values/codec.js";
import { u16 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { audit } from "../support/audit.js";
import { flush, World } from "../support/world.js";

function fullTest<B extends keyof BoundsTypes, T>(
  name: string,
  bounds: B,
  codec: Codec<T, T>,
  key: (n: number) => BoundsTypes[B]["key"],
  value: (n: number) => T,
): void {
  test(`filled to the last byte: ${name}`, () => {
    const random = randomOf(seedOf(name));
    const world = new World(0);
    const domain = world.domain(1);
    openMap(domain, { bounds, value: codec });
    flush(domain);
    domain.detach();
    const empty = audit(world);

    const writer = world.domain(1);
    const again: IntervalMap<B, T, T> = openMap(writer, { bounds, value: codec });
    for (let round = 0; round < 2; round++) {
      let failures = 0;
      let n = 0;
      // Many kinds of update fail, each of which takes another number of nodes.
      while (failures < 24) {
        const lo = random(100_000);
        const before = failures > 0 || n % 512 === 0 ? [...again.entries()] : undefined;
        try {
          if (random(5) === 0) again.delete(key(lo), key(lo + 2));
          else again.set(key(lo), key(lo + random(9)), value(n));
          n++;
          assert.ok(n < 200_000, "it never fills");
        } catch (error) {
          assert.ok(error instanceof OutOfMemoryError, String(error));
          assert.equal(error.code, "ERR_OUT_OF_MEMORY");
          assert.equal(error.total, world.memory.words * 4);
          assert.ok(error.requested > 0 && error.free >= 0 && error.free < error.total);
          assert.match(
            error.message,
            new RegExp(`${error.requested} bytes asked for, ${error.free} of ${error.total} bytes in free pages; nothing was changed`),
          );
          failures++;
          if (before !== undefined) assert.deepEqual([...again.entries()], before);
          if (failures % 8 === 0) {
            assert.deepEqual(again.check(), []);
            assert.deepEqual(writer.arena.check(), []);
          }
        }
      }
      const held = [...again.entries()];
      assert.ok(held.length > 500, `only ${held.length}`);
      // A load that does not fit beside what is there.
      assert.throws(() => again.load(held), OutOfMemoryError);
      assert.deepEqual([...again.entries()], held);
      assert.deepEqual(again.check(), []);
      again.clear();
      assert.equal(again.size, 0);
      flush(writer);
    }
    again.set(key(1), key(2), value(3));
    assert.deepEqual(again.get(key(1)), value(3));
    again.clear();
    flush(writer);
    writer.detach();
    assert.deepEqual(audit(world), empty);
  });
}

fullTest(
  "u32 to u16",
  "u32",
  u16,
  (n) => n * 7,
  (n) => n % 65536,
);
fullTest(
  "u128 to utf8",
  "u128",
  utf8,
  (n) => BigInt(n) << 60n,
  (n) => `text ${n} `.repeat(n % 20),
);
