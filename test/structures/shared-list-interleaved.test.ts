/** first() and last(), held up before every access while another thread does two updates: they give what was the first or the last at some instant meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ListRef } from "../../src/structures/list/elements.js";
import type { SharedList } from "../../src/structures/list/shared-list.js";
import { u32 } from "../../src/values/scalars.js";
import { openList } from "../support/shared-lists.js";
import { turn, World } from "../support/world.js";

const updates: readonly ((list: SharedList<number>, value: number, refs: readonly ListRef[]) => void)[] = [
  (list, value) => void list.unshift(value),
  (list, value) => void list.push(value),
  (list, value, [oldest]) => void list.replace(oldest as ListRef, value),
  (list, value, refs) => void list.replace(refs.at(-1) as ListRef, value),
  (list, _, [oldest]) => void list.remove(oldest as ListRef),
  (list, _, refs) => void list.remove(refs.at(-1) as ListRef),
  (list) => list.clear(),
];

for (const end of ["first", "last"] as const) {
  for (const size of [1, 2]) {
    test(`${end}() of ${size} while another thread updates`, async () => {
      const world = new World(16);
      const maker = world.domain(2);
      const made = openList(maker, u32);
      const refs = Array.from({ length: size }, (_, i) => made.push(i));
      maker.detach();
      world.snapshot();
      let runs = 0;
      for (const one of updates) {
        for (const two of updates) {
          for (let at = 1, accesses = Number.POSITIVE_INFINITY; at <= accesses; at++) {
            for (let then = at; then <= accesses; then++) {
              world.restore();
              const memory = world.dying();
              const [reader, writer] = [world.domain(1, memory), world.domain(2)];
              const [list, theirs] = [openList(reader, u32), openList(writer, u32)];
              const states: (number | undefined)[] = [theirs[end]()];
              const values = () => (end === "first" ? [...theirs][0] : [...theirs].at(-1));
              memory.arm();
              memory.hook = (access) => {
                for (const [when, update, value] of [
                  [at, one, 100],
                  [then, two, 101],
                ] as const) {
                  if (access !== when) continue;
                  update(theirs, value, refs);
                  states.push(values());
                }
              };
              const found = list[end]();
              memory.hook = undefined;
              accesses = memory.accesses;
              assert.ok(
                states.includes(found),
                `updates ${updates.indexOf(one)} and ${updates.indexOf(two)} before accesses ${at} and ${then}: got ${found}, and it was ${states}`,
              );
              reader.detach();
              writer.detach();
              if (++runs % 100 === 0) await turn();
            }
          }
        }
      }
      assert.ok(runs > 500, `${runs}`);
    });
  }
}
