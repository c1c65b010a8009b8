/** Two threads open, and so make, the structure of one name at once: there is one. */

import assert from "node:assert/strict";
import { Directory } from "../../src/shared/directory.js";
import type { Scenario } from "../scenario.js";
import { type Actor, inArena } from "./support.js";

function open(a: Actor): readonly number[] {
  const { header, cache, tag } = new Directory(a.domain).open("routes", "schema", { nodeBytes: 24 });
  a.memory.load(header);
  return [header, cache, tag];
}

export const directory: readonly Scenario[] = [
  inArena({
    name: "two threads open one name",
    threads: [open, open],
    verify: (a, [first, second]) => {
      assert.deepEqual(first, second);
      assert.equal([...new Directory(a.domain).list()].length, 1);
      assert.deepEqual(a.domain.arena.check(), []);
    },
  }),
];
