/**
 * Readers and a writer of the interval map in each other's way at every single access.
 *
 * A writer is held up before each access of an update while another thread looks up every key; and a reader is held up
 * before each access of a lookup while another thread makes whole updates, and has memory reclaimed and used again.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openMap } from "../../check/support/open-map.js";
import { randomOf, seedOf } from "../../check/support/seed.js";
import type { Domain } from "../../src/rcu/domain.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import type { IntervalMap } from "../../src/structures/interval-map.js";
import { u16 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import type { DyingMemory } from "../support/dying-memory.js";
import { flush, SURVIVOR, turn, VICTIM, World } from "../support/world.js";

type Rows = readonly (readonly [lo: number, hi: number, value: number])[];

const UNIVERSE = 96;
const schema = { bounds: "u32", value: utf8 } as const;
const text = (n: number): string => `value ${n} `.repeat(3);

/** What covers each key; entries of a map, key by key. */
function answers(map: IntervalMap<"u32", unknown, unknown>): string[] {
  return Array.from({ length: UNIVERSE }, (_, key) => map.at(key, (view) => `${view.lo} to ${view.hi}: ${String(view.value)}`) ?? "nothing");
}

const updates: readonly { name: string; rows: Rows; run(map: IntervalMap<"u32", string>): unknown }[] = [
  { name: "split", rows: [[0, 90, 1]], run: (m) => m.set(40, 50, text(2)) },
  {
    name: "split by delete",
    rows: [
      [0, 20, 1],
      [21, 80, 2],
      [81, 95, 3],
    ],
    run: (m) => m.delete(40, 50),
  },
  {
    name: "trim both, replace between",
    rows: [
      [0, 20, 1],
      [21, 40, 2],
      [41, 60, 3],
      [61, 95, 4],
    ],
    run: (m) => m.set(30, 70, text(9)),
  },
  {
    name: "join both",
    rows: [
      [0, 20, 1],
      [21, 40, 2],
      [41, 60, 1],
      [61, 95, 4],
    ],
    run: (m) => m.set(21, 40, text(1)),
  },
  { name: "insert with rotations", rows: Array.from({ length: 20 }, (_, i) => [i * 3, i * 3 + 1, i] as const), run: (m) => m.set(70, 71, text(99)) },
  {
    name: "insert with a double rotation",
    rows: [
      [10, 11, 1],
      [50, 51, 2],
      [30, 31, 3],
    ],
    run: (m) => m.set(20, 21, text(4)),
  },
  { name: "delete of many", rows: Array.from({ length: 30 }, (_, i) => [i * 3, i * 3 + 2, i] as const), run: (m) => m.delete(4, 80) },
  {
    name: "load",
    rows: Array.from({ length: 30 }, (_, i) => [i * 3, i * 3 + 2, i] as const),
    run: (m) =>
      m.load([
        [0, 50, text(7)],
        [51, 80, text(8)],
      ]),
  },
  { name: "compact", rows: Array.from({ length: 30 }, (_, i) => [i * 3, i * 3 + 2, i] as const), run: (m) => m.compact() },
  {
    name: "clear",
    rows: [
      [0, 20, 1],
      [21, 40, 2],
      [41, 60, 1],
    ],
    run: (m) => m.clear(),
  },
];

/** A map with rows, whose writer never has to wait for having retired too much: here the reader it would wait for is this very thread. */
function filled(rows: Rows, flavor: FlavorName): { world: World; writer: Domain; map: IntervalMap<"u32", string>; memory: DyingMemory } {
  const world = new World(64, {}, { flavor });
  const memory = world.dying();
  const writer = world.domain(VICTIM, memory, { retireLimit: Number.POSITIVE_INFINITY });
  const map: IntervalMap<"u32", string> = openMap(writer, schema);
  for (const [lo, hi, value] of rows) map.set(lo, hi, text(value));
  flush(writer);
  return { world, writer, map, memory };
}

/** Every key is looked up before each access of the update; all answers of one moment are from before it, or all from after. */
function lookThroughout(flavor: FlavorName, rows: Rows, run: (map: IntervalMap<"u32", string>) => unknown, name: string): void {
  const { world, writer, map, memory } = filled(rows, flavor);
  const reader = world.domain(SURVIVOR);
  const mapOfReader = openMap(reader, schema);
  const look = (): string[] => {
    const all = answers(mapOfReader);
    reader.offline(() => {}); // so that what the writer retires comes back and is used again
    return all;
  };
  const before = look();
  const seen: string[][] = [];
  const entriesSeen: string[] = [];
  memory.hook = () => {
    seen.push(look());
    entriesSeen.push(JSON.stringify([...mapOfReader.entries()]));
    reader.offline(() => {});
  };
  memory.arm();
  run(map);
  memory.hook = undefined;
  const after = look();
  let switched = false;
  for (const [access, all] of seen.entries()) {
    const when = `${name}, before access ${access + 1}`;
    if (!switched) {
      try {
        assert.deepEqual(all, before);
        continue;
      } catch {
        switched = true;
      }
    }
    assert.deepEqual(all, after, when);
  }
  assert.ok(seen.length > 5, `${name}: ${seen.length} accesses are too few to mean anything`);
  assert.ok(new Set(entriesSeen).size <= 2, `${name}: entries() showed ${new Set(entriesSeen).size} states`);
  for (const domain of [writer, reader]) domain.detach();
}

