/**
 * The main job's figures, on its real data:
 *   the floor  a binary search over plain Uint32Arrays of the same ranges in the thread's own memory: what a lookup costs where
 *              nothing ever changes
 *   memory     against a copy in each thread, as typed arrays and as an array of objects
 *   writer     lookups in one thread while another makes 1,000 updates a second, against none
 */

import { Worker } from "node:worker_threads";
import { findDataset, readRows } from "../src/cli/demo/dataset.js";
import { newRanges } from "../src/cli/demo/ranges.js";
import { Shared, struct, u16, u32 } from "../src/index.js";
import { type Figure, inTurn, median, ratio } from "./rounds.js";
import type { Report, SuiteOptions } from "./suite.js";

const KEYS = 1 << 18;
const MOST_ROUNDS = 21;
const WARM_UP = 4;
/** Phases with and without the writer, in turn, ms each. */
const MOST_PHASES = 20;
const PHASE_MS = 500;

/** The value of an entry, as in the demo. */
const value = struct({ country: u16, version: u32 });

export async function ipLookup({ seconds }: SuiteOptions): Promise<Report> {
  const rounds = Math.max(3, Math.min(MOST_ROUNDS, Math.round(seconds * 0.7)));
  const phases = 2 * Math.max(1, Math.min(MOST_PHASES / 2, Math.round(seconds / 3)));
  const rows = newRanges(1, 350_000);
  for await (const _ of readRows((await findDataset()).ipv4, rows));
  const shared = Shared.create({ bytes: 64 * 2 ** 20 });
  const before = shared.stats().bytes.used;
  const map = shared.intervalMap("ipv4", { bounds: "u32", value });
  const { data, stride } = rows;
  const start = performance.now();
  map.load(
    (function* () {
      for (let at = 0; at < rows.count * stride; at += stride)
        yield [data[at] as number, data[at + 1] as number, { country: data[at + 2] as number, version: 0 }] as const;
    })(),
  );
  const loadMs = performance.now() - start;

  const entries = [...map];
  const count = entries.length;
  const lo = Uint32Array.from(entries, ([first]) => first);
  const hi = Uint32Array.from(entries, ([, last]) => last);
  const country = Uint16Array.from(entries, ([, , { country }]) => country);
  const keys = Uint32Array.from({ length: KEYS }, () => {
    const i = Math.floor(Math.random() * count);
    return (lo[i] as number) + Math.floor(Math.random() * ((hi[i] as number) - (lo[i] as number) + 1));
  });

  /** The last range that begins at the key or before it, if it reaches it, else -1. */
  const search = (key: number): number => {
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((lo[middle] as number) <= key) low = middle;
      else high = middle - 1;
    }
    return key >= (lo[low] as number) && key <= (hi[low] as number) ? low : -1;
  };

  let sink = 0;
  const look = (view: { value: { country: number } }): void => {
    sink += view.value.country;
  };
  const work = {
    search: () => {
      for (let i = 0; i < KEYS; i++) sink += search(keys[i] as number);
    },
    floor: () => {
      for (let i = 0; i < KEYS; i++) sink += country[search(keys[i] as number)] as number;
    },
    has: () => {
      for (let i = 0; i < KEYS; i++) sink += map.has(keys[i] as number) ? 1 : 0;
    },
    at: () => {
      for (let i = 0; i < KEYS; i++) map.at(keys[i] as number, look);
    },
    get: () => {
      for (let i = 0; i < KEYS; i++) sink += map.get(keys[i] as number)?.country ?? 0;
    },
  };
  const times = inTurn(rounds, WARM_UP, KEYS, work);
  const used = shared.stats().bytes.used - before;

  // Laid out anew after a set for each row, as a program that never calls load() or compact() would have it.
  const slow = shared.intervalMap("ipv4, set by set", { bounds: "u32", value });
  const startSets = performance.now();
  for (const [first, last, entry] of entries) slow.set(first, last, entry);
  const setsMs = performance.now() - startSets;
  const slowTimes = inTurn(rounds, WARM_UP, KEYS, {
    floor: work.floor,
    at: () => {
      for (let i = 0; i < KEYS; i++) slow.at(keys[i] as number, look);
    },
  });
  slow.clear();

  const writer = await withWriter(shared, work.at, phases);
  shared.close();
  if (sink === 0) throw new Error("nothing was found");
  const figures: Figure[] = [
    { what: "ranges held", value: count, unit: "" },
    { what: "load(), rows checked, joined, built and published", value: loadMs, unit: "ms" },
    { what: "set() for each range, ascending", value: (setsMs * 1000) / count, unit: "us" },
    { what: "floor: binary search over plain Uint32Arrays in the thread, then the country", value: median(times.floor), unit: "ns" },
    { what: "the same search, only which range it is", value: median(times.search), unit: "ns" },
    { what: "lookup, only whether there is a range (has)", value: median(times.has), unit: "ns" },
    { what: "lookup, zero-copy (at)", value: median(times.at), unit: "ns" },
    { what: "lookup, decoded copy (get)", value: median(times.get), unit: "ns" },
    { what: "lookup (at) against the floor", value: ratio(times.at, times.floor), unit: "x" },
    { what: "lookup (has) against the search alone", value: ratio(times.has, times.search), unit: "x" },
    { what: "the same, map filled by set() and never compacted", value: ratio(slowTimes.at, slowTimes.floor), unit: "x" },
    { what: "bytes a range, shared, all structure included", value: used / count, unit: "B" },
    { what: "bytes a range, typed arrays (lo, hi, country, version), in each thread", value: 14, unit: "B" },
    { what: "bytes a range, array of objects, in each thread", value: objectBytes(entries), unit: "B" },
    { what: "lookup (at) with the writer at 1,000 updates/s", value: writer.busy, unit: "ns" },
    { what: "updates made a second meanwhile", value: writer.rate, unit: "" },
    { what: "lookups a second with that writer, against none", value: writer.ratio, unit: "x" },
  ];
  return { figures, notes: [] };
}

/** Heap that the same data takes as plain objects. */
function objectBytes(entries: readonly [number, number, { country: number; version: number }][]): number {
  const collect = (globalThis as { gc?: () => void }).gc;
  collect?.();
  const before = process.memoryUsage().heapUsed;
  const copy = entries.map(([lo, hi, { country, version }]) => ({ lo, hi, country, version }));
  collect?.();
  return (process.memoryUsage().heapUsed - before) / copy.length;
}

/** Phases with and without updates, in turn; the writer is a worker that is told when. */
async function withWriter(shared: Shared, lookups: () => void, phases: number): Promise<{ busy: number; rate: number; ratio: number }> {
  const control = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL("./ip-writer.js", import.meta.url), { workerData: { handle: shared.handle, control } });
  shared.watch(worker);
  await new Promise((resolve) => worker.once("message", resolve));
  const ns: [number[], number[]] = [[], []];
  let busyMs = 0;
  for (let phase = 0; phase < phases; phase++) {
    const busy = (phase % 2) as 0 | 1;
    Atomics.store(control, 0, busy);
    Atomics.notify(control, 0);
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < PHASE_MS) {
      lookups();
      calls += KEYS;
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    const ms = performance.now() - start;
    ns[busy].push((ms * 1e6) / calls);
    if (busy === 1) busyMs += ms;
  }
  Atomics.store(control, 0, -1);
  Atomics.notify(control, 0);
  await new Promise((resolve) => worker.once("exit", resolve));
  return { busy: median(ns[1]), rate: ((control[1] as number) * 1000) / busyMs, ratio: ratio(ns[0], ns[1]) };
}
