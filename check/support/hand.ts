/**
 * The worker's side of a crew (see crew.ts): its orders, and how it says what it is doing.
 */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Shared, type SharedHandle, TooManyThreadsError } from "../../src/index.js";
import type { Orders, Report } from "./crew.js";
import { LIMIT } from "./watchdog.js";

/** A worker that belongs to a crew. */
export interface Self<Job, Handle = SharedHandle> {
  readonly handle: Handle;
  readonly name: string;
  readonly job: Job;
  /** Whether the crew has been told to stop. */
  stopping(): boolean;
  /** Say what is being done, for the watchdog. */
  step(step: number): void;
  /** Count something done. */
  beat(): void;
  begun(): void;
  result(value: unknown): void;
  /** Run `turn` once a turn of the event loop until the crew stops; then `end`. */
  loop(turn: () => void, end: () => void): void;
}

/** Attach; where others come and go at the same time, slots are free again only after a grace period. */
function attach(handle: SharedHandle): Shared {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (const deadline = performance.now() + LIMIT / 2; ; ) {
    try {
      return Shared.attach(handle);
    } catch (error) {
      if (!(error instanceof TooManyThreadsError) || performance.now() > deadline) throw error;
      Atomics.wait(pause, 0, 0, 2);
    }
  }
}

/** A worker that is attached. */
export interface AttachedSelf<Job> extends Self<Job> {
  readonly shared: Shared;
}

/** Read the orders, and attach. */
export function hand<Job>(): AttachedSelf<Job> {
  const self = orders<Job>();
  return { ...self, shared: attach(self.handle) };
}

/** Read the orders. */
export function orders<Job, Handle = SharedHandle>(): Self<Job, Handle> {
  const { handle, control, words: mine, name, job } = workerData as Orders<Job, Handle>;
  const words = new Int32Array(control);
  const port = parentPort as MessagePort;
  const say = (report: Report): void => port.postMessage(report);
  const stopping = (): boolean => Atomics.load(words, 0) !== 0;
  return {
    handle,
    name,
    job,
    stopping,
    step: (step) => {
      Atomics.store(words, mine, step);
    },
    beat: () => {
      Atomics.add(words, mine + 1, 1);
    },
    begun: () => say({ type: "begun" }),
    result: (value) => say({ type: "result", value }),
    loop(turn, end) {
      const next = (): void => {
        if (stopping()) {
          end();
          return;
        }
        turn();
        setImmediate(next);
      };
      next();
    },
  };
}
