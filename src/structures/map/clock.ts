/**
 * When entries expire, and which go first when a map is full.
 *
 *   hand -> bucket: entries that have expired go;  (full) one that was not read since the hand came by last goes;  all others: not read, from here on
 *
 * The second is CLOCK (Corbató, "A paging experiment with the Multics system", 1968): about as good as least recently used, and a reader writes nothing but one bit, and that only
 * when it is unset. Whoever puts an entry in moves the hand on; all threads move the same one.
 *
 * Law table: HAND is atomic (words.ts), USED likewise (bucket.ts).
 */

import { type Address, field } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import { MapWord } from "./words.js";

/** ms of a tick: what 32 bits can count lasts two years from the map's making. */
const TICK = 16;

/** Time, as entries tell it. */
export class Clock {
  readonly #now: () => number;
  /** When the map was made, in ms. */
  readonly #created: number;

  /** @param now the time of day in ms */
  constructor(memory: Memory, header: Address, now: () => number) {
    this.#now = now;
    this.#created = (memory.read(field(header, MapWord.CREATED)) >>> 0) * 1000;
  }

  /** Ticks since the map was made. */
  now(): number {
    return Math.floor((this.#now() - this.#created) / TICK);
  }

  /** When something expires that stays for so many ms; not before the map's making, whatever the time of day says now: 32 bits tell no time before it. */
  after(ttl: number): number {
    return Math.max(0, Math.ceil((this.#now() - this.#created + ttl) / TICK));
  }
}
