/** Threads that end without a word, and those who see to what they leave. */

import type { Address } from "../../src/memory/address.js";
import { MortalMemory } from "../mortal-memory.js";
import { Actor, user } from "./support.js";

export const fateOf = (thread: number): Address => user(4 + thread);
const goneOf = (thread: number): Address => user(8 + thread);

/** The thread ends here; what is known of it is only that it has. */
export function end(a: Actor): void {
  a.signal(goneOf(a.index));
}

/** Run a thread that `kill` may end between any two of its accesses. */
export function mortal(a: Actor, life: (a: Actor) => void): void {
  const memory = new MortalMemory(a.memory, fateOf(a.index));
  memory.live(() => life(new Actor(a.index, memory, a.tools, a.layout)));
  end(a);
}

/** Wait until a thread has ended, as the host tells of it. */
export function awaitEnd(a: Actor, thread: number): void {
  a.await(goneOf(thread));
}

/** End a mortal thread wherever it is. */
export function kill(a: Actor, thread: number): void {
  a.memory.store(fateOf(thread), 1);
  awaitEnd(a, thread);
}

/** Reap a thread that has ended. */
export function reap(a: Actor, thread: number): void {
  a.domain.reap(thread + 1);
}
