/**
 * A `Memory` whose thread is killed, as `worker.terminate()` kills: between any two accesses, and no `finally` block of it does
 * anything to the memory any more.
 *
 * When, is for the explorer to try out: before each access the thread loads a word, and is dead once that is not 0. Whoever
 * stores it may do so at any moment, so every instant is explored.
 */

import type { Address } from "../src/memory/address.js";
import type { Memory } from "../src/memory/memory.js";
import { PassingMemory } from "./passing-memory.js";

class Killed extends Error {}

export class MortalMemory extends PassingMemory {
  readonly #fate: Address;
  #dead = false;

  /** @param fate kills when it is not 0 */
  constructor(inner: Memory, fate: Address) {
    super(inner);
    this.#fate = fate;
  }

  /** Run what the thread does until it ends or is killed. */
  live(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!this.#dead) throw error;
    }
    this.#dead = true; // its microtasks do nothing either
  }

  // What is cut off by a throw could be caught by the code under test, so its later accesses come to nothing, too.
  protected override passes(isRead: boolean): boolean {
    if (this.#dead) return false;
    // A read has no instant of its own: nobody can tell whether it took place.
    if (isRead || this.inner.load(this.#fate) === 0) return true;
    this.#dead = true;
    throw new Killed();
  }
}
