/** Bytes that an entry takes, all structure included: outside of the heap, and in the heap of the thread that uses the map. */

import { cell, type Figure } from "../rounds.js";
import { withCrews } from "./crews.js";
import type { Kind } from "./data.js";
import { rowOf } from "./gets.js";
import { PEERS } from "./peers.js";
import type { Plan } from "./plan.js";

const TABLE = "bytes an entry";
const HEAP = "bytes an entry in the heap of a thread that has read them all";

const ROWS: readonly { readonly kind: Kind; readonly text: string }[] = [
  { kind: "u32", text: "u32 to u32" },
  { kind: "utf8", text: "utf8 (8 to 32 characters) to u32" },
  { kind: "json", text: "utf8 (8 to 32 characters) to json objects" },
  { kind: "struct", text: "utf8 (8 to 32 characters) to struct objects" },
];

export async function sizes(plan: Plan): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const size of plan.sizes.slice(1)) {
    for (const { kind, text } of ROWS) {
      const row = rowOf(size, text);
      if (!plan.wants(TABLE, row) || (size === plan.sizes[2] && kind !== "u32")) continue;
      for (const peer of PEERS) {
        figures.push(
          ...(await withCrews(plan, [peer], { kind, size, keepTexts: false }, async (crews) =>
            crews.flatMap(({ name, ready: { bytes, heap, heapRead } }) => [
              cell(TABLE, row, name, (bytes + (bytes === 0 ? heap : 0)) / size, "B"),
              cell(HEAP, row, name, heapRead / size, "B"),
            ]),
          )),
        );
      }
      const c = kind === "u32" ? await plan.startRculfhash(size) : undefined;
      if (c !== undefined) figures.push(cell(TABLE, row, c.name, await c.bytes(), "B"));
      await c?.end();
    }
  }
  return figures;
}
