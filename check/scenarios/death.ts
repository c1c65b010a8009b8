/** Threads that end without a word, and those who see to what they leave. */

import type { Address } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";
import { MortalMemory } from "../mortal-memory.js";
import { Actor, user } from "./support.js";

export const fateOf = (thread: number): Address => user(4 + thread);
const goneOf = (thread: number): Address => user(8 + thread);

/** The thread ends here; what is known of it is only that it has. */
export function end(a: Actor): void {
  a.signal(goneOf(a.index));
}

/** Mortal only while a word of its own, which it writes, is not 0: for scenarios that would be too large else. */
class MortalWhile extends MortalMemory {
  readonly #word: Address;
  #isSet = false;

  constructor(inner: Memory, fate: Address, word: Address) {
    super(inner, fate);
    this.#word = word;
  }

  override write(address: Address, value: number): void {
    super.write(address, value);
    if (address === this.#word) this.#isSet = value !== 0;
  }

  protected override passes(isRead: boolean): boolean {
    return super.passes(isRead || !this.#isSet);
  }
}

/** Run a thread that `kill` may end between any two of its accesses; or only of those that it makes while a word, which it writes, is not 0. */
export function mortal(a: Actor, life: (a: Actor) => void, onlyWhile?: Address): void {
  const fate = fateOf(a.index);
  const memory = onlyWhile === undefined ? new MortalMemory(a.memory, fate) : new MortalWhile(a.memory, fate, onlyWhile);
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
