/**
 * A writer of a shared.map dies at every single access of an update; another thread reaps it and goes on.
 *
 * After each death the entries are those before the call or those after it, the size is exact, check() finds nothing, and once all is cleared and
 * drained the arena holds as much as with an empty map.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Memory } from "../../src/memory/memory.js";
import type { Domain } from "../../src/rcu/domain.js";
import type { SharedMap } from "../../src/structures/map/map.js";
import type { MapSchema } from "../../src/structures/map/schema.js";
import { u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { type InUse, inUse, isAsAtStart, openSharedMap, sorted, tablesOf } from "../support/shared-maps.js";
import { flush, reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

type Update<K, T> = (map: SharedMap<K, T>, domain: Domain) => void;

/** Kinds of maps; numbers stand for keys and values. */
interface Kind<K, T> {
  readonly name: string;
  readonly schema: MapSchema<K, T>;
  keyOf(n: number): K;
  valueOf(n: number): T;
}

const words: Kind<number, number> = { name: "u32 to u32", schema: { key: u32, value: u32 }, keyOf: (n) => n * 7, valueOf: (n) => n };
/** Values of all sizes: words, and pages of their own. */
const texts: Kind<string, string> = {
  name: "utf8 to utf8",
  schema: { key: utf8, value: utf8 },
  keyOf: (n) => `key ${n}`,
  valueOf: (n) => (n === 13 ? "x".repeat(9000) : `value ${n} `.repeat(n % 5)),
};

interface Shape {
  readonly name: string;
  /** Keys that are there before; each is its own value. */
  readonly keys: number;
  readonly prepare?: Update<unknown, unknown>;
  readonly update: <K, T>(map: SharedMap<K, T>, kind: Kind<K, T>, domain: Domain) => void;
  /** What a dead writer may have left besides before and after. */
  readonly isEach?: boolean;
}

/** Begin to move entries to a table of more (or fewer) buckets; nothing is moved yet. */
const beginResize =
  (more: number): Update<unknown, unknown> =>
  (map, domain) => {
    const tables = tablesOf(domain, schemas.get(map) as MapSchema<unknown, unknown>);
    const nesting = domain.reader.begin();
    tables.resize(tables.current.bits + more);
    domain.reader.endTo(nesting);
  };
const schemas = new WeakMap<object, MapSchema<unknown, unknown>>();

const growTo =
  (buckets: number): Update<unknown, unknown> =>
  (map) => {
    // The table is made larger for many, and what they were is taken again.
    const kind = kindsOf.get(map) as Kind<unknown, unknown>;
    map.setMany(Array.from({ length: buckets * 2 }, (_, n) => [kind.keyOf(1000 + n), kind.valueOf(1)] as const));
    for (let n = 0; n < buckets * 2 - 4; n++) map.compareAndDelete(kind.keyOf(1000 + n), map.getVersion(kind.keyOf(1000 + n)));
  };
const kindsOf = new WeakMap<object, Kind<unknown, unknown>>();

const shapes: readonly Shape[] = [
  { name: "the first entry", keys: 0, update: (m, k) => m.set(k.keyOf(1), k.valueOf(3)) },
  { name: "a new entry", keys: 9, update: (m, k) => m.set(k.keyOf(13), k.valueOf(13)) },
  { name: "another value", keys: 9, update: (m, k) => m.set(k.keyOf(4), k.valueOf(13)) },
  { name: "delete", keys: 14, update: (m, k) => m.delete(k.keyOf(13)) },
  { name: "delete of the only one", keys: 1, update: (m, k) => m.delete(k.keyOf(0)) },
  { name: "update()", keys: 9, update: (m, k) => m.update(k.keyOf(4), () => k.valueOf(8)) },
  { name: "update() that deletes", keys: 9, update: (m, k) => m.update(k.keyOf(4), () => undefined) },
  { name: "set while the table grows", keys: 11, prepare: beginResize(1), update: (m, k) => m.set(k.keyOf(4), k.valueOf(8)) },
  { name: "delete while the table grows a lot", keys: 11, prepare: beginResize(3), update: (m, k) => m.delete(k.keyOf(4)) },
  { name: "a new entry while the table shrinks", keys: 5, prepare: growTo(8), update: (m, k) => m.set(k.keyOf(21), k.valueOf(8)) },
  {
    name: "delete while the table shrinks",
    keys: 7,
    prepare: (map, domain) => {
      growTo(16)(map, domain);
      beginResize(-1)(map, domain);
    },
    update: (m, k) => m.delete(k.keyOf(4)),
  },
  { name: "clear", keys: 14, update: (m) => m.clear() },
  { name: "clear while the table grows", keys: 11, prepare: beginResize(1), update: (m) => m.clear() },
  { name: "check(), which holds the map", keys: 9, update: (m) => assert.deepEqual(m.check(), []) },
  { name: "check() while the table grows", keys: 9, prepare: beginResize(2), update: (m) => assert.deepEqual(m.check(), []) },
  { name: "setMany", keys: 3, isEach: true, update: (m, k) => m.setMany([20, 21, 22, 23, 24, 25, 26, 27, 28, 29].map((n) => [k.keyOf(n), k.valueOf(n)])) },
];

interface Prepared<K, T> {
  readonly world: World;
  readonly before: readonly unknown[];
  readonly after: readonly unknown[];
  readonly empty: InUse;
  readonly kind: Kind<K, T>;
  open(domain: Domain): SharedMap<K, T>;
}

const patient = { retireLimit: Number.POSITIVE_INFINITY };

