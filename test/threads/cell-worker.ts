/** A thread that adds to its own count in a cell that all share, by commits that merge, until it is killed; told in a word of its own what it has done. */

import { parentPort, workerData } from "node:worker_threads";
import { mergeObjects, Shared } from "../../src/index.js";
import { type CellJob, type Counts, counts } from "./cell-job.js";

const { index, done, ...handle } = workerData as CellJob;
const cell = Shared.attach(handle).cell("counts", counts);
const mine = new Int32Array(done);
parentPort?.postMessage("begun");
for (;;) {
  const copy = cell.copy() as { value: Counts; base: Counts; version: number };
  const next = (copy.base[index] as number) + 1;
  copy.value[index] = next;
  cell.commit(copy, { merge: mergeObjects });
  Atomics.store(mine, index, next);
}
