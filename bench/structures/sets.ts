/** Sets a second of keys that are there, by one writer and by each of two at once, with all that follows: what was replaced is retired and freed. */

import { cell, type Figure, median } from "../rounds.js";
import type { Crew } from "./crew.js";
import { withCrews } from "./crews.js";
import type { Kind } from "./data.js";
import { rowOf } from "./gets.js";
import { NATIVE, OURS, PEERS } from "./peers.js";
import type { Part, Plan } from "./plan.js";
import { measure } from "./rounds.js";

const TABLE = "set, in each writer";
const OWN = "set, of the writer's own running";
/** Ms of one measurement, and of the same before it, untimed. */
const MS = 150;
const WARM_MS = 60;
const GOAL = 0.5;
/** Of a row, beside a row of lookups: its measurements are longer. */
const WEIGHT = 2;

const ROWS: readonly { readonly kind: Kind; readonly text: string; readonly goal?: number }[] = [
  { kind: "u32", text: "u32 to u32", goal: GOAL },
  { kind: "utf8", text: "utf8 to u32", goal: GOAL },
  { kind: "json", text: "utf8 to json objects" },
];
const WRITERS = [1, 2] as const;

export const sets: Part = {
  weight: (plan) => WEIGHT * rowsOf(wantedOf(plan)),
  run: async (plan, seconds) => {
    const wanted = wantedOf(plan);
    const figures: Figure[] = [];
    for (const row of wanted) figures.push(...(await measureRow(plan, row, seconds / rowsOf(wanted))));
    return figures;
  },
};

interface Wanted {
  readonly kind: Kind;
  readonly text: string;
  readonly goal?: number;
  /** How many at once. */
  readonly writers: readonly number[];
}

function wantedOf(plan: Plan): Wanted[] {
  return ROWS.map((row) => ({ ...row, writers: WRITERS.filter((writers) => plan.wants(TABLE, rowFor(plan, row.text, writers))) })).filter(
    ({ writers }) => writers.length > 0,
  );
}

const rowsOf = (wanted: readonly Wanted[]): number => wanted.reduce((sum, { writers }) => sum + writers.length, 0);

const rowFor = (plan: Plan, text: string, writers: number): string => rowOf(plan.sizes[1] as number, `${text}, ${writers} writer${writers > 1 ? "s" : ""}`);

function measureRow(plan: Plan, { kind, text, goal, writers: numbers }: Wanted, seconds: number): Promise<Figure[]> {
  const size = plan.sizes[1] as number;
  const ms = plan.brief ? 1 : MS;
  const warmMs = plan.brief ? 1 : WARM_MS;
  return withCrews(plan, PEERS, { kind, size, threads: Math.max(...numbers) }, async (crews) => {
    const c = kind === "u32" ? await plan.startRculfhash(size) : undefined;
    const figures: Figure[] = [];
    try {
      for (const writers of numbers) {
        const subjects = [...crews.filter((crew) => may(crew, writers)), ...(c === undefined ? [] : [c])];
        const own = new Map<string, number[]>();
        const measured = await measure(
          plan,
          subjects.map((subject) => ({
            name: subject.name,
            measure: async () => {
              await subject.write(writers, warmMs);
              const { rate, ns } = await subject.write(writers, ms);
              if (ns !== undefined) own.set(subject.name, [...(own.get(subject.name) ?? []), ns]);
              return rate;
            },
          })),
          seconds,
        );
        for (const name of measured.names) {
          const least = name === OURS && goal !== undefined ? { least: goal } : {};
          figures.push({ ...cell(TABLE, rowFor(plan, text, writers), name, measured.median(name) / 1e6, "M/s"), ...least });
        }
        for (const [name, ns] of own) figures.push(cell(OWN, rowFor(plan, text, writers), name, median(ns), "ns"));
        plan.noteRounds(TABLE, measured);
      }
    } finally {
      await c?.end();
    }
    return figures;
  });
}

/** A Map has one writer; ShareableMap has no lock, so two writers would only show how it breaks. */
const may = ({ name }: Crew, writers: number): boolean => writers === 1 || (name !== NATIVE && name !== "shared-memory-datastructures");