function prepare<K, T>(kind: Kind<K, T>, shape: Shape): Prepared<K, T> {
  const world = new World(40, { caches: 48 });
  const open = (domain: Domain): SharedMap<K, T> => {
    const map = openSharedMap(domain, kind.schema);
    schemas.set(map, kind.schema as MapSchema<unknown, unknown>);
    kindsOf.set(map, kind as unknown as Kind<unknown, unknown>);
    return map;
  };
  const attach = (memory: Memory = world.memory): Domain => world.domain(SURVIVOR, memory, patient);
  const first = attach();
  open(first);
  flush(first);
  first.detach();
  const empty = inUse(world);

  const builder = attach();
  const map = open(builder);
  for (let n = 0; n < shape.keys; n++) map.set(kind.keyOf(n), kind.valueOf(n));
  flush(builder);
  shape.prepare?.(map as unknown as SharedMap<unknown, unknown>, builder);
  const before = sorted(map);
  builder.detach();
  world.snapshot();

  const updater = attach();
  const updated = open(updater);
  shape.update(updated, kind, updater);
  const after = sorted(updated);
  assert.deepEqual(updated.check(), []);
  updater.detach();
  return { world, before, after, empty, kind, open };
}

function isEither<K, T>(map: SharedMap<K, T>, { before, after }: Prepared<K, T>, isEach: boolean, when: string): void {
  const now = sorted(map);
  assert.equal(map.size, now.length, `${when}: its size`);
  if (isEach) {
    // Each for itself.
    for (const entry of before)
      assert.ok(
        now.some((other) => String(other) === String(entry)),
        `${when}: ${String(entry)} is missing`,
      );
    for (const entry of now)
      assert.ok(
        after.some((other) => String(other) === String(entry)),
        `${when}: ${String(entry)}`,
      );
    return;
  }
  if (JSON.stringify(now) !== JSON.stringify(before)) assert.deepEqual(now, after, `${when}: neither as before nor as after`);
}

/** What must hold after the dead are known to be dead. */
function settle<K, T>(prepared: Prepared<K, T>, dead: readonly number[], isEach: boolean, when: string): void {
  const { world, kind, empty, open } = prepared;
  const survivor = world.domain(SURVIVOR, world.memory, patient);
  reapAll(dead, (thread, timeout) => survivor.reap(thread, timeout));
  const map = open(survivor);
  isEither(map, prepared, isEach, when);
  const [key, value] = [kind.keyOf(500), kind.valueOf(2)];
  map.set(key, value);
  assert.deepEqual(map.get(key), value, when);
  assert.equal(map.delete(key), true, when);
  flush(survivor);
  assert.deepEqual(map.check(), [], when);
  isEither(map, prepared, isEach, `${when}, mended`);
  assert.deepEqual(survivor.arena.check(), [], when);
  map.clear();
  assert.equal(map.size, 0, when);
  flush(survivor);
  assert.deepEqual(map.check(), [], `${when}, cleared`);
  survivor.detach();
  isAsAtStart(world, empty, when);
}

async function dieEverywhere<K, T>(kind: Kind<K, T>, shape: Shape): Promise<number> {
  const prepared = prepare(kind, shape);
  const { world, open } = prepared;
  for (let access = 1; ; access++) {
    world.restore();
    const memory = world.dying();
    const victim = world.domain(VICTIM, memory, patient);
    const map = open(victim);
    memory.arm(access);
    const died = memory.run(() => shape.update(map, kind, victim));
    const when = `death before access ${access} (${memory.last})`;
    memory.kill();
    settle(prepared, [VICTIM], shape.isEach === true, when);
    if (access % 200 === 0) await turn();
    if (!died) return access - 1;
  }
}

for (const shape of shapes) {
  test(`a writer dies at each access: ${shape.name}, ${words.name}`, async () => assert.ok((await dieEverywhere(words, shape)) > 20));
  // Their values make no difference to those that only hold the map.
  if (!shape.name.startsWith("check()"))
    test(`a writer dies at each access: ${shape.name}, ${texts.name}`, async () => assert.ok((await dieEverywhere(texts, shape)) > 20));
}

test("the reaper of a dead writer dies too, and a third thread finishes", async () => {
  let deaths = 0;
  for (const [name, step, secondStep] of [
    ["another value", 17, 29],
    ["delete", 17, 29],
    ["delete while the table grows a lot", 37, 53],
    ["clear", 97, 41],
  ] as const) {
    const shape = shapes.find((s) => s.name === name) as Shape;
    const prepared = prepare(texts, shape);
    const { world, open } = prepared;
    for (let access = 40, isAlive = false; !isAlive; access += step) {
      for (let second = 1; ; second += secondStep) {
        world.restore();
        const memory = world.dying();
        const victim = world.domain(VICTIM, memory, patient);
        const map = open(victim);
        memory.arm(access);
        isAlive = !memory.run(() => shape.update(map, texts, victim));
        memory.kill();
        const memory2 = world.dying();
        const next = world.domain(THIRD, memory2, patient);
        memory2.arm(second);
        const died = memory2.run(() => void next.reap(VICTIM, 0));
        const when = `${name}: death before access ${access} (${memory.last}), the reaper's before ${second} (${memory2.last})`;
        memory2.kill();
        settle(prepared, [THIRD, VICTIM], false, when);
        if (++deaths % 100 === 0) await turn();
        if (!died) break;
      }
    }
  }
  assert.ok(deaths > 200, `${deaths} deaths are too few to mean anything`);
});
