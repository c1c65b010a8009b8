/** Cost A: from one turn's end to the next one's begin, and how late timers are, with sections in the turns and without. */

import type { BenchDomain } from "../rcu/flavors.js";
import { type Place, Readers, type Rested } from "../rcu/readers.js";
import { cell, type Figure, median, quantile } from "../rounds.js";
import { askForGracePeriods, type Kind, manyShort, oneLong, sleep, without } from "./works.js";

const TABLE = "A: scheduling delay";
const MOST_ROUNDS = 5;

export async function delay(domain: BenchDomain, place: Place, seconds: number): Promise<Figure[]> {
  const kinds: (Kind & { updater?: boolean; rested: Rested[] })[] = [
    without(0.2),
    oneLong(0.2),
    manyShort(0.2, false),
    manyShort(0.2),
    { ...manyShort(0.2), name: "the same, grace periods asked for all the while", updater: true },
    ...[1, 10, 100].flatMap((milliseconds) => [without(milliseconds), oneLong(milliseconds)]),
  ].map((kind) => ({ ...kind, rested: [] }));
  const rounds = Math.max(1, Math.min(MOST_ROUNDS, Math.round(seconds / kinds.length)));
  const readers = await Readers.start(1, () => [place]);
  const milliseconds = Math.max(20, (seconds * 1000) / (kinds.length * rounds));
  try {
    for (let round = 0; round < rounds + 1; round++) {
      for (const { work, updater, rested } of kinds) {
        await readers.begin([{ ...work, probe: true }]);
        const over = sleep(milliseconds);
        if (updater === true) await askForGracePeriods(domain, over);
        await over;
        const done = await readers.rest();
        if (round > 0) rested.push(...done);
      }
    }
  } finally {
    await readers.end();
  }
  return kinds.flatMap(({ name, rested }) => {
    const of = (values: (run: Rested) => number): number => median(rested.map(values));
    const lateness = rested.flatMap((run) => [...run.lateness]);
    const gaps = rested.flatMap((run) => [...run.gaps]);
    return [
      cell(
        TABLE,
        name,
        "turns a second",
        of(({ turns, milliseconds: ms }) => (turns * 1000) / ms),
        "",
      ),
      cell(
        TABLE,
        name,
        "between turns p50",
        of((run) => median(run.gaps)),
        "us",
      ),
      cell(TABLE, name, "between turns p99", quantile(gaps, 0.99), "us"),
      cell(
        TABLE,
        name,
        "timer late by p50",
        of((run) => median(run.lateness)),
        "ms",
      ),
      cell(TABLE, name, "timer late by p99", quantile(lateness, 0.99), "ms"),
    ];
  });
}
