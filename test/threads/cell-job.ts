/** What the threads of cell.test.ts are told. */

import type { SharedHandle } from "../../src/index.js";
import { jsonOf } from "../../src/values/json.js";

/** How often each thread has committed. */
export type Counts = Record<string, number>;
export const counts: ReturnType<typeof jsonOf<Counts>> = jsonOf<Counts>();

export interface CellJob extends SharedHandle {
  readonly index: number;
  /** A word for each thread: the last count whose commit it has seen succeed. */
  readonly done: SharedArrayBuffer;
}
