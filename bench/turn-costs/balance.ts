/** Cost C: twice as many threads as cores, one of them with long sections: what the others get of the cores, and the updater. */

import { availableParallelism } from "node:os";
import type { BenchDomain } from "../rcu/flavors.js";
import { type Place, Readers, type Rested, type Work } from "../rcu/readers.js";
import { cell, type Figure, median } from "../rounds.js";
import { askForGracePeriods, manyShort, oneLong, sleep, without } from "./works.js";

const TABLE = "C: balance";
const THREADS = 2 * availableParallelism();
const LONG = 100;
const MOST_ROUNDS = 5;

export async function balance(domain: BenchDomain, place: Place, seconds: number): Promise<Figure[]> {
  const bare = manyShort(0.2, false).work;
  const short = manyShort(0.2).work;
  const kinds: { readonly name: string; readonly first: Work; readonly others: Work; readonly runs: Run[] }[] = [
    { name: "all alike, no sections", first: bare, others: bare, runs: [] },
    { name: "all alike, short sections", first: short, others: short, runs: [] },
    { name: `one with turns of ${LONG} ms, no section`, first: without(LONG).work, others: short, runs: [] },
    { name: `one with sections of ${LONG} ms`, first: oneLong(LONG).work, others: short, runs: [] },
    { name: `one with turns of ${LONG} ms of short sections`, first: manyShort(LONG).work, others: short, runs: [] },
  ];
  const rounds = Math.max(1, Math.min(MOST_ROUNDS, Math.round(seconds / kinds.length)));
  const readers = await Readers.start(THREADS, () => [place]);
  const milliseconds = Math.max(50, (seconds * 1000) / (kinds.length * rounds));
  try {
    for (let round = 0; round < rounds + 1; round++) {
      for (const { first, others, runs } of kinds) {
        const works = Array.from({ length: THREADS }, (_, i) => (i === 0 ? first : others));
        await readers.begin(works);
        const over = sleep(milliseconds);
        const start = performance.now();
        const periods = await askForGracePeriods(domain, over);
        const rate = (periods * 1000) / (performance.now() - start);
        const rested = await readers.rest();
        if (round > 0) runs.push(measure(works, rested, rate));
      }
    }
  } finally {
    await readers.end();
  }
  return kinds.flatMap(({ name, runs }) =>
    (Object.keys(COLUMNS) as (keyof Run)[]).map((column) => cell(TABLE, name, COLUMNS[column], median(runs.map((run) => run[column])), "")),
  );
}

/** Names of the columns. */
const COLUMNS = {
  jain: "Jain, work of all",
  jainOthers: "Jain, work of the others",
  others: "work of each other, % of a core",
  first: "of the one, %",
  waiting: "others ready and waiting, %",
  migrations: "moves a second, each",
  periods: "grace periods a second",
} as const;

type Run = Readonly<Record<keyof typeof COLUMNS, number>>;

function measure(works: readonly Work[], rested: readonly Rested[], periods: number): Run {
  // By time of its own that each thread took for its turns: the machine's speed is the same for all.
  const work = rested.map(({ index, turns, milliseconds }) => {
    const { sections, microseconds } = works[index] as Work;
    return (turns * sections * microseconds) / (milliseconds * 10);
  });
  const others = work.slice(1);
  const scheduled = rested.slice(1).map((run) => ({ ms: run.milliseconds, ...run.scheduled }));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    jain: jain(work),
    jainOthers: jain(others),
    others: mean(others),
    first: work[0] as number,
    waiting: mean(scheduled.map(({ waitedMs = Number.NaN, ms }) => (waitedMs * 100) / ms)),
    migrations: mean(scheduled.map(({ migrations = Number.NaN, ms }) => (migrations * 1000) / ms)),
    periods,
  };
}

/** Jain's index of fairness: 1 when all have the same, 1/n when one has all. */
function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  return (sum * sum) / (values.length * values.reduce((total, value) => total + value * value, 0));
}
