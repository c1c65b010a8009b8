/** The traces, played on every allocator: how long an event takes, how much of the memory is waste, in what pieces the rest is. */

import { PAGE_BYTES } from "../../src/memory/index.js";
import { QuietRounds } from "../quiet.js";
import { cell, type Figure, median } from "../rounds.js";
import type { Report } from "../suite.js";
import type { Subject } from "./jobs.js";
import { recordMainJob } from "./main-job.js";
import { ALLOCATORS } from "./names.js";
import type { Usage, Waste } from "./replay.js";
import { byKmalloc, randomTraces, SIZES, type Trace } from "./trace.js";

const EVENTS = 200_000;
/** Bytes of the arena that is filled. */
const FULL_BYTES = 2 ** 24;
const MOST_ROUNDS = 15;
const WARM_UP = 3;
/** An allocator that takes longer for a trace is left out of its row: some search a list for each block. */
const LIMIT_MS = 12_000;
/** One that takes longer than this, and than a tenth of the trace's time, plays it once. */
const ONCE_MS = 1000;
/** Seconds that the demo runs by default. */
const DEMO_SECONDS = 15;
const GOAL_WASTE = 12;
/** The seed of the random traces, unless QUIESCE_SEED names another. */
const SEED = 20_260_101;

export const SPEED = "traces: time of an event";
export const WASTE = "traces: waste, of all that is handed out, at the peak";
const INTERNAL = "traces: internal waste, of what can be used, at the peak";
const WASTE_END = "traces: waste, of all that is handed out, at the end";
const INTERNAL_END = "traces: internal waste, of what can be used, at the end";
const MEMORY = "traces: memory at the peak";
const FULL = "an arena filled to the last byte, then a random half of the blocks given back";
const PIECES = "traces: free pages at the end";

export async function traces(subjects: readonly Subject[], seconds: number): Promise<Report> {
  const seed = Number(process.env.QUIESCE_SEED ?? SEED);
  const whole = seconds >= 10;
  const notes = [`the random traces are of QUIESCE_SEED=${seed}.`];
  const played: Trace[] = [];
  const main = recordMainJob(whole ? DEMO_SECONDS : 1);
  let kmallocOnly: Trace | undefined;
  if (typeof main === "string") notes.push(main);
  else {
    kmallocOnly = byKmalloc(main);
    played.push(main, kmallocOnly);
  }
  played.push(...randomTraces(seed, whole ? EVENTS : EVENTS / 20));
  for (const { name, events, blocks, peakBytes } of played)
    notes.push(`${name}: ${events.length} events, ${blocks} blocks, at the peak ${(peakBytes / 2 ** 20).toFixed(2)} MiB asked for.`);
  const limit = whole ? LIMIT_MS : LIMIT_MS / 40;
  const figures: Figure[] = [];
  for (const trace of played) {
    // What has no caches has played it already.
    const players = trace === kmallocOnly ? subjects.filter(({ name }) => ALLOCATORS.includes(name)) : subjects;
    figures.push(...(await times(players, trace, seconds / played.length, limit, notes)));
    figures.push(...(await wastes(players, trace, limit, notes)));
  }
  for (const sizes of Object.keys(SIZES))
    for (const subject of subjects) figures.push(...(await full(subject, sizes, seed, whole ? FULL_BYTES : FULL_BYTES / 8, limit, notes)));
  return { figures, notes };
}

