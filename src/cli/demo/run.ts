/**
 * The run: load, work out the truth, let readers and the writer loose on the maps, watch them
 * for a while, stop them, and check what is left.
 */

import { Shared } from "../../index.js";
import { formatBuddyInfo, formatSlabInfo } from "../../memory/index.js";
import { audit } from "./audit.js";
import { Control } from "./control.js";
import { type Dataset, findDataset } from "./dataset.js";
import type { Interrupt } from "./interrupt.js";
import { Interrupted, load } from "./load.js";
import { arenaBytes, type Family, family4, family6, openMaps } from "./maps.js";
import type { RunOptions } from "./options.js";
import { newHalves } from "./plan.js";
import type { Tables, WorkerInput } from "./protocol.js";
import type { Ranges } from "./ranges.js";
import { count, loadedText, type Output, Progress, paletteFor, readersText, summary, tableHeader, tableLine } from "./report.js";
import { bytesIfCopied, changesOf, newResult, nsPerLookup, type Result, statusOf, sumLookups, sumWrong } from "./result.js";
import { Crew } from "./threads.js";
import { baseRanges, countTrimmed, gapsBetween } from "./truth.js";

/** How many wrong answers are printed; all are counted. */
const PRINTED = 5;
/** A last line of the table is for no less than so many milliseconds. */
const LAST_LINE = 250;
/** Milliseconds that the last grace period may take when no other thread is left. */
const SYNCHRONIZE_LIMIT = 30_000;
const LIMIT_TEXT = `${SYNCHRONIZE_LIMIT / 1000} s`;

/** Both maps with what is known of them. */
interface World {
  readonly v4: Family;
  readonly v6: Family;
  readonly ipv4: Tables;
  readonly ipv6: Tables;
}

export async function run(options: RunOptions, interrupt: Interrupt): Promise<number> {
  const result = newResult(options.threads, options.updates, options.seed);
  const table: Output = options.json ? process.stderr : process.stdout;
  const palette = paletteFor(table);
  const print = (text: string): void => void table.write(`${text}\n`);
  const complain = (text: string): void => void process.stderr.write(`${text}\n`);

  const dataset = await findDataset();
  const shared = Shared.create({ bytes: arenaBytes, slots: options.threads + 4 });
  try {
    const world = await prepare(shared, dataset, result, interrupt.signal);
    for (const failure of result.failures) complain(failure);
    print(`${readersText(options.threads)}, one writer at ${count(options.updates)} updates/s, ${options.seconds} s, seed ${options.seed}`);
    const crew = await watch(shared, world, options, result, interrupt.signal, print);
    await inspect(shared, world, result, crew);
    for (const text of crew.wrong.slice(0, PRINTED)) complain(`wrong: ${text}`);
    for (const text of result.violations) complain(`violation: ${text}`);
    print(`\n${summary(result, palette)}`);
    if (options.memory) print(`\n${memoryText(shared)}`);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    result.interrupted = true;
    print("interrupted while loading");
  } finally {
    shared.close();
  }
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return statusOf(result);
}

/** What the allocators say. */
function memoryText({ domain }: Shared): string {
  const { heap } = domain.arena;
  return `${formatBuddyInfo(heap.buddyinfo())}\n\n${formatSlabInfo(heap.slabinfo())}`;
}

/** Load the maps and work out the truth. */
async function prepare(shared: Shared, dataset: Dataset, result: Result, signal: AbortSignal): Promise<World> {
  const maps = openMaps(shared);
  const v4 = family4(maps.v4);
  const v6 = family6(maps.v6);
  const progress = new Progress(process.stderr);
  const began = performance.now();
  progress.begin("Loading ...");
  const rows = await load(dataset, v4, v6, (read, share) => progress.update(`Loading ${count(read)} rows, ${Math.floor(share * 100)} %`), signal).catch(
    (error: unknown) => {
      progress.abandon();
      throw error;
    },
  );
  result.loadSeconds = (performance.now() - began) / 1000;
  result.rowsIpv4 = rows.ipv4.count;
  result.rowsIpv6 = rows.ipv6.count;
  result.rows = rows.ipv4.count + rows.ipv6.count;
  result.trimmedIpv4 = countTrimmed(rows.ipv4);
  result.trimmedIpv6 = countTrimmed(rows.ipv6);
  result.trimmed = result.trimmedIpv4 + result.trimmedIpv6;
  result.entriesIpv4 = v4.size();
  result.entriesIpv6 = v6.size();
  result.entries = result.entriesIpv4 + result.entriesIpv6;
  result.entriesAtEnd = result.entries;
  result.bytesIfCopied = bytesIfCopied(result.threads + 1, result.entriesIpv4, result.entriesIpv6);
  result.dataVersion = dataset.version;
  progress.end(loadedText(result));

  const ipv4 = tablesOf(rows.ipv4, v4, result);
  const ipv6 = tablesOf(rows.ipv6, v6, result);
  return { v4, v6, ipv4, ipv6 };
}

