/**
 * What a read-side section costs, beyond the same call and the same load without one. Each flavor is measured in a thread of its own:
 * a program has one flavor, and V8 compiles the calls for it alone.
 */

import { Worker } from "node:worker_threads";
import { cell, difference, type Figure, median } from "../rounds.js";
import type { Flavor } from "./flavors.js";
import { LIBURCU_FLAVORS, type Liburcu } from "./liburcu.js";

/** Ns a call in one round. */
export type SectionTimes = Readonly<Partial<Record<SectionRow, number>>>;
export type SectionRow = "call" | "enter/exit" | "readLock/readUnlock" | "read(fn)" | "nested" | "await, call" | "whole turn";

/** What stands in the section. */
export const BODIES = {
  count: "a section around a call that counts (floor: the call)",
  load: "a section around a call that loads a pointer (floor: the call)",
  many: "a section around eight functions in turn, which V8 cannot inline (floor: another function that calls them)",
} as const;
export type Body = keyof typeof BODIES;

/** What a section thread is given. */
export interface SectionJob {
  readonly flavor: Flavor;
  readonly body: Body;
}

const TURN = "a whole turn with one section (floor: an await and the call)";
const WARM_UP = 4;
const GOALS: Readonly<Record<Flavor, number>> = { "event-loop": 2, phase: 60, tree: 2 };

export async function sections(flavors: readonly Flavor[], liburcu: Liburcu | undefined, seconds: number): Promise<Figure[]> {
  const bodies = Object.keys(BODIES) as Body[];
  const threads = bodies.flatMap((body) =>
    flavors.map((flavor) => ({ flavor, body, thread: new SectionThread({ flavor, body }), times: [] as SectionTimes[] })),
  );
  const theirs = LIBURCU_FLAVORS.map((flavor) => ({ flavor, times: [] as SectionTimes[] }));
  const rounds = Math.max(3, Math.round(seconds / (0.05 * threads.length + 0.2)));
  for (let round = 0; round < rounds + WARM_UP; round++) {
    for (const { thread, times } of threads) {
      const time = await thread.round();
      if (round >= WARM_UP) times.push(time);
    }
    if (liburcu === undefined || round < WARM_UP) continue;
    for (const { flavor, times } of theirs) {
      const { load, section, turn } = liburcu.sections(flavor, 1_000_000);
      times.push({ call: load, "readLock/readUnlock": section, "await, call": load, "whole turn": turn });
    }
  }
  for (const { thread } of threads) await thread.end();
  return [
    ...threads.flatMap(({ flavor, body, times }) => rowsOf(flavor, body, times, body === "many" ? undefined : GOALS[flavor])),
    ...theirs.flatMap(({ flavor, times }) => rowsOf(`liburcu ${flavor}`, "load", times)),
  ];
}

/** For each kind of section what it takes, and how much more than its floor. */
function rowsOf(name: string, body: Body, times: readonly SectionTimes[], goal?: number): Figure[] {
  const [first] = times;
  if (first === undefined) return [];
  const figures: Figure[] = [];
  const of = (kind: SectionRow): number[] => times.map((time) => time[kind] ?? Number.NaN);
  const row = (table: string, label: string, kind: SectionRow, floor: SectionRow, most?: number): void => {
    if (first[kind] === undefined || first[floor] === undefined) return;
    figures.push(cell(table, `${name}, ${label}`, "in all", median(of(kind)), "ns"));
    figures.push(cell(table, `${name}, ${label}`, "over the floor", difference(of(kind), of(floor)), "ns", most));
  };
  figures.push(cell(BODIES[body], `${name}, floor`, "in all", median(of("call")), "ns"));
  row(BODIES[body], "enter/exit (structures)", "enter/exit", "call", goal);
  row(BODIES[body], "readLock/readUnlock", "readLock/readUnlock", "call", goal);
  row(BODIES[body], "read(fn)", "read(fn)", "call", goal);
  row(BODIES[body], "read(fn) in a section", "nested", "call");
  if (body === "load") row(TURN, "online, section, offline", "whole turn", "await, call");
  return figures;
}

/** A thread that measures one flavor, a round at a time. */
class SectionThread {
  readonly #worker: Worker;

  constructor(job: SectionJob) {
    this.#worker = new Worker(new URL("./section-thread.js", import.meta.url), { workerData: job });
  }

  round(): Promise<SectionTimes> {
    return new Promise((resolve, reject) => {
      this.#worker.once("error", reject);
      this.#worker.once("message", (times: SectionTimes) => {
        this.#worker.off("error", reject);
        resolve(times);
      });
      this.#worker.postMessage("round");
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
