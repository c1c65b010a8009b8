/**
 * Instants between two accesses of one thread at which another does a certain thing: each of these was an error once. (Every instant is tried in
 * map-interleaved.test.ts.)
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { field } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import { SharedMap } from "../../src/structures/map/map.js";
import { MapWord } from "../../src/structures/map/words.js";
import { u32 } from "../../src/values/scalars.js";
import { audit } from "../support/audit.js";
import { onEach } from "../support/each-flavor.js";
import { hold, openSharedMap, placeOf, sorted, tablesOf } from "../support/shared-maps.js";
import { flush, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

type Numbers = SharedMap<number, number>;

const schema = { key: u32, value: u32 } as const;
/** A writer that never has to wait for having retired too much: the reader it would wait for is this very thread. */
const patient = { retireLimit: Number.POSITIVE_INFINITY };
const KEYS = 8;
const numbers = (count: number): [number, number][] => Array.from({ length: count }, (_, key) => [key, key + 1]);

for (const [what, run, expected] of [
  ["a reader finds the key", (map: Numbers) => map.get(5), 6],
  ["a writer replaces it", (map: Numbers) => map.set(5, 6).get(5), 6],
  ["a writer takes it", (map: Numbers) => map.delete(5), true],
] as const) {
  onEach(
    `a bucket is held, let go, and the table begins to grow, between two accesses: ${what}`,
    ({ world, attach }) => {
      const other = attach(patient);
      const memory = world.dying();
      const map = openSharedMap(attach(patient, memory), schema);
      const tables = tablesOf(other, schema);
      for (let access = 1; access <= 60; access++) {
        map.setMany(numbers(KEYS));
        const letGo = hold(other, tables);
        let isHeld = true;
        const letGoAndGrow = (): void => {
          isHeld = false;
          letGo();
          const nesting = other.reader.begin();
          tables.resize(tables.current.bits + 1);
          other.reader.endTo(nesting);
        };
        memory.hook = (now) => {
          if (now === access) letGoAndGrow();
        };
        memory.arm();
        const got = run(map);
        memory.hook = undefined;
        const when = `before access ${access}`;
        if (isHeld) letGoAndGrow();
        assert.equal(got, expected, when);
        assert.deepEqual(
          sorted(map),
          numbers(KEYS).filter(([key]) => key !== 5 || got !== true),
          when,
        );
        assert.deepEqual(map.check(), [], when);
        map.clear();
      }
    },
    { arena: { caches: 64 } },
  );
}

test("clear() and snapshot() of a thread that has not yet seen that the table grew", () => {
  for (const run of [(map: Numbers) => map.clear(), (map: Numbers) => map.check()]) {
    const world = new World(32);
    const [first, second] = [world.domain(SURVIVOR, world.memory, patient), world.domain(THIRD, world.memory, patient)] as const;
    const map = openSharedMap(first, schema);
    map.set(1, 1);
    const others = openSharedMap(second, schema);
    for (const [key, value] of numbers(200)) others.set(key, value);
    assert.ok(others.buckets > 4);
    run(map);
    assert.deepEqual(others.check(), []);
    first.detach();
    second.detach();
  }
});

test("of two threads that make the table, one dies at each access while the other is before each of its own", async () => {
  const world = new World(16);
  const domain = world.domain(SURVIVOR);
  placeOf(domain, schema, "map");
  domain.detach();
  const start = audit(world);
  world.snapshot();
  let deaths = 0;
  let isAlive = false;
  let isReached = true;
  for (let before = 1; isReached; before++) {
    isAlive = false;
    for (let access = 1 + (before % 3); !isAlive; access += 3) {
      world.restore();
      const [memory, mortal] = [world.dying(), world.dying()];
      const domain = world.domain(SURVIVOR, memory);
      const place = placeOf(domain, schema, "map");
      const victim = placeOf(world.domain(VICTIM, mortal), schema, "map");
      isReached = false;
      memory.hook = (now) => {
        if (now !== before) return;
        isReached = true;
        memory.hook = undefined;
        isAlive = true;
        // Else the other would wait for this very thread.
        if ([Header.ARENA_LOCK, field(place.header, MapWord.LOCK)].some((lock) => world.memory.load(lock) !== 0)) return;
        mortal.arm(access);
        isAlive = !mortal.run(() => new SharedMap(victim, schema).set(1, 2));
        mortal.kill();
        domain.reap(VICTIM, 0);
      };
      memory.arm();
      const map = new SharedMap(place, schema);
      memory.hook = undefined;
      if (!isReached) break;
      const when = `death before access ${access} (${mortal.last}), before access ${before}`;
      domain.reap(VICTIM, 0);
      map.set(3, 4);
      assert.equal(map.get(3), 4, when);
      map.delete(1);
      assert.deepEqual(sorted(map.snapshot()), [[3, 4]], when);
      map.clear();
      assert.deepEqual(map.check(), [], when);
      flush(domain);
      assert.deepEqual(domain.arena.check(), [], when);
      domain.detach();
      if (++deaths % 100 === 0) await turn();
    }
  }
  assert.ok(deaths > 200, `${deaths} deaths are too few to mean anything`);
  world.restore();
  assert.deepEqual(audit(world), start);
});