function tablesOf(rows: Ranges, family: Family, result: Result): Tables {
  const base = baseRanges(rows);
  if (base.count !== family.size()) {
    result.failures.push(`the ${family.name} map holds ${family.size()} ranges after loading; by the rows it should be ${base.count}`);
  }
  return { base, gaps: gapsBetween(base), halves: newHalves(base.count) };
}

/** Start the threads, print a line each second until time is up, and stop them. */
async function watch(shared: Shared, world: World, options: RunOptions, result: Result, signal: AbortSignal, print: (text: string) => void): Promise<Crew> {
  const { threads, updates, seed } = options;
  const control = Control.create(threads + 1);
  const end = new AbortController();
  const crew = new Crew(() => end.abort());
  const onSignal = (): void => {
    result.interrupted = true;
    end.abort();
  };
  signal.addEventListener("abort", onSignal);
  try {
    if (signal.aborted) onSignal();
    const input: WorkerInput = { handle: shared.handle, control: control.buffer, ipv4: world.ipv4, ipv6: world.ipv6, seed, thread: 0, updates };
    for (let thread = 0; thread < threads; thread++) crew.start(shared, `reader ${thread}`, "./reader.js", { ...input, thread });
    crew.start(shared, "the writer", "./writer.js", { ...input, thread: threads });
    if (!(await crew.go(end.signal))) return crew;

    const began = performance.now();
    const periods = shared.stats().gracePeriods;
    await showTable(shared, control, options, result.bytesIfCopied, began, print, end.signal);
    control.stop();
    result.seconds = (performance.now() - began) / 1000;
    await crew.end();
    result.lookups = sumLookups(control, threads);
    result.updates = control.issued;
    result.changes = changesOf(control, threads);
    result.nsPerLookup = nsPerLookup(threads, result.seconds, result.lookups);
    result.wrong = sumWrong(control, threads + 1);
    result.gracePeriods = shared.stats().gracePeriods - periods;
    return crew;
  } finally {
    signal.removeEventListener("abort", onSignal);
    control.stop();
    await crew.terminate();
    result.failures.push(...crew.failures);
  }
}

/** Print a line each second, for --seconds or until `signal`. */
async function showTable(
  shared: Shared,
  control: Control,
  options: RunOptions,
  copies: number,
  began: number,
  print: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { threads, seconds } = options;
  const palette = paletteFor(options.json ? process.stderr : process.stdout);
  let before = { at: began, lookups: 0, updates: 0, gracePeriods: shared.stats().gracePeriods };
  const line = (): void => {
    const { bytes, gracePeriods, gpMicros, retired } = shared.stats();
    const { p50, p99 } = gpMicros;
    const now = { at: performance.now(), lookups: sumLookups(control, threads), updates: control.issued, gracePeriods };
    const passed = (now.at - before.at) / 1000;
    const lookups = now.lookups - before.lookups;
    const sample = {
      at: (now.at - began) / 1000,
      seconds: passed,
      lookups,
      nsPerLookup: nsPerLookup(threads, passed, lookups),
      updates: now.updates - before.updates,
      gracePeriods: gracePeriods - before.gracePeriods,
      p50,
      p99,
      retired: retired.waiting,
      bytesUsed: bytes.used,
      bytesIfCopied: copies,
      wrong: sumWrong(control, threads + 1),
    };
    before = now;
    print(tableLine(sample, palette));
  };
  print(tableHeader(palette));
  const timer = setInterval(line, 1000);
  try {
    await new Promise<void>((resolve) => {
      const over = setTimeout(resolve, seconds * 1000);
      const stop = (): void => {
        clearTimeout(over);
        resolve();
      };
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
  } finally {
    clearInterval(timer);
  }
  // The last second is rarely a whole one, and its end falls together with the timer's.
  if (performance.now() - before.at > LAST_LINE) line();
}

/** With all threads gone: the last grace period, the audit, the check of the arena, the numbers. */
async function inspect(shared: Shared, world: World, result: Result, crew: Crew): Promise<void> {
  if (!(await withinLimit(shared.domain.synchronize(), SYNCHRONIZE_LIMIT))) {
    result.failures.push(`a grace period asked for after all threads had ended was not over ${LIMIT_TEXT} later`);
  }
  // A writer that died may have left its books behind the map by one update: no use to compare.
  if (crew.failures.length === 0) {
    result.audited = true;
    for (const { wrong, texts } of [audit(world.v4, world.ipv4), audit(world.v6, world.ipv6)]) {
      result.wrong += wrong;
      crew.wrong.push(...texts);
    }
  }
  result.violations = shared.check();
  const { bytes, gpMicros, retired } = shared.stats();
  result.entriesAtEnd = world.v4.size() + world.v6.size();
  result.gpMicros = { p50: gpMicros.p50, p99: gpMicros.p99, max: gpMicros.max };
  result.bytesUsed = bytes.used;
  result.retiredPending = retired.waiting;
}

async function withinLimit(promise: Promise<void>, limit: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), limit);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
