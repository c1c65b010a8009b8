/**
 * What main and its workers say to each other.
 */

import type { Shared } from "../../index.js";
import type { Ranges } from "./ranges.js";

/** The tables of one family that every thread reads. */
export interface Tables {
  readonly base: Ranges;
  readonly gaps: Ranges;
  /** What the writer last did to each half (plan.ts): its own until it has stopped, then main's. */
  readonly halves: Uint32Array;
}

export interface WorkerInput {
  readonly handle: Shared["handle"];
  readonly control: SharedArrayBuffer;
  readonly ipv4: Tables;
  readonly ipv6: Tables;
  readonly seed: number;
  /** Number of this thread, from 0; the writer is the last one. */
  readonly thread: number;
  /** Updates a second (the writer's). */
  readonly updates: number;
}

/** Main says "go" once, to all, when all are ready. */
export type FromMain = "go";

export type FromWorker = { readonly type: "ready" } | { readonly type: "wrong"; readonly text: string } | { readonly type: "done" };
