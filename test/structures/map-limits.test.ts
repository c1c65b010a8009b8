/** Entries that expire, and maps of at most so many entries: the clock is the test's own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SharedMap } from "../../src/structures/map/map.js";
import { u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { onEach } from "../support/each-flavor.js";
import { inUse, isAsAtStart, openSharedMap, sorted } from "../support/shared-maps.js";
import { flush, reapAll, SURVIVOR, turn, VICTIM, World } from "../support/world.js";

const patient = { retireLimit: Number.POSITIVE_INFINITY };
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const START = 1_700_000_000_000;
const TTL = 10_000;
/** What the clock may be coarse by. */
const COARSE = 1100;

test("an entry is there until its time is over, and then is not, for every way to ask", () => {
  let time = START;
  const world = new World(40);
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const map = openSharedMap(domain, { key: u32, value: utf8, ttl: TTL }, { now: () => time });
  map.set(1, "a");
  map.set(2, "b", { ttl: 3 * TTL });
  map.set(3, "c", { ttl: 1 });
  time += TTL - 1;
  assert.deepEqual(sorted(map), [
    [1, "a"],
    [2, "b"],
  ]);
  const version = map.getVersion(1);
  time += COARSE;
  assert.equal(map.get(1), undefined);
  assert.equal(map.getCopy(1), undefined);
  assert.equal(map.has(1), false);
  assert.equal(map.getVersion(1), 0);
  assert.equal(
    map.read(1, () => 1),
    undefined,
  );
  assert.deepEqual([...map], [[2, "b"]]);
  assert.deepEqual([...map.snapshot()], [[2, "b"]]);
  assert.equal(map.delete(1), false, "it was not there");
  assert.equal(map.compareAndDelete(1, version), false);
  assert.equal(map.compareAndSet(1, version, "x"), false);
  assert.equal(
    map.update(1, (value) => value ?? "new"),
    "new",
  );
  assert.equal(map.setIfAbsent(1, "other"), false);
  assert.notEqual(map.getVersion(1), version);
  assert.equal(map.setIfAbsent(3, "again"), true);
  time += TTL - COARSE;
  map.set(2, "longer", { ttl: TTL });
  time += TTL - 1;
  assert.deepEqual(sorted(map), [[2, "longer"]]);
  assert.deepEqual(map.check(), []);
  domain.detach();
});

test("what has expired is swept as others come, and its memory comes back", () => {
  let time = START;
  const world = new World(200, { caches: 48 });
  const attach = () => world.domain(SURVIVOR, world.memory, patient);
  const first = attach();
  const schema = { key: u32, value: utf8, ttl: TTL };
  openSharedMap(first, schema, { now: () => time });
  flush(first);
  first.detach();
  const start = inUse(world);
  const domain = attach();
  const map = openSharedMap(domain, schema, { now: () => time });
  let most = 0;
  // A hundred at a time are not expired.
  for (const n of range(0, 4000)) {
    time += TTL / 100;
    map.set(n, `value ${n}`);
    most = Math.max(most, map.size);
    if (n % 100 === 0) flush(domain);
  }
  assert.ok(most < 600, `${most} entries were held, of which 100 had not expired`);
  for (const n of range(3950, 4000)) assert.equal(map.get(n), `value ${n}`);
  assert.deepEqual(map.check(), []);
  map.clear();
  flush(domain);
  domain.detach();
  isAsAtStart(world, start);
});

/** So many entries as are allowed, of which those below `hot` are read again and again while others come. */
function evict(map: SharedMap<number, number>, limit: number, hot: number): void {
  for (const key of range(0, limit)) map.set(key, key);
  assert.equal(map.size, limit);
  for (const key of range(limit, 6 * limit)) {
    map.set(key, key);
    assert.ok(map.size <= limit, `${map.size} entries of at most ${limit}`);
    for (const other of range(0, hot)) map.get(other);
  }
}

