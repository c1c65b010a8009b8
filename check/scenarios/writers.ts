/** Writers of one interval map: two at once, and one that is killed, whom the next makes good. */

import assert from "node:assert/strict";
import type { Scenario } from "../scenario.js";
import { formatMap, mapOf } from "./bonsai.js";
import { afterDeath, mortal } from "./death.js";
import { type Actor, inArena, whole } from "./support.js";

const RANGES = [
  [10, 39, 1],
  [50, 59, 2],
  [60, 69, 3],
] as const;

const format = (a: Actor): void => formatMap(a, RANGES);

export const writers: readonly Scenario[] = [
  inArena({
    name: "two writers of a map",
    setup: format,
    threads: [(a) => mapOf(a).set(20, 29, 4), (a) => mapOf(a).delete(35, 55)],
    verify: (a) => {
      const map = mapOf(a);
      assert.deepEqual(map.check(), []);
      assert.deepEqual(
        [...map],
        [
          [10, 19, 1],
          [20, 29, 4],
          [30, 34, 1],
          [56, 59, 2],
          [60, 69, 3],
        ],
      );
      whole(a);
    },
  }),
  inArena({
    name: "two writers delete one range",
    setup: format,
    threads: [(a) => mapOf(a).delete(50, 59), (a) => mapOf(a).delete(50, 59)],
    verify: (a, results) => {
      assert.equal(results.filter(Boolean).length, 1, "exactly one deleted it");
      assert.deepEqual(mapOf(a).check(), []);
      whole(a);
    },
  }),
  inArena({
    name: "a writer is killed, and the next recovers",
    setup: format,
    threads: [(a) => mortal(a, (victim) => mapOf(victim).set(20, 55, 4)), afterDeath((a) => mapOf(a).set(90, 99, 5))],
    verify: (a) => {
      const map = mapOf(a);
      const seen = [map.get(15), map.get(25), map.get(35), map.get(52), map.get(57), map.get(65), map.get(95)];
      assert.deepEqual(seen, map.get(25) === 1 ? [1, 1, 1, 2, 2, 3, 5] : [1, 4, 4, 4, 2, 3, 5]);
      assert.deepEqual(map.check(), []);
      whole(a);
    },
  }),
  inArena({
    name: "a writer is killed below the root, and the next looks",
    setup: format,
    threads: [
      (a) => mortal(a, (victim) => mapOf(victim).set(80, 89, 4)),
      afterDeath((a) => mapOf(a).check()), // sizes are what a death leaves behind
    ],
    verify: (a, [, violations]) => {
      assert.deepEqual(violations, []);
      const map = mapOf(a);
      assert.deepEqual([map.get(60), map.get(10)], [3, 1]);
    },
  }),
  inArena({
    name: "a reader sees nothing of a writer's death",
    setup: format,
    threads: [
      (a) => mortal(a, (victim) => mapOf(victim).set(20, 55, 4)),
      afterDeath(),
      (a) => {
        const map = mapOf(a);
        return a.turn(() => [map.get(25), map.get(65), map.get(52)]);
      },
    ],
    verify: (_, [, , seen]) => {
      const [first, untouched, last] = seen as number[];
      assert.equal(untouched, 3);
      assert.ok(first === 1 ? last === 2 || last === 4 : first === 4 && last === 4, `saw ${first}, then ${last}`);
    },
  }),
];
