/**
 * Callbacks that each thread registered and that ran, counted beside the library's own counts (rcu/layout.ts: QUEUED, RUN): so a barrier can be checked exactly, with kills
 * too. It lies outside the arena, so that no defect there can spoil it.
 *
 *   by domain and thread   POSTED: counted after call() gave back, so never more than was registered   RAN: counted in the callback
 */

import type { BarrierResult } from "../../src/rcu/barrier.js";
import type { Domain } from "../../src/rcu/domain.js";

/** Threads that there is room for: those beyond are not counted. */
const THREADS = 32_768;
const DOMAINS = 2;
const Word = { POSTED: 0, RAN: 1, SIZE: 2 } as const;

interface Counts {
  readonly posted: number;
  readonly ran: number;
}

export class Ledger {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4 * THREADS * DOMAINS * Word.SIZE)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  #at(domain: number, thread: number): number {
    return ((thread % THREADS) * DOMAINS + Math.min(domain, DOMAINS - 1)) * Word.SIZE;
  }

  posted({ index, arena }: Domain): void {
    Atomics.add(this.#words, this.#at(index, arena.heap.slot.thread) + Word.POSTED, 1);
  }

  ran({ index, arena }: Domain): void {
    Atomics.add(this.#words, this.#at(index, arena.heap.slot.thread) + Word.RAN, 1);
  }

  /** RAN is read first, so that it is never ahead for having been read later. */
  #counts(domain: number, thread: number): Counts {
    const at = this.#at(domain, thread);
    const ran = Atomics.load(this.#words, at + Word.RAN);
    return { posted: Atomics.load(this.#words, at + Word.POSTED), ran };
  }

  /** Begin a barrier of all callbacks that any thread has registered; when it has resolved, what it got wrong. */
  async barrier(domain: Domain): Promise<string[]> {
    const attached = (): number[] => domain.stats().slots.map(({ thread }) => thread);
    const before = new Map(attached().map((thread) => [thread, this.#counts(domain.index, thread)]));
    const under = domain.barrier(); // it has noted what it waits for when this gives back
    // Who is attached still was so while it did. Nobody leaves with callbacks that have not run.
    const known = attached().filter((thread) => before.has(thread));
    const result = await under;
    return known.map((thread) => this.#wrong(domain, thread, before.get(thread) as Counts, result)).filter((wrong) => wrong !== undefined);
  }

  #wrong(domain: Domain, thread: number, before: Counts, { lost }: BarrierResult): string | undefined {
    const lostHere = lost.filter((one) => one.thread === thread).reduce((sum, { callbacks }) => sum + callbacks, 0);
    const { posted, ran } = this.#counts(domain.index, thread);
    const figures = `thread ${thread} had posted ${before.posted}, now ${posted}; ${before.ran} had run, now ${ran}; reported lost ${lostHere}`;
    if (ran + lostHere < before.posted) return `a barrier of domain ${domain.index} resolved too early: ${figures}`;
    // A thread may have died between call() and POSTED, and in a callback between RAN and the library's count.
    if (lostHere > posted + 1 - (before.ran - 1)) return `a barrier of domain ${domain.index} reported too many lost: ${figures}`;
    return undefined;
  }

  /** At the end: whoever ended by himself has run all; whoever was killed has run no more than he had registered. */
  atEnd(thread: number, killed: boolean): string | undefined {
    for (let domain = 0; domain < DOMAINS; domain++) {
      const { posted, ran } = this.#counts(domain, thread);
      if (killed ? ran > posted + 1 : ran !== posted) return `thread ${thread} posted ${posted} callbacks in domain ${domain}, of which ${ran} ran`;
    }
    return undefined;
  }
}
