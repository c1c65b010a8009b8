/**
 * An event count: sleep until something that was looked at may have changed (Reed & Kanodia 1979; folly's EventCount).
 *
 *   sleeper   ticket = announceSleep() ... look once more ... sleep(ticket)
 *   waker     change ... wake()
 *
 * Law table
 *   the word   atomic; odd while someone may be asleep or about to be, one more when there was a wake
 *
 * Guarantee: no lost wake-up. A sleeper announces before its last look, and a waker looks at the word after its change: one of the two sees the
 * other. A sleep may end for nothing, so callers loop.
 */

import type { Address } from "../memory/address.js";
import type { Memory } from "../memory/memory.js";
import { nextTurn } from "./pause.js";

declare const brand: unique symbol;

/** An announced sleep. */
export type Ticket = number & { readonly [brand]: "ticket" };

/** One thread's view of an event count. */
export class EventCount {
  readonly #memory: Memory;
  readonly #word: Address;

  constructor(memory: Memory, word: Address) {
    this.#memory = memory;
    this.#word = word;
  }

  /** Say that somebody is going to sleep; look once more after this, and give the ticket to `sleep`. */
  announceSleep(): Ticket {
    return (this.#memory.or(this.#word, 1) | 1) as Ticket;
  }

  /** Sleep until there is a wake after the ticket was taken, at most `timeout` ms. Gives whether the time was up. */
  sleep(ticket: Ticket, timeout: number): boolean {
    return this.#memory.wait(this.#word, ticket, timeout) === "timed-out";
  }

  /** As `sleep`, without blocking; it keeps no event loop alive. */
  async sleepAsync(ticket: Ticket, timeout: number): Promise<boolean> {
    const wait = this.#memory.waitAsync(this.#word, ticket, timeout);
    if (wait.async) return (await wait.value) === "timed-out";
    // There was a wake already. But callers loop, and others may wake without end: events must get their turn.
    await nextTurn();
    return false;
  }

  /** Wake those who sleep. After the change. */
  wake(): void {
    const memory = this.#memory;
    const word = memory.load(this.#word);
    if ((word & 1) === 0) return;
    // A count and not just a flag: who announced before this and is not asleep yet must not fall asleep on the announcement
    // of somebody who comes after it. When the exchange fails, another one's wake came between, and did the same.
    memory.compareExchange(this.#word, word, (word + 1) | 0);
    memory.notify(this.#word);
  }

  /** As `wake`, for a reaper: the dead thread may have counted its wake and not come to notify. */
  wakeAll(): void {
    this.wake();
    this.#memory.notify(this.#word);
  }
}
