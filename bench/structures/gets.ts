/** Ns of a lookup: by kind of key and value, by size, by how the key comes; and each against the native Map and against C. */

import { cell, type Figure } from "../rounds.js";
import { withCrews } from "./crews.js";
import { drawsFor, type Kind } from "./data.js";
import type { How } from "./loops.js";
import { BARE, NATIVE, OURS, PEERS, RCULFHASH } from "./peers.js";
import type { Part, Plan } from "./plan.js";
import { type Measured, measure, type Subject } from "./rounds.js";

/** Ms of one measurement, about. */
const MS = 10;
/** Ms of lookups before it, untimed: the processor's caches are full of the last peer's data, and V8 may not have compiled the loop yet. The same time for every peer. */
const WARM_MS = 40;
/** Lookups of the first one. */
const FIRST = 512;
const MOST_NUMBERS = 2 ** 17;
/** Fewer where a string is made for each in advance. */
const MOST_STRINGS = 2 ** 15;

/** A table, its rows, and what is to be reached. */
interface Table {
  readonly title: string;
  readonly kind: Kind;
  /** Number of the plan's sizes, from the smallest. */
  readonly sizes: readonly number[];
  /** Whether the threads use maps of the other kinds too. */
  readonly beside?: boolean;
  readonly hows: readonly { readonly how: How; readonly text: string; readonly goal?: number }[];
}

const TABLES: readonly Table[] = [
  { title: "get, u32 keys", kind: "u32", sizes: [0, 1, 2], hows: [{ how: "numbers", text: "uniform keys", goal: 0.9 }] },
  {
    title: "get, in a program with maps of u32, utf8, json and struct",
    kind: "u32",
    sizes: [1],
    beside: true,
    hows: [{ how: "numbers", text: "u32 keys" }],
  },
  {
    title: "get, in a program with maps of u32, utf8, json and struct",
    kind: "utf8",
    sizes: [1],
    beside: true,
    hows: [
      { how: "fresh", text: "utf8 keys, fresh strings" },
      { how: "bytes", text: "utf8 keys, from bytes" },
      { how: "held", text: "utf8 keys, held strings" },
    ],
  },
  {
    title: "get, utf8 keys",
    kind: "utf8",
    sizes: [0, 1, 2],
    hows: [
      { how: "fresh", text: "fresh strings, found", goal: 0.9 },
      { how: "made", text: "fresh strings, made and found" },
      { how: "bytes", text: "from bytes", goal: 0.4 },
      { how: "latin1", text: "fresh strings, made as latin1 and found" },
      { how: "held", text: "held strings", goal: 1.1 },
    ],
  },
  {
    title: "get, utf8 keys to json objects",
    kind: "json",
    sizes: [1],
    hows: [
      { how: "fresh", text: "fresh strings", goal: 1.5 },
      { how: "held", text: "held strings", goal: 1.5 },
      { how: "bytes", text: "from bytes" },
    ],
  },
  {
    title: "get, utf8 keys to struct objects",
    kind: "struct",
    sizes: [1],
    hows: [
      { how: "fresh", text: "fresh strings", goal: 1.5 },
      { how: "held", text: "held strings", goal: 1.5 },
    ],
  },
];

/** At most so many times C, from this many entries on. */
const GOAL_C = 1;
const C_FROM = 100_000;

export const gets: Part = {
  weight: (plan) => rowsOf(groupsOf(plan)),
  run: async (plan, seconds) => {
    const groups = groupsOf(plan);
    const figures: Figure[] = [];
    for (const { table, size } of groups) figures.push(...(await measureGroup(plan, table, size, seconds / rowsOf(groups))));
    return figures;
  },
};

/** A table's rows of one size, which one set of threads measures. */
interface Group {
  readonly table: Table;
  readonly size: number;
}

/** What is wanted. */
function groupsOf(plan: Plan): Group[] {
  return TABLES.flatMap((table) =>
    table.sizes.map((i) => {
      const size = plan.sizes[i] as number;
      return { table: { ...table, hows: table.hows.filter(({ text }) => plan.wants(table.title, rowOf(size, text))) }, size };
    }),
  ).filter(({ table: { hows } }) => hows.length > 0);
}

const rowsOf = (groups: readonly Group[]): number => groups.reduce((sum, { table: { hows } }) => sum + hows.length, 0);

export const rowOf = (size: number, text: string): string => `${size.toLocaleString("en")} entries, ${text}`;

/** Who looks up; `get` gives the ns of one of so many lookups. */
interface Lookups {
  readonly name: string;
  get(count: number): Promise<number>;
}

/** One size: its peers are filled, measured row by row, and ended. */
function measureGroup(plan: Plan, { title, kind, hows, beside = false }: Table, size: number, seconds: number): Promise<Figure[]> {
  return withCrews(plan, kind === "u32" && !beside ? [...PEERS, ...BARE] : PEERS, { kind, size, beside }, async (crews) => {
    const figures: Figure[] = [];
    const c = kind === "u32" ? await plan.startRculfhash(size) : undefined;
    try {
      for (const { how, text, goal } of hows) {
        const most = Math.min(drawsFor(size), kind === "u32" ? MOST_NUMBERS : MOST_STRINGS);
        const warmMs = plan.brief ? 0 : WARM_MS;
        const subjects = crews.map((crew) => subjectOf({ name: crew.name, get: (count) => crew.get(how, count) }, most, warmMs));
        if (c !== undefined) subjects.push(subjectOf(c, most, warmMs));
        const measured = await measure(plan, subjects, seconds);
        const row = rowOf(size, text);
        figures.push(...figuresOf(title, row, measured, goal, size));
        plan.noteRounds(title, measured);
      }
    } finally {
      await c?.end();
    }
    return figures;
  });
}

/** As many lookups each time as take about MS, by what the last ones before it took. */
function subjectOf(lookups: Lookups, most: number, warmMs: number): Subject {
  const countFor = (ns: number): number => Math.max(1, Math.min(most, Math.round((MS * 1e6) / ns)));
  let count = Math.min(FIRST, most);
  return {
    name: lookups.name,
    measure: async () => {
      for (let ms = 0; ms < warmMs; ) {
        const ns = await lookups.get(count);
        ms += (ns * count) / 1e6;
        count = countFor(ns);
      }
      return lookups.get(count);
    },
  };
}

function figuresOf(title: string, row: string, measured: Measured, goal: number | undefined, size: number): Figure[] {
  const figures = measured.names.map((name) => cell(title, row, name, measured.median(name), "ns"));
  if (!measured.has(OURS)) return figures;
  for (const name of measured.names) {
    if (name === OURS) continue;
    const most = name === NATIVE ? goal : name === RCULFHASH && size >= C_FROM ? GOAL_C : undefined;
    figures.push(cell(`${title}: ${OURS} against the others`, row, name, measured.ratio(OURS, name), "x", most));
  }
  return figures;
}
