/**
 * How long a grace period takes, by the state of the readers: normal and expedited, blocking and not, beside liburcu. Cells are measured
 * in turn, round by round; the measuring thread pauses for a random while between two, so that readers are anywhere in their turns.
 */

import type { Shared } from "../../src/shared/shared.js";
import { cell, type Figure, median, quantile } from "../rounds.js";
import { newBlock } from "./block.js";
import { type BenchDomain, domainOf, type Flavor, hasExpedited, sharedOf } from "./flavors.js";
import { LIBURCU_FLAVORS, type Liburcu } from "./liburcu.js";
import { type Place, Readers } from "./readers.js";

/** A busy reader: turns of 200 us, of sections as long as a lookup in a big map. */
const BUSY = { sections: 400, microseconds: 0.5, sectioned: true } as const;

interface Scenario {
  readonly name: string;
  readonly readers: number;
  readonly busy: boolean;
  /** Most us for the p50. */
  readonly goal?: number;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "no reader", readers: 0, busy: false, goal: 20 },
  { name: "1 idle", readers: 1, busy: false, goal: 20 },
  { name: "4 idle", readers: 4, busy: false, goal: 20 },
  { name: "1 busy", readers: 1, busy: true, goal: 50 },
  { name: "4 busy", readers: 4, busy: true },
];
const MOST_READERS = 4;
/** The 4 busy readers' p50 against liburcu's qsbr. */
const RATIO_GOAL = 2;

/** Us of spinning until the scheduler has spread the threads over the cores: on one core, whoever is woken by a reader finds it offline. */
const SPREAD = 30_000;
/** Longest pause between two grace periods, us. */
const PAUSE = 50;
const MOST_SAMPLES = 20_000;

interface Mode {
  readonly name: string;
  readonly sample: (domain: BenchDomain, milliseconds: number) => number[] | Promise<number[]>;
}

const MODES: readonly Mode[] = [
  { name: "sync", sample: (domain, ms) => sampleSync(() => domain.synchronizeSync(), ms) },
  { name: "async", sample: (domain, ms) => sampleAsync(() => domain.synchronize(), ms) },
];
const EXPEDITED: readonly Mode[] = [
  { name: "sync, expedited", sample: (domain, ms) => sampleSync(() => domain.synchronizeSync({ expedited: true }), ms) },
  { name: "async, expedited", sample: (domain, ms) => sampleAsync(() => (domain.synchronizeExpedited as () => Promise<void>).call(domain), ms) },
];

/** One cell of the table. */
interface Series {
  readonly name: string;
  readonly medians: number[];
  readonly all: number[];
}

export async function gracePeriods(flavors: readonly Flavor[], liburcu: Liburcu | undefined, seconds: number): Promise<Figure[]> {
  // A shared memory for each scenario, so that exactly its readers are attached.
  const places: Place[] = [];
  const worlds: { shared: Shared; domain: BenchDomain; place: number; flavor: Flavor; scenario: Scenario }[] = [];
  for (const scenario of SCENARIOS) {
    for (const flavor of flavors) {
      const shared = sharedOf(flavor) as Shared;
      const domain = domainOf(shared);
      worlds.push({ shared, domain, flavor, scenario, place: places.length });
      places.push({ handle: shared.handle, pointer: newBlock(domain), attach: false });
    }
  }
  const readers = await Readers.start(MOST_READERS, (index) =>
    places.map((place, i) => ({ ...place, attach: index < (worlds[i] as (typeof worlds)[0]).scenario.readers })),
  );
  const series = new Map<string, Series>();
  const note = (scenario: Scenario, name: string, samples: readonly number[], round: number): void => {
    if (round === 0) return; // cold
    const key = `${scenario.name}\n${name}`;
    const known = series.get(key) ?? { name, medians: [], all: [] };
    series.set(key, known);
    known.medians.push(median(samples));
    known.all.push(...samples);
  };

  const cells = worlds.reduce((sum, { domain }) => sum + modesOf(domain).length, 0) + (liburcu === undefined ? 0 : SCENARIOS.length * LIBURCU_FLAVORS.length);
  const rounds = Math.max(2, Math.min(10, Math.round(seconds / (cells * 0.15))));
  const milliseconds = Math.max(5, (seconds * 1000) / (rounds * cells));
  try {
    for (let round = 0; round < rounds + 1; round++) {
      for (const scenario of SCENARIOS) {
        for (const { domain, flavor, place } of worlds.filter((world) => world.scenario === scenario)) {
          if (scenario.busy) await readers.begin(Array.from({ length: scenario.readers }, () => ({ ...BUSY, place })));
          spin(SPREAD);
          for (const mode of modesOf(domain)) note(scenario, `${flavor} ${mode.name}`, await mode.sample(domain, milliseconds), round);
          await readers.rest();
        }
        for (const flavor of liburcu === undefined ? [] : LIBURCU_FLAVORS) {
          note(
            scenario,
            `liburcu ${flavor}`,
            liburcu?.grace(flavor, scenario.readers, scenario.busy, milliseconds, BUSY.sections, BUSY.microseconds) ?? [],
            round,
          );
        }
      }
    }
  } finally {
    await readers.end();
    for (const { shared, scenario } of worlds) if (scenario.readers === 0) shared.close();
  }
  return table(series);
}

const modesOf = (domain: BenchDomain): readonly Mode[] => (hasExpedited(domain) ? [...MODES, ...EXPEDITED] : MODES);

function table(series: ReadonlyMap<string, Series>): Figure[] {
  const figures: Figure[] = [];
  const names = new Set([...series.values()].map(({ name }) => name));
  for (const [title, value] of [
    ["grace period, p50", ({ medians }: Series) => median(medians)],
    ["grace period, p99", ({ all }: Series) => quantile(all, 0.99)],
  ] as const) {
    for (const name of names) {
      for (const scenario of SCENARIOS) {
        const found = series.get(`${scenario.name}\n${name}`);
        const goal = title.endsWith("p50") && !name.startsWith("liburcu") ? scenario.goal : undefined;
        if (found !== undefined) figures.push(cell(title, name, scenario.name, value(found), "us", goal));
      }
    }
  }
  const qsbr = series.get("4 busy\nliburcu qsbr");
  if (qsbr === undefined) return figures;
  for (const name of names) {
    const ours = series.get(`4 busy\n${name}`);
    if (ours === undefined || name.startsWith("liburcu")) continue;
    // Medians of all: the rounds' own ratios scatter too much, with some dozens of grace periods in each.
    figures.push(cell("4 busy readers, p50 against liburcu qsbr", name, "ratio", median(ours.all) / median(qsbr.all), "x", RATIO_GOAL));
  }
  return figures;
}

function sampleSync(synchronize: () => void, milliseconds: number): number[] {
  const samples: number[] = [];
  for (const end = performance.now() + milliseconds; samples.length === 0 || (performance.now() < end && samples.length < MOST_SAMPLES); ) {
    spin(Math.random() * PAUSE);
    const start = performance.now();
    synchronize();
    samples.push((performance.now() - start) * 1000);
  }
  return samples;
}

async function sampleAsync(synchronize: () => Promise<void>, milliseconds: number): Promise<number[]> {
  const samples: number[] = [];
  for (const end = performance.now() + milliseconds; samples.length === 0 || (performance.now() < end && samples.length < MOST_SAMPLES); ) {
    spin(Math.random() * PAUSE);
    const start = performance.now();
    await synchronize();
    samples.push((performance.now() - start) * 1000);
  }
  return samples;
}

function spin(microseconds: number): void {
  for (const end = performance.now() + microseconds / 1000; performance.now() < end; );
}
