/**
 * The time that a thread has run: on a machine that others use too, what it waited for a core is no part of what its work costs. Linux tells it;
 * elsewhere it is the time on the wall.
 */

import { openSync, readlinkSync, readSync } from "node:fs";

/** The scheduler adds up a thread's time when it stops: so short a sleep, in ms. */
const STOP_MS = 0.02;

export class ThreadTime {
  readonly #file: number | undefined = openSchedule();
  readonly #text: Buffer = Buffer.alloc(128);
  readonly #word: Int32Array = new Int32Array(new SharedArrayBuffer(4));

  /** Whether it is the thread's own time. */
  get own(): boolean {
    return this.#file !== undefined;
  }

  /** Ms that this thread has run. Takes about 0.03 of them itself. */
  now(): number {
    if (this.#file === undefined) return performance.now();
    Atomics.wait(this.#word, 0, 0, STOP_MS);
    const length = readSync(this.#file, this.#text, 0, this.#text.length, 0);
    return Number(this.#text.toString("latin1", 0, length).split(" ", 1)[0]) / 1e6;
  }
}

/** Ns that the thread ran, ns that it waited, and how often, as text. */
function openSchedule(): number | undefined {
  try {
    return openSync(`/proc/${readlinkSync("/proc/thread-self")}/schedstat`, "r");
  } catch {
    return undefined;
  }
}
