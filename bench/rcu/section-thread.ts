/**
 * Measures the sections of one flavor around one body, a round at each message. What the body loads or counts is used at the end, and
 * its load is atomic, so V8 can drop none of it. Each loop is written out, for V8 keeps what it learns of a call by the place of the call.
 */

import { parentPort, workerData } from "node:worker_threads";
import { inTurn } from "../rounds.js";
import { newBlock } from "./block.js";
import { domainOf, sharedOf } from "./flavors.js";
import type { SectionJob, SectionTimes } from "./sections.js";

const CALLS = 400_000;
const TURNS = 20_000;

const { flavor, body } = workerData as SectionJob;
const shared = sharedOf(flavor);
if (shared === undefined) throw new Error(`this build has no ${flavor} flavor`);
const domain = domainOf(shared);
const { memory } = domain.arena;
const pointer = newBlock(domain);
const { reader } = domain;
let sink = 0;

const load = (): void => {
  sink = (sink + memory.load(pointer)) | 0;
};
const count = (): void => {
  sink = (sink + 1) | 0;
};
const add = (more: number): void => {
  sink = (sink + memory.load(pointer) + more) | 0;
};
const look = body === "count" ? count : load;
const apply = (fn: () => void): void => fn();

const kinds: Record<string, () => void> = {
  call: () => {
    for (let i = 0; i < CALLS; i++) look();
  },
  "readLock/readUnlock": () => {
    for (let i = 0; i < CALLS; i++) {
      const lock = domain.readLock();
      look();
      domain.readUnlock(lock);
    }
  },
  "read(fn)": () => {
    for (let i = 0; i < CALLS; i++) domain.read(look);
  },
  nested: () => {
    const lock = domain.readLock();
    for (let i = 0; i < CALLS; i++) domain.read(look);
    domain.readUnlock(lock);
  },
};
if (reader?.enter !== undefined && reader.exit !== undefined) {
  const online = reader as { enter(): void; exit(): void };
  kinds["enter/exit"] = () => {
    for (let i = 0; i < CALLS; i++) {
      online.enter();
      look();
      online.exit();
    }
  };
}

/** Ns of one function after another. */
function manyKinds(): Record<string, () => void> {
  const many = Array.from({ length: 8 }, (_, i) => new Function("add", `return () => add(${i + 1})`)(add) as () => void);
  return {
    call: () => {
      for (let i = 0; i < CALLS; i++) apply(many[i & 7] as () => void);
    },
    "read(fn)": () => {
      for (let i = 0; i < CALLS; i++) domain.read(many[i & 7] as () => void);
    },
  };
}

/** Ns a turn: whatever goes offline when the stack empties does so before the next one begins. */
async function turns(section: () => void): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < TURNS; i++) {
    section();
    await undefined;
  }
  return ((performance.now() - start) * 1e6) / TURNS;
}

const measured = body === "many" ? manyKinds() : kinds;

parentPort?.on("message", async () => {
  domain.read(look); // online
  const times = inTurn(1, 0, CALLS, measured);
  const round: Record<string, number> = Object.fromEntries(Object.entries(times).map(([name, [time = Number.NaN]]) => [name, time]));
  await undefined;
  round["await, call"] = await turns(look);
  round["whole turn"] = await turns(() => domain.read(look));
  if (sink === 0.5) throw new Error("never"); // what was loaded is used
  parentPort?.postMessage(round as SectionTimes);
});