for (const flavor of FLAVORS) {
  for (const { name, rows, run } of updates) {
    test(`${flavor}: every key answers as before or as after at each access of: ${name}`, () => lookThroughout(flavor, rows, run, name));
  }
  test(`${flavor}: every key answers as before or as after at each access of random updates`, () => lookAtRandom(flavor, flavor === "event-loop" ? 60 : 20));
  test(`${flavor}: a lookup held up before any of its accesses gives an answer of before or after, though memory is reclaimed and used again meanwhile`, () =>
    holdUpLookups(flavor, flavor === "event-loop" ? [0, 1, 17, 40, 63, 78, 79, 90] : [0, 40, 79, 90]));
  test(`${flavor}: a reader inside at() keeps what it sees whole, whatever is updated meanwhile`, () => updateInside(flavor));
}

async function lookAtRandom(flavor: FlavorName, rounds: number): Promise<void> {
  const random = randomOf(seedOf(`interleaved lookups, ${flavor}`));
  for (let round = 0; round < rounds; round++) {
    const rows = Array.from({ length: 8 + random(25) }, () => {
      const lo = random(UNIVERSE);
      return [lo, Math.min(UNIVERSE - 1, lo + random(9)), random(4)] as const;
    });
    const lo = random(UNIVERSE);
    const hi = Math.min(UNIVERSE - 1, lo + random(round % 4 === 0 ? 60 : 8));
    const value = text(random(4));
    // What the map holds nowhere else, so that the update is never one that finds nothing to do.
    if (round % 3 === 0) lookThroughout(flavor, rows, (m) => m.set(lo, hi, `${value}!`), `round ${round}`);
    else lookThroughout(flavor, [...rows, [lo, hi, 3]], round % 3 === 1 ? (m) => m.delete(lo, hi) : (m) => m.set(lo, hi, value), `round ${round}`);
    if (round % 20 === 0) await turn();
  }
}

function holdUpLookups(flavor: FlavorName, keys: readonly number[]): void {
  const rows: Rows = Array.from({ length: 40 }, (_, i) => [i * 2, i * 2 + 1, i] as const);
  let lookups = 0;
  let most = 0;
  for (const key of keys) {
    for (let access = 1, held = true; held; access++) {
      const { world, writer, map } = filled(rows, flavor);
      const memory = world.dying();
      const reader = world.domain(SURVIVOR, memory);
      const mapOfReader = openMap(reader, schema);
      const before = mapOfReader.get(key);
      reader.offline(() => {});
      held = false;
      const possible = new Set([before]);
      memory.hook = (now) => {
        if (now !== access) return;
        held = true;
        // Splits, joins, rotations; the key stays covered all the while by one value or the next.
        for (let i = 0; i < 12; i++) {
          if (key < 80) map.set(Math.max(0, key - i * 3), key + i * 3, text(100 + i));
          map.delete(key + 1 + i * 2, key + 3 + i * 2);
          map.set(key + 2, 95, text(200 + i));
          flushIfPossible(writer);
        }
        if (key < 80) for (let i = 0; i < 12; i++) possible.add(text(100 + i));
      };
      memory.arm();
      const answer = mapOfReader.get(key);
      memory.hook = undefined;
      const when = `key ${key}, held up before access ${access}`;
      assert.ok(possible.has(answer), `${when}: ${String(answer)}`);
      assert.ok(key >= 80 || answer !== undefined, `${when}: a covered key was missing`);
      reader.detach();
      assert.deepEqual(map.check(), [], when);
      writer.detach();
      lookups++;
      most = Math.max(most, access);
    }
  }
  assert.ok(lookups > 7 * keys.length && most > 10, `${lookups} lookups, ${most} accesses at most, are too few to mean anything`);
}

/** What can be given back without waiting, is: 64 retires make a long turn look. */
function flushIfPossible(domain: Domain): void {
  for (let i = 0; i < 64; i++) domain.retire(domain.arena.heap.kmalloc(24));
  domain.afterUpdate();
}

function updateInside(flavor: FlavorName): void {
  const { world, writer, map } = filled([[0, 95, 1]], flavor);
  const reader = world.domain(SURVIVOR);
  const mapOfReader = openMap(reader, schema);
  const numbers = openMap(writer, { bounds: "u32", value: u16 }, "numbers");
  const seen = mapOfReader.at(50, (view) => {
    for (let i = 0; i < 40; i++) {
      map.set(i, 95 - i, text(i + 300));
      numbers.set(i * 2, i * 2, i);
      flushIfPossible(writer);
    }
    return [view.lo, view.hi, view.value];
  });
  assert.deepEqual(seen, [0, 95, text(1)]);
  // Once it has left, all of it comes back.
  reader.offline(() => {});
  flush(writer);
  assert.equal(writer.stats().waiting, 0);
  for (const domain of [writer, reader]) domain.detach();
}