for (const limit of [16, 100, 1000]) {
  test(`at most ${limit} entries: what is read stays, what is not goes`, () => {
    const world = new World(200, { caches: 48 });
    const domain = world.domain(SURVIVOR, world.memory, patient);
    const map = openSharedMap(domain, { key: u32, value: u32, maxEntries: limit });
    const hot = Math.min(20, limit >> 2);
    evict(map, limit, hot);
    const kept = range(0, hot).filter((key) => map.has(key)).length;
    assert.ok(kept >= hot * 0.7, `${kept} of the ${hot} that were read all the while are left`);
    const cold = range(hot, limit).filter((key) => map.has(key)).length;
    assert.ok(cold < (limit - hot) / 4, `${cold} that nobody read are left`);
    assert.deepEqual(map.check(), []);
    domain.detach();
  });
}

test("updates of keys that are there evict nothing; setMany of more than fit leaves as many as fit", () => {
  const world = new World(100, { caches: 48 });
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const map = openSharedMap(domain, { key: u32, value: u32, maxEntries: 50 });
  map.setMany(range(0, 50).map((key) => [key, key] as const));
  for (const key of range(0, 50)) map.set(key, key + 1);
  assert.deepEqual(
    sorted(map),
    range(0, 50).map((key) => [key, key + 1]),
  );
  map.setMany(range(100, 300).map((key) => [key, key] as const));
  assert.ok(map.size <= 50 && map.size >= 40, `${map.size}`);
  assert.deepEqual(map.check(), []);
  domain.detach();
});

onEach(
  "a reader writes once when the entry was not read since the hand came by, and not at all after that",
  ({ world, attach }) => {
    const writer = attach(patient);
    const limit = 40;
    const schema = { key: u32, value: u32, maxEntries: limit };
    const map = openSharedMap(writer, schema);
    for (const key of range(0, 3 * limit)) map.set(key, key);
    const memory = world.dying();
    const reader = openSharedMap(attach(patient, memory), schema);
    for (const key of map.keys()) {
      reader.get(key); // attaches, finds the table, and sets the bit if it was unset
      const writes: string[] = [];
      memory.hook = () => {
        if (!/^(load|read|store) /.test(memory.last)) writes.push(memory.last); // the phase flavor stores into its own line that it reads
      };
      assert.equal(reader.get(key), key);
      memory.hook = undefined;
      assert.deepEqual(writes, []);
    }
  },
  { arena: { caches: 48 } },
);

test("a thread dies at each access of a set that evicts", async () => {
  const world = new World(40, { caches: 48 });
  const schema = { key: u32, value: utf8, maxEntries: 12 };
  const attach = (memory = world.memory as Parameters<World["domain"]>[1]) => world.domain(SURVIVOR, memory, patient);
  const first = attach();
  openSharedMap(first, schema);
  flush(first);
  first.detach();
  const start = inUse(world);
  const builder = attach();
  const built = openSharedMap(builder, schema);
  for (const key of range(0, 12)) built.set(key, "value ".repeat(key));
  flush(builder);
  builder.detach();
  world.snapshot();
  for (let access = 1, isAlive = false; !isAlive; access++) {
    world.restore();
    const memory = world.dying();
    const victim = openSharedMap(world.domain(VICTIM, memory, patient), schema);
    memory.arm(access);
    isAlive = !memory.run(() => victim.set(50, "new"));
    memory.kill();
    const when = `death before access ${access} (${memory.last})`;
    const survivor = attach();
    reapAll([VICTIM], (thread, timeout) => survivor.reap(thread, timeout));
    const map = openSharedMap(survivor, schema);
    assert.equal(map.size, [...map].length, when);
    assert.ok(map.size >= 12 && map.size <= 13, `${when}: ${map.size}`);
    map.set(60, "another");
    assert.ok(map.size <= 13, when);
    assert.deepEqual(map.check(), [], when);
    map.clear();
    flush(survivor);
    survivor.detach();
    isAsAtStart(world, start, when);
    if (access % 200 === 0) await turn();
  }
});
