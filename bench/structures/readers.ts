/**
 * Two readers with a writer of 10,000 updates a second beside them, against one reader alone: what readers cost each other, and what a writer costs them.
 * Where there are two cores the writer's share of them is in it, and so is what other programs take: what a reader runs for a lookup is free of that.
 */

import { cell, type Figure, median } from "../rounds.js";
import { withCrews } from "./crews.js";
import { LOCKED, NATIVE, OURS, PEERS } from "./peers.js";
import type { Part, Plan } from "./plan.js";
import { measure } from "./rounds.js";

const TABLE = "lookups of u32 keys: 2 readers with a writer at 10,000 updates/s, against 1 reader alone";
const READERS = 2;
const RATE = 10_000;
/** Ms of one measurement, and of the same before it, untimed: the threads' data must be in the caches again, and their loops compiled. */
const MS = 250;
const WARM_MS = 100;
const GOAL = 1.9;
/** Of a peer, beside a row of lookups. */
const WEIGHT = 3;

export const readers: Part = {
  weight: (plan) => WEIGHT * peersOf(plan).length,
  run,
};

const peersOf = (plan: Plan): string[] => [...PEERS, ...LOCKED].filter((peer) => plan.wants(TABLE, peer) && plan.with(peer));

function run(plan: Plan, seconds: number): Promise<Figure[]> {
  const size = plan.sizes[1] as number;
  const ms = plan.brief ? 5 : MS;
  const warmMs = plan.brief ? 1 : WARM_MS;
  return withCrews(plan, peersOf(plan), { kind: "u32", size, threads: READERS + 1 }, async (crews) => {
    const figures: Figure[] = [];
    for (const crew of crews) {
      const updates: number[] = [];
      const own: [number[], number[]] = [[], []];
      const alone = {
        name: "1 reader",
        measure: async () => {
          await crew.read(1, warmMs);
          const { gets, ns } = await crew.read(1, ms);
          own[0].push(ns);
          return gets;
        },
      };
      const together = {
        name: "2 readers",
        measure: async () => {
          await crew.read(READERS, warmMs, RATE);
          const { gets, ns, sets } = await crew.read(READERS, ms, RATE);
          own[1].push(ns);
          updates.push(sets);
          return gets;
        },
      };
      const measured = await measure(plan, [alone, together], seconds / crews.length);
      if (!measured.has("1 reader") || !measured.has("2 readers")) continue;
      const row = crew.name === NATIVE ? `${NATIVE}, a copy in each thread that no update reaches` : crew.name;
      const ratio = measured.ratio("2 readers", "1 reader");
      figures.push(cell(TABLE, row, "1 reader", measured.median("1 reader") / 1e6, "M/s"));
      figures.push(cell(TABLE, row, "2 readers, together", measured.median("2 readers") / 1e6, "M/s"));
      figures.push({ ...cell(TABLE, row, "ratio", ratio, "x"), ...(crew.name === OURS ? { least: GOAL } : {}) });
      figures.push(cell(TABLE, row, "own running for a lookup, 1 reader", median(own[0]), "ns"));
      figures.push(cell(TABLE, row, "own running for a lookup, 2 readers", median(own[1]), "ns"));
      figures.push(cell(TABLE, row, "updates made", updates.reduce((a, b) => a + b, 0) / updates.length, "/s"));
      plan.noteRounds(TABLE, measured);
    }
    return figures;
  });
}
