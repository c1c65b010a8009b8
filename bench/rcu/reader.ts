/**
 * A reader thread: idle (attached, asleep in its event loop) until it gets an order, then turns of work, each followed by a macrotask,
 * until the control word moves on. What it did and what the scheduler did with it goes back when it rests again.
 */

import { readFileSync, readlinkSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { Address } from "../../src/memory/address.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { Shared } from "../../src/shared/shared.js";
import { readBlock } from "./block.js";
import { type BenchDomain, domainOf } from "./flavors.js";
import type { Message, Order, Place, ReaderData, Reply, Rested, Scheduled } from "./readers.js";

/** Most samples of one kind that a run keeps. */
const MOST_SAMPLES = 20_000;

const { places, control, index } = workerData as ReaderData;
const port = parentPort as NonNullable<typeof parentPort>;
const domains = places.map((place) => (place.attach ? domainOf(Shared.attach(place.handle)) : undefined));
const memories = places.map(({ handle }) => new SharedMemory(handle.buffer));
let sink = 0;

/** So many reads, in a section of the domain or in none. One function for both, so that V8 makes the same code of the reading. */
function section(domain: BenchDomain | undefined, memory: SharedMemory, pointer: Address, reads: number): void {
  const lock = domain?.readLock();
  sink = (sink + readBlock(memory, (domain === undefined ? memory.load(pointer) : domain.dereference(pointer)) as Address, reads)) | 0;
  domain?.readUnlock(lock);
}

const rate = readsPerMicrosecond();

/** How many reads make a microsecond in this thread. */
function readsPerMicrosecond(): number {
  const READS = 100_000;
  const [place] = places as readonly [Place];
  const [memory] = memories as [SharedMemory];
  const rates = Array.from({ length: 30 }, () => {
    const start = performance.now();
    section(undefined, memory, place.pointer, READS);
    return READS / ((performance.now() - start) * 1000);
  });
  return Math.max(...rates);
}

async function work(order: Order): Promise<Rested> {
  const { place, sections, microseconds, sectioned } = order;
  const reads = Math.max(1, Math.round(microseconds * rate));
  const domain = sectioned ? domains[place] : undefined;
  const memory = memories[place] as SharedMemory;
  const { pointer } = places[place] as Place;
  const gaps: number[] = [];
  const lateness: number[] = [];
  const probe = order.probe === true ? probeTimers(lateness) : () => {};
  const before = scheduled();
  const start = performance.now();
  let turns = 0;
  let left = start;
  while (Atomics.load(control, 0) === order.epoch) {
    const begun = performance.now();
    if (turns > 0 && gaps.length < MOST_SAMPLES) gaps.push((begun - left) * 1000);
    for (let i = 0; i < sections; i++) section(domain, memory, pointer, reads);
    turns++;
    Atomics.add(control, 1 + index, 1);
    left = performance.now();
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
  probe();
  const milliseconds = performance.now() - start;
  return { type: "rested", index, turns, milliseconds, gaps, lateness, sum: sink, scheduled: since(before, scheduled()) };
}

/** Timers of a millisecond, one after another, and how late each is, in ms. Gives what stops them. */
function probeTimers(lateness: number[]): () => void {
  let due = performance.now() + 1;
  let timer: NodeJS.Timeout;
  const next = (): void => {
    const now = performance.now();
    if (lateness.length < MOST_SAMPLES) lateness.push(now - due);
    due = now + 1;
    timer = setTimeout(next, 1);
  };
  timer = setTimeout(next, 1);
  return () => clearTimeout(timer);
}

/** What Linux has counted of this thread so far; elsewhere nothing. */
function scheduled(): Scheduled | undefined {
  try {
    const task = `/proc/${readlinkSync("/proc/thread-self")}`;
    const [ran = 0, waited = 0] = readFileSync(`${task}/schedstat`, "utf8").split(" ").map(Number);
    const migrations = Number(/nr_migrations\s*:\s*(\d+)/.exec(readFileSync(`${task}/sched`, "utf8"))?.[1] ?? Number.NaN);
    return { ranMs: ran / 1e6, waitedMs: waited / 1e6, migrations };
  } catch {
    return undefined;
  }
}

const since = (before: Scheduled | undefined, after: Scheduled | undefined): Scheduled | undefined =>
  before === undefined || after === undefined
    ? undefined
    : { ranMs: after.ranMs - before.ranMs, waitedMs: after.waitedMs - before.waitedMs, migrations: after.migrations - before.migrations };

const reply = (message: Reply): void => port.postMessage(message);

port.on("message", (message: Message) => {
  if (message.type === "ping") reply({ type: "pong", index });
  else void work(message).then(reply);
});
reply({ type: "ready", index });
