/** A thread that holds one peer's map and does what it is told: lookups, sets, both in turns of its event loop until a given time. */

import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { ThreadTime } from "../thread-time.js";
import { Data, type Key, KINDS, type Kind, type Value } from "./data.js";
import { type Held, MissingPeerError, SETS_A_TURN, turn } from "./held.js";
import { type Answer, type Job, now, type Ready, type ThreadData } from "./jobs.js";
import { lookUp, lookUpNumbers } from "./loops.js";
import { openPeer } from "./peers.js";

/** Lookups in a turn of a reader. */
const GETS_A_TURN = 2048;
/** Ms between two bursts of a paced writer. */
const BURST_MS = 10;

/** Of the maps beside the measured one. */
const BESIDE_SIZE = 100;
const BESIDE_ROUNDS = 20;

const { peer, kind, size, seed, directory, handle, thread, keepTexts, beside } = workerData as ThreadData;
const data = new Data(kind, size, seed);
/** The strings of all entries, made once. */
const texts: readonly string[] = keepTexts && kind !== "u32" ? Array.from({ length: size }, (_, i) => data.text(i)) : [];
let held: Held;
const time = new ThreadTime();
/** Draws that are used up; each thread begins elsewhere. */
let drawn = Math.floor((thread * data.draws.length) / 3);
let version = 0;

/** Where the next draws begin. */
function draw(count: number): number {
  if (drawn + count > data.draws.length) drawn = 0;
  const from = drawn;
  drawn += count;
  return from;
}

const keyOf = (index: number): Key => (texts.length > 0 ? (texts[index] as string) : data.key(index));

/** A value that was not there before. */
function nextValue(index: number): Value {
  version = (version + 1) & 0xfffff;
  if (kind === "json") return { id: index + 1, hits: version, name: `thing ${index}` };
  if (kind === "struct") return { id: index + 1, hits: version };
  return version;
}

async function open(): Promise<Ready> {
  held = await openPeer(peer, { kind, size, directory, handle });
  if (beside) for (const other of KINDS) if (other !== kind) await useBeside(other);
  const before = heapUsed();
  const start = performance.now();
  if (handle === undefined) await fill();
  const took = performance.now() - start;
  const heap = heapUsed() - before;
  if (handle === undefined) verify();
  return { handle: held.handle, bytes: held.bytes(), heap, heapRead: heapUsed() - before, fill: (took * 1e6) / size };
}

/** A small map of another kind, looked up in until V8 has compiled that. */
async function useBeside(other: Kind): Promise<void> {
  const { map } = await openPeer(peer, { kind: other, size: BESIDE_SIZE, directory: `${directory}-${other}`, handle: undefined });
  const its = new Data(other, BESIDE_SIZE, seed);
  for (const [key, value] of its.entries()) map.set(key, value);
  await turn();
  for (let i = 0; i < BESIDE_ROUNDS; i++)
    for (const how of other === "u32" ? (["numbers"] as const) : (["fresh", "bytes"] as const)) lookUp(map, its, how, 0, its.draws.length, []);
}

async function fill(): Promise<void> {
  for (let i = 0; i < size; i++) {
    held.map.set(keyOf(i), data.value(i));
    if (i % SETS_A_TURN === SETS_A_TURN - 1) {
      await held.settle?.();
      await turn();
    }
  }
  await held.settle?.();
  await held.finish?.();
}

/** Each key gives its value. */
function verify(): void {
  for (let i = 0; i < size; i++) {
    const value = held.map.get(data.key(i));
    if (Data.counts(value) !== i + 1) throw new Error(`${peer} gives ${JSON.stringify(value)} for entry ${i}, ${JSON.stringify(data.key(i))}`);
  }
}

function heapUsed(): number {
  const collect = (globalThis as { gc?: () => void }).gc;
  collect?.();
  collect?.();
  return getHeapStatistics().used_heap_size;
}

async function read(until: number): Promise<Answer> {
  const start = now();
  const begun = time.now();
  let calls = 0;
  let sum = 0;
  do {
    sum += lookUpNumbers(held.map, data, draw(GETS_A_TURN), GETS_A_TURN);
    calls += GETS_A_TURN;
    await turn();
  } while (now() < until);
  if (!(sum > 0)) throw new Error(`${peer}: nothing was found`);
  return { calls, ms: now() - start, ran: time.now() - begun };
}

/** All of a turn's sets. Each writer has keys of all buckets. */
function setBatch(count: number): void {
  const from = draw(count);
  for (let i = from; i < from + count; i++) {
    const index = data.draws[i] as number;
    held.map.set(keyOf(index), nextValue(index));
  }
}

async function write(until: number, rate: number | undefined): Promise<Answer> {
  const start = now();
  const begun = time.now();
  let calls = 0;
  let bursts = 0;
  do {
    bursts++;
    const count = rate === undefined ? SETS_A_TURN : Math.round((rate * BURST_MS) / 1000);
    setBatch(count);
    calls += count;
    await held.settle?.();
    const wait = rate === undefined ? 0 : start + bursts * BURST_MS - now();
    await (wait > 0 ? new Promise((resolve) => setTimeout(resolve, wait)) : turn());
  } while (now() < until);
  await held.finish?.();
  return { calls, ms: now() - start, ran: time.now() - begun };
}

async function work(job: Job): Promise<Answer> {
  if (job.type === "get") return { ns: lookUp(held.map, data, job.how, draw(job.count), job.count, texts).ns };
  if (job.type === "read") return read(job.until);
  if (job.type === "write") return write(job.until, job.rate);
  await held.close();
  return {};
}

async function answer(work: () => Promise<Answer>): Promise<void> {
  let answered: Answer;
  try {
    answered = await work();
  } catch (error) {
    answered = { failed: error instanceof Error ? error.message : String(error), missing: error instanceof MissingPeerError };
  }
  parentPort?.postMessage(answered);
}

parentPort?.on("message", (job: Job) => answer(() => work(job)));
await answer(async () => ({ ready: await open() }));