async function times(subjects: readonly Subject[], trace: Trace, seconds: number, limit: number, notes: string[]): Promise<Figure[]> {
  const found: Figure[] = [];
  const fast: { subject: Subject; times: number[] }[] = [];
  for (const subject of subjects) {
    const began = performance.now();
    const ns = await subject.replay(trace, limit); // the first warm-up; of those that take so long it must do
    if (ns === undefined) notes.push(`${subject.name} had not played "${trace.name}" after ${limit / 1000} s: left out.`);
    else if (performance.now() - began > Math.max(ONCE_MS, seconds * 100)) found.push(cell(SPEED, trace.name, subject.name, ns, "ns"));
    else fast.push({ subject, times: [] });
  }
  const round = async (): Promise<void> => {
    for (const { subject, times } of fast) times.push((await subject.replay(trace, limit)) ?? Number.NaN);
  };
  for (let warmUp = 1; warmUp < WARM_UP && seconds >= 1; warmUp++) await round();
  for (const { times } of fast) times.length = 0;
  const quiet = new QuietRounds();
  const stop = performance.now() + seconds * 1000;
  for (let rounds = 0; rounds < 1 || (rounds < MOST_ROUNDS && performance.now() < stop); rounds++) await quiet.round(round);
  notes.push(`time of "${trace.name}": ${quiet.text}.`);
  const measured = fast.map(({ subject, times }) => cell(SPEED, trace.name, subject.name, median(quiet.of(times)), "ns"));
  const columns = subjects.map(({ name }) => name);
  return [...measured, ...found].sort((a, b) => columns.indexOf(a.cell?.column as string) - columns.indexOf(b.cell?.column as string));
}

const percent = (whole: number, used: number): number => (100 * (whole - used)) / whole;
const internal = ({ asked, usable }: Usage): number => percent(usable, asked);
const ofAll = ({ asked, handedOut }: Usage): number => percent(handedOut, asked);

async function wastes(subjects: readonly Subject[], trace: Trace, limit: number, notes: string[]): Promise<Figure[]> {
  const figures: Figure[] = [cell(MEMORY, trace.name, "asked for", trace.peakBytes / 2 ** 20, "MiB")];
  for (const subject of subjects) {
    const waste = await subject.waste(trace, limit);
    if (waste === undefined) {
      notes.push(`the waste of ${subject.name} on "${trace.name}" was not known after ${limit / 1000} s: left out.`);
      continue;
    }
    const { peak, end } = waste;
    const put = (table: string, value: number, unit = "%"): void => void figures.push(cell(table, trace.name, subject.name, value, unit));
    const goal = trace.name === "main job" && subject.name === ALLOCATORS[0] ? GOAL_WASTE : undefined;
    figures.push(cell(WASTE, trace.name, subject.name, ofAll(peak), "%", goal));
    put(INTERNAL, internal(peak));
    put(WASTE_END, ofAll(end));
    put(INTERNAL_END, internal(end));
    put(MEMORY, peak.handedOut / 2 ** 20, "MiB");
    figures.push(...pieces(trace, subject, waste));
  }
  return figures;
}

/** An arena filled with blocks of random sizes until none fits; then a random half of them is given back. */
async function full(subject: Subject, sizes: string, seed: number, bytes: number, limit: number, notes: string[]): Promise<Figure[]> {
  if (subject.fill === undefined) return [];
  const filled = await subject.fill(bytes, sizes, seed, limit);
  if (filled === undefined) {
    notes.push(`${subject.name} had not filled ${bytes / 2 ** 20} MiB with blocks of ${sizes} after ${limit / 1000} s: left out.`);
    return [];
  }
  const { asked, returned, fragmentation } = filled;
  const row = `${sizes}, ${subject.name}`;
  const put = (column: string, value: number, unit = "%"): Figure => cell(FULL, row, column, value, unit);
  const figures = [put("asked for when full, of all bytes", (100 * asked) / bytes), put("then given back, of all bytes", (100 * returned) / bytes)];
  if (fragmentation === undefined) return figures;
  const { freePages, largestOrder, belowOrder3 } = fragmentation;
  return [
    ...figures,
    put("came back as free pages, of all bytes", (100 * freePages * PAGE_BYTES) / bytes),
    put("of those, too scattered for order 3", freePages === 0 ? 0 : (100 * belowOrder3) / freePages),
    put("largest free block, order", largestOrder, ""),
  ];
}

/** How the free pages of an arena lie, for the allocators that have pages of their own. */
function pieces({ name }: Trace, subject: Subject, { fragmentation }: Waste): Figure[] {
  if (fragmentation === undefined) return [];
  const { freePages, largestOrder, belowOrder3 } = fragmentation;
  const row = `${name}, ${subject.name}`;
  return [
    cell(PIECES, row, "free", freePages, "pages"),
    cell(PIECES, row, "largest block, order", largestOrder, ""),
    cell(PIECES, row, "in blocks too small for order 3", belowOrder3, "pages"),
  ];
}
