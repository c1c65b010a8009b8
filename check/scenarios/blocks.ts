/** A map whose values stand in blocks of their own: a range that is trimmed keeps its block, one that is split copies it. */

import assert from "node:assert/strict";
import { IntervalMap } from "../../src/structures/interval-map.js";
import { utf8 } from "../../src/values/utf8.js";
import type { Scenario } from "../scenario.js";
import { MAP_CACHE } from "./bonsai.js";
import { type Actor, inArena, placeOf, whole } from "./support.js";

type TextMap = IntervalMap<"u32", string>;

const mapOf = (a: Actor): TextMap => new IntervalMap(placeOf(a, MAP_CACHE), { bounds: "u32", value: utf8 });

function under(name: string, update: (map: TextMap) => void, key: number, after: string | undefined): Scenario {
  return inArena({
    name,
    setup: (writer) => {
      assert.equal(writer?.heap.createCache("map", 24, { tracked: true }), MAP_CACHE);
      mapOf(writer).set(10, 39, "old");
    },
    threads: [
      (a) => {
        update(mapOf(a));
        a.domain.flushSync(1);
        a.heap.kmalloc(8); // what was freed is somebody else's
      },
      (a) => {
        const map = mapOf(a);
        return a.turn(() => [map.get(15), map.get(key)]);
      },
    ],
    verify: (a, [, seen]) => {
      const [kept, changed] = seen as (string | undefined)[];
      assert.equal(kept, "old");
      assert.ok(changed === "old" || changed === after, `saw ${changed}`);
      const map = mapOf(a);
      assert.deepEqual(map.check(), []);
      assert.deepEqual([map.get(15), map.get(key)], ["old", after]);
      whole(a);
    },
  });
}

export const blocks: readonly Scenario[] = [
  under("a trimmed range keeps its block, under a reader", (map) => map.delete(30, 39), 35, undefined),
  under("a split range copies its block, under a reader", (map) => map.set(20, 29, "new"), 25, "new"),
];
