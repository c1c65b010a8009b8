/** Ns of reading a shared.cell that has not changed, beside a local variable and an atomic load. */

import { Worker } from "node:worker_threads";
import { cell, type Figure } from "../rounds.js";
import type { CellAnswer, CellJob, CellLoop } from "./cell-thread.js";
import type { Part, Plan } from "./plan.js";
import { measure } from "./rounds.js";

const TABLE = "cell, read and unchanged";
const CALLS = 2 ** 21;
const GOAL = 5;
/** Beside a row of lookups. */
const WEIGHT = 2;

const COLUMNS: readonly { readonly loop: CellLoop; readonly text: string; readonly goal?: number }[] = [
  { loop: "local", text: "an object in a variable" },
  { loop: "atomic", text: "an atomic load" },
  { loop: "number", text: "shared.cell of u32", goal: GOAL },
  { loop: "object", text: "shared.cell of a json object", goal: GOAL },
];

export const cells: Part = {
  weight: (plan) => (plan.wants(TABLE, "get") ? WEIGHT : 0),
  run,
};

async function run(plan: Plan, seconds: number): Promise<Figure[]> {
  const workers = new Map<CellLoop, Worker>();
  try {
    const subjects = COLUMNS.map(({ loop, text }) => {
      const worker = new Worker(new URL("./cell-thread.js", import.meta.url));
      workers.set(loop, worker);
      return { name: text, measure: () => ask(worker, { loop, calls: plan.brief ? 1000 : CALLS }) };
    });
    const measured = await measure(plan, subjects, seconds);
    plan.noteRounds(TABLE, measured);
    return COLUMNS.map(({ text, goal }) => cell(TABLE, "get", text, measured.median(text), "ns", goal));
  } finally {
    for (const worker of workers.values()) await worker.terminate();
  }
}

function ask(worker: Worker, job: CellJob): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.removeAllListeners();
    worker.once("error", reject);
    worker.once("message", ({ ns }: CellAnswer) => resolve(ns));
    worker.postMessage(job);
  });
}
