/** The interval map under a reader: each key has its value from before an update or the one from after it, and is never missing. */

import assert from "node:assert/strict";
import { IntervalMap } from "../../src/structures/interval-map.js";
import { u32 } from "../../src/values/scalars.js";
import type { Scenario } from "../scenario.js";
import { type Actor, inArena, placeOf } from "./support.js";

const SCHEMA = { bounds: "u32", value: u32 } as const;
/** What the scenarios' maps hold. */
export type Map = IntervalMap<"u32", number>;
/** The first cache after kmalloc's. */
export const MAP_CACHE = 26;

/** The map, opened without the directory. */
export const mapOf = (a: Actor): Map => new IntervalMap(placeOf(a, MAP_CACHE), SCHEMA);

interface Update {
  readonly name: string;
  /** Before the update: [lo, hi, value]. */
  readonly before: readonly (readonly [number, number, number])[];
  readonly update: (map: Map) => void;
  /** Keys that the reader looks up, in turn. */
  readonly keys: readonly number[];
}

/** Make the map, before a scenario. */
export function formatMap(a: Actor, ranges: readonly (readonly [number, number, number])[]): void {
  assert.equal(a.heap.createCache("map", 24, { tracked: true }), MAP_CACHE);
  const map = mapOf(a);
  for (const [lo, hi, value] of ranges) map.set(lo, hi, value);
}

function contents(before: Update["before"], update?: (map: Map) => void): (key: number) => number | undefined {
  const cells = new globalThis.Map<number, number>();
  for (const [lo, hi, value] of before) for (let key = lo; key <= hi; key++) cells.set(key, value);
  update?.({
    set: (lo: number, hi: number, value: number) => {
      for (let key = lo; key <= hi; key++) cells.set(key, value);
    },
    delete: (lo: number, hi: number) => {
      for (let key = lo; key <= hi; key++) cells.delete(key);
      return true;
    },
  } as Map);
  return (key) => cells.get(key);
}

function underReader({ name, before, update, keys }: Update): Scenario {
  const old = contents(before);
  const now = contents(before, update);
  return inArena({
    name,
    setup: (writer) => formatMap(writer as Actor, before),
    threads: [
      (a) => {
        const map = mapOf(a);
        update(map);
        a.domain.advance();
      },
      (a) => {
        const map = mapOf(a);
        return a.turn(() => keys.map((key) => map.get(key)));
      },
    ],
    verify: (a, results) => {
      const seen = results[1] as (number | undefined)[];
      let after = false; // an update that was seen stays seen
      for (const [i, key] of keys.entries()) {
        const value = seen[i];
        if (old(key) === now(key)) assert.equal(value, old(key), `key ${key}`);
        else if (value === now(key)) after = true;
        else assert.equal(value, after ? now(key) : old(key), `key ${key}`);
      }
      const map = mapOf(a);
      assert.deepEqual(map.check(), []);
      for (const key of keys) assert.equal(map.get(key), now(key));
    },
  });
}

export const bonsai: readonly Scenario[] = [
  {
    name: "rotation under a reader",
    before: [
      [10, 19, 1],
      [20, 29, 2],
      [30, 39, 3],
    ],
    update: (map: Map) => map.set(40, 49, 4),
    keys: [10, 40, 20, 30],
  },
  {
    name: "double rotation under a reader",
    before: [
      [10, 19, 1],
      [40, 49, 4],
      [20, 29, 2],
    ],
    update: (map: Map) => map.set(30, 39, 3),
    keys: [10, 30, 20, 40],
  },
  {
    name: "interval split under a reader",
    before: [[10, 39, 1]],
    update: (map: Map) => map.set(20, 29, 2),
    keys: [15, 25, 35, 25],
  },
  {
    name: "interval split under a root, under a reader",
    before: [
      [10, 39, 1],
      [50, 59, 2],
      [70, 79, 3],
    ],
    update: (map: Map) => map.delete(20, 29),
    keys: [35, 25, 15, 70],
  },
  {
    name: "join under a reader",
    before: [
      [10, 19, 1],
      [20, 29, 2],
      [30, 39, 1],
    ],
    update: (map: Map) => map.set(20, 29, 1),
    keys: [30, 20, 10],
  },
  {
    name: "delete with two children under a reader",
    before: [
      [10, 19, 1],
      [20, 29, 2],
      [30, 39, 3],
      [40, 49, 4],
      [50, 59, 5],
    ],
    update: (map: Map) => map.delete(20, 29),
    keys: [10, 20, 30, 50],
  },
  {
    name: "delete of the last range under a reader",
    before: [[10, 39, 1]],
    update: (map: Map) => map.delete(10, 39),
    keys: [25, 25],
  },
].map((update) => underReader(update as unknown as Update));
