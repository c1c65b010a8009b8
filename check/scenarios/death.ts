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

/** Part of a thread's life, by words of its own. */
export interface Span {
  /** From where it writes here what is not 0. */
  readonly from: Address;
  /** To where it stores here. */
  readonly to: Address;
}

/** Mortal only in a part of its life: for scenarios that would be too large else. */
class MortalIn extends MortalMemory {
  readonly #span: Span;
  #isIn = false;

  constructor(inner: Memory, fate: Address, span: Span) {
    super(inner, fate);
    this.#span = span;
  }

  override write(address: Address, value: number): void {
    super.write(address, value);
    if (address === this.#span.from) this.#isIn = value !== 0;
  }

  override store(address: Address, value: number): void {
    super.store(address, value);
    if (address === this.#span.to) this.#isIn = false;
  }

  protected override passes(isRead: boolean): boolean {
    return super.passes(isRead || !this.#isIn);
  }
}

/** Run a thread that `kill` may end between any two of its accesses; or only of those in a part of its life. */
export function mortal(a: Actor, life: (a: Actor) => void, onlyIn?: Span): void {
  const fate = fateOf(a.index);
  const memory = onlyIn === undefined ? new MortalMemory(a.memory, fate) : new MortalIn(a.memory, fate, onlyIn);
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

/** A thread that ends the first, which is mortal, reaps it, and goes on then. */
export const afterDeath =
  (then: (a: Actor) => unknown = () => {}): ((a: Actor) => unknown) =>
  (a) => {
    kill(a, 0);
    reap(a, 0);
    return then(a);
  };
