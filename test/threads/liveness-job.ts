/** What workers of liveness.test.ts do, in either kind of Worker. */

import { Shared, type SharedHandle } from "../../src/index.js";

export interface LivenessJob {
  readonly handle: SharedHandle;
  /**
   * How it lives: turn by turn, in one turn that does not end, likewise but mostly in a call that nothing interrupts (all with a section left
   * open), or until nothing keeps it alive.
   */
  readonly mode: "turns" | "spin" | "sort" | "end";
  /** What it is doing: counts up as long as it lives. */
  readonly counter: SharedArrayBuffer;
}

/** Attach, say its number, and live. */
export function live({ handle, mode, counter }: LivenessJob, say: (thread: number) => void): void {
  const words = new Int32Array(counter);
  const shared = Shared.attach(handle);
  say(shared.domain.arena.heap.slot.thread);
  if (mode === "end") return;
  const turn = (): void => {
    for (const end = performance.now() + 2; performance.now() < end; ) Atomics.add(words, 0, 1);
    setTimeout(turn, 0);
  };
  // In a later turn, so that it holds its liveness lock before.
  setTimeout(() => {
    shared.domain.readLock();
    Atomics.store(words, 1, 1);
    while (mode === "spin") Atomics.add(words, 0, 1);
    const numbers = mode === "sort" ? Float64Array.from({ length: 1e6 }, () => Math.random()) : [];
    while (mode === "sort") {
      Float64Array.from(numbers).sort();
      Atomics.add(words, 0, 1);
    }
    turn();
  }, 30);
}
