/**
 * Deaths at chosen accesses to shared memory: a thread sleeps at one, before it is done, until main, which sees that it does, kills it. So it dies exactly there, and not where it
 * happens to be when a signal reaches it.
 *
 *   by seat   the life that sleeps so; 0 for none
 */

import { SharedMemory } from "../../src/memory/memory.js";

/** When a life reaches its end by itself. */
export interface Appointment {
  /** Updates, or parts of them that count each, before the one in which accesses are counted from. */
  readonly updates: number;
  /** Calls of compareExchange inside updates, from then on: after one that commits, more is half done than elsewhere. */
  readonly exchanges: number;
  /** Accesses inside updates, after those. */
  readonly accesses: number;
}

/** How long a thread waits to be killed, in ms: the run may be over meanwhile. */
const LONGEST_WAIT = 20_000;

/** Run `look`, with the access's name, before each access of this thread to shared memory but plain reads, which change nothing for others. */
export function beforeAccesses(look: (name: string) => void): void {
  const methods = SharedMemory.prototype as unknown as Record<string, (...given: unknown[]) => unknown>;
  for (const name of ["load", "store", "write", "exchange", "compareExchange", "add", "and", "or", "fill", "copy", "notify"]) {
    const method = methods[name] as (...given: unknown[]) => unknown;
    methods[name] = function (...given) {
      look(name);
      return method.apply(this, given);
    };
  }
}

export const deathBuffer = (seats: number): SharedArrayBuffer => new SharedArrayBuffer(4 * seats);

/** One life's end. */
export class Death {
  #inside = false;
  #updates: number;

  /** Before the thread attaches. */
  constructor({ updates, exchanges, accesses }: Appointment, buffer: SharedArrayBuffer, seat: number, life: number) {
    const words = new Int32Array(buffer);
    this.#updates = updates;
    let exchangesLeft = exchanges;
    let left = accesses;
    beforeAccesses((name) => {
      if (!this.#inside || this.#updates > 0) return;
      if (exchangesLeft > 0) {
        if (name === "compareExchange") exchangesLeft--;
        return;
      }
      if (left-- !== 0) return;
      Atomics.store(words, seat, life);
      Atomics.wait(words, seat, life, LONGEST_WAIT);
      Atomics.store(words, seat, 0);
    });
  }

  /** Do an update, or the part of one, in which the thread may die. */
  during(update: () => void): void {
    this.#updates--;
    this.#inside = true;
    update();
    this.#inside = false;
  }

  /** Do a part of an update whose accesses are not counted. */
  notDuring(part: () => void): void {
    const inside = this.#inside;
    this.#inside = false;
    part();
    this.#inside = inside;
  }
}
