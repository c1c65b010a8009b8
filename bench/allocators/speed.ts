/** Ns for taking and giving back blocks: by size and pattern, in one thread, in two at once, and from one to the other. */

import { QuietRounds } from "../quiet.js";
import { cell, type Figure, median } from "../rounds.js";
import type { Report } from "../suite.js";
import { CACHE_BYTES, type Program, type Subject } from "./jobs.js";
import { ALLOCATORS } from "./names.js";
import { ORDERS } from "./patterns.js";

const SIZES = [8, 64, 192, 256, 1024, 4096, 16384] as const;
const BURST_SIZES = [64, 1024] as const;
const REMOTE_SIZES = [64, 1024] as const;
/** Above it kmalloc takes whole pages: no fast path is meant. */
const FAST_BYTES = 8192;
const GOAL_NS = 25;
const GOAL_RATIO = 1.9;
const WARM_UP = 3;
/** How much longer a measurement takes while V8 still compiles. */
const WARM_UP_LONGER = 3;
const MOST_ROUNDS = 25;
/** Ms of one measurement. */
const MS = 10;
/** Ms of starting a program, about. */
const START_MS = 3;

/** A row of tables: how to measure it in so many threads. */
interface Row {
  readonly name: string;
  readonly pattern: "pairs" | "burst";
  readonly fast: boolean;
  measure(subject: Subject, ms: number, threads: number): Promise<readonly number[]>;
}

function pairsOf(name: string, bytes: number, program: Program): Row {
  return { name, pattern: "pairs", fast: bytes <= FAST_BYTES, measure: (subject, ms, threads) => subject.pairs(bytes, ms, threads, program) };
}

const ROWS: readonly Row[] = [
  pairsOf(`${CACHE_BYTES} bytes, from a cache of their own`, CACHE_BYTES, "cache"),
  pairsOf("64 bytes, the only size of the program", 64, "alone"),
  ...SIZES.map((bytes) => pairsOf(`${bytes} bytes`, bytes, "mixed")),
  ...BURST_SIZES.flatMap((bytes) =>
    ORDERS.map(
      (order): Row => ({
        name: `${bytes} bytes, ${order}`,
        pattern: "burst",
        fast: false,
        measure: (subject, ms, threads) => subject.burst(bytes, order, ms, threads),
      }),
    ),
  ),
];

export const TABLES = {
  pairs: "one thread: a block taken and given back",
  burst: "one thread: 1000 blocks taken, then given back",
} as const;
const BOTH = {
  pairs: "two threads at once: a block taken and given back, in each",
  burst: "two threads at once: 1000 blocks taken, then given back, in each",
} as const;
const RATIOS = {
  pairs: "a block taken and given back: throughput of two threads against one",
  burst: "1000 blocks: throughput of two threads against one",
} as const;
const REMOTE = "taken by one thread, given back by another (floor: the ring alone)";

/** Times of one cell, round by round. */
class Cell {
  one: number[] = [];
  both: number[] = [];
  ratio: number[] = [];

  /** Of the rounds to believe. */
  only(quiet: QuietRounds): Cell {
    const cell = new Cell();
    for (const key of ["one", "both", "ratio"] as const) if (this[key].length > 0) cell[key] = quiet.of(this[key]);
    return cell;
  }
}

export async function speed(subjects: readonly Subject[], seconds: number): Promise<Report> {
  const { rounds, warmUp, ms } = planFor(subjects, seconds);
  const cells = new Map<string, Cell>();
  const at = (row: string, subject: Subject): Cell => {
    const key = `${row}/${subject.name}`;
    const found = cells.get(key) ?? new Cell();
    cells.set(key, found);
    return found;
  };
  for (let round = 0; round < warmUp; round++) await measureAll(subjects, ms * WARM_UP_LONGER, () => new Cell());
  const quiet = new QuietRounds();
  for (let round = 0; round < rounds; round++) await quiet.round(() => measureAll(subjects, ms, at));
  return { figures: figuresOf(subjects, (row, subject) => at(row, subject).only(quiet)), notes: [`speed: ${quiet.text}.`] };
}

/** One round: each row for each subject. */
async function measureAll(subjects: readonly Subject[], ms: number, at: (row: string, subject: Subject) => Cell): Promise<void> {
  for (const row of ROWS) {
    for (const subject of subjects) {
      const [one = Number.NaN] = await row.measure(subject, ms, 1);
      const into = at(row.name, subject);
      into.one.push(one);
      if (subject.threads < 2) continue;
      const both = await row.measure(subject, ms, 2);
      into.both.push(both.reduce((sum, ns) => sum + ns, 0) / both.length);
      into.ratio.push(both.reduce((sum, ns) => sum + one / ns, 0));
    }
  }
  for (const bytes of [0, ...REMOTE_SIZES])
    for (const subject of subjects) if (subject.threads > 1) at(remoteRow(bytes), subject).one.push(await subject.remote(bytes, ms));
}

const remoteRow = (bytes: number): string => (bytes === 0 ? "the ring alone" : `${bytes} bytes, remote`);

function planFor(subjects: readonly Subject[], seconds: number): { rounds: number; warmUp: number; ms: number } {
  const measurements = subjects.reduce((sum, { threads }) => sum + ROWS.length * threads + (threads > 1 ? REMOTE_SIZES.length + 1 : 0), 0);
  const rounds = Math.round((seconds * 1000) / (measurements * (MS + START_MS)));
  const longWarmUp = WARM_UP * WARM_UP_LONGER;
  if (rounds > longWarmUp) return { rounds: Math.min(MOST_ROUNDS, rounds - longWarmUp), warmUp: WARM_UP, ms: MS };
  if (rounds > WARM_UP) return { rounds: rounds - WARM_UP, warmUp: 1, ms: MS };
  return { rounds: 1, warmUp: 0, ms: 1 };
}

function figuresOf(subjects: readonly Subject[], at: (row: string, subject: Subject) => Cell): Figure[] {
  const figures: Figure[] = [];
  const judged = (row: Row, { name }: Subject): boolean => row.fast && name === ALLOCATORS[0];
  for (const pattern of ["pairs", "burst"] as const) {
    const rows = ROWS.filter((row) => row.pattern === pattern);
    const table = (title: string, unit: string, of: (cell: Cell) => number[], goals: (row: Row, subject: Subject) => Partial<Figure>): void => {
      for (const row of rows) {
        for (const subject of subjects) {
          const values = of(at(row.name, subject));
          if (values.length > 0) figures.push({ ...cell(title, row.name, subject.name, median(values), unit), ...goals(row, subject) });
        }
      }
    };
    table(
      TABLES[pattern],
      "ns",
      ({ one }) => one,
      (row, subject) => (judged(row, subject) ? { goal: GOAL_NS } : {}),
    );
    table(
      BOTH[pattern],
      "ns",
      ({ both }) => both,
      () => ({}),
    );
    table(
      RATIOS[pattern],
      "x",
      ({ ratio }) => ratio,
      (row, subject) => (judged(row, subject) ? { least: GOAL_RATIO } : {}),
    );
  }
  for (const bytes of [0, ...REMOTE_SIZES]) {
    for (const subject of subjects) {
      const { one } = at(remoteRow(bytes), subject);
      if (one.length > 0) figures.push(cell(REMOTE, remoteRow(bytes), subject.name, median(one), "ns"));
    }
  }
  return figures;
}
