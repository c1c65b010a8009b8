/** A thread that reads one thing again and again: a variable, a shared word, a cell. */

import { parentPort } from "node:worker_threads";
import { ThreadTime } from "../thread-time.js";
import { openCells } from "./peers/shared-cell.js";

export type CellLoop = "local" | "atomic" | "number" | "object";
export interface CellJob {
  readonly loop: CellLoop;
  readonly calls: number;
}
export interface CellAnswer {
  readonly ns: number;
}

interface Settings {
  readonly limit: number;
}

const time = new ThreadTime();
const { numbers, objects } = openCells({ limit: 7 });
const word = new Int32Array(new SharedArrayBuffer(4)).fill(7);
/** Assigned again, so that V8 does not take it for a constant. */
let variable: Settings = { limit: 0 };

const LOOPS: Readonly<Record<CellLoop, (calls: number) => number>> = {
  local: (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += variable.limit;
    return sum;
  },
  atomic: (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += Atomics.load(word, 0);
    return sum;
  },
  number: (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += numbers.get();
    return sum;
  },
  object: (calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += objects.get().limit;
    return sum;
  },
};

parentPort?.on("message", ({ loop, calls }: CellJob) => {
  variable = { limit: 7 };
  const start = time.now();
  const sum = LOOPS[loop](calls);
  const ns = ((time.now() - start) * 1e6) / calls;
  if (sum !== 7 * calls) throw new Error(`${loop}: the sum is ${sum}`);
  parentPort?.postMessage({ ns } satisfies CellAnswer);
});
