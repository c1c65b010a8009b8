/** What the explorer keeps of each thread beside its recording, journalled in the book. */

import type { Undo } from "./undo.js";

export const Field = {
  /** One of `Sleep`. */
  sleeping: 0,
  /** The notify that woke it: depth + 1. */
  notifiedBy: 1,
  /** Length of the spin cycle that its next operation begins again; 0: no spin. */
  spin: 2,
  /** Operations until it gives that spin up by itself; 0: never, and it is parked. */
  burst: 3,
  /** A parked spin that was let go on as a last resort. */
  goesOn: 4,
  /** Its last step: depth + 1. */
  lastStep: 5,
} as const;
type Field = (typeof Field)[keyof typeof Field];
const FIELDS = 6;

export const Sleep = { awake: 0, asleep: 1, notified: 2 } as const;

export class ThreadStates {
  readonly #book: Undo;
  readonly #base: number;

  constructor(book: Undo, threads: number) {
    this.#book = book;
    this.#base = book.allocate(FIELDS * threads);
  }

  get(thread: number, field: Field): number {
    return this.#book.get(this.#base + thread * FIELDS + field);
  }

  set(thread: number, field: Field, value: number): void {
    this.#book.set(this.#base + thread * FIELDS + field, value);
  }

  /** It spins and will not stop by itself. */
  parked(thread: number): boolean {
    return this.get(thread, Field.spin) !== 0 && this.get(thread, Field.burst) === 0;
  }
}
