/**
 * Grace periods: when what was unlinked can no longer be held by any reader ("update timing", B1).
 *
 * Quiescent-state-based (liburcu urcu-qsbr.c), without a leader. Whoever needs a grace period adds 2 to GP_SEQ and takes
 * the sum as its cookie. A slot records in SEEN the GP_SEQ it last saw while it held no reference, 0 while it
 * is offline. So a cookie is over once every slot is offline or has SEEN at least the cookie: anyone can find that out by
 * reading the slots, and records it in COMPLETED for all. Nothing is handed over, so nobody's death stops it.
 *
 *   updater   unlink ... cookie = GP_SEQ += 2 ... scan: SEEN(A) >= cookie?  SEEN(B) = 0?  ... free
 *   reader A        [ reads the old ]  SEEN = GP_SEQ
 *   reader B                                          SEEN = GP_SEQ [ reads the new ]
 *
 * Why it is right: all these words are atomic, so there is one order of all accesses to them. A reader whose SEEN the scan
 * found to be 0 or new enough stored it either after the cookie was taken, and so holds nothing from before, or will go
 * online only later, and then its first load of any pointer comes after the unlink.
 * A grace period that is under way never counts for a later caller: each takes a cookie of its own. Cookies compare modulo
 * 2^32 (never 0, since odd), so the counter may wrap; it starts 300 grace periods before the wrap, as the kernel's does.
 *
 * Law table: layout.ts (GP_SEQ, COMPLETED, WANTED) and slot.ts (SEEN), all atomic.
 *
 * Guarantees
 *   A  `isOver(cookie)` is true only if every section that began before `start()` gave the cookie has ended.
 *   B  it becomes true once they have ended, whoever asks, whoever has died.
 *   C  no lost wake-up: a sleeper sets WANTED before its last scan, and a slot looks at WANTED after changing SEEN.
 *   D  what is over stays over; one scan answers for all cookies up to the oldest that some slot has seen.
 */

import { type Address, field } from "../memory/address.js";
import { ArenaOptionsError } from "../memory/errors.js";
import type { Layout } from "../memory/layout.js";
import type { Memory } from "../memory/memory.js";
import { kindOf, SlotKind, SlotWord, slotAddress, slotsUsed } from "../memory/slot.js";
import { record } from "./histogram.js";
import { DomainWord } from "./layout.js";
import { pause } from "./pause.js";

declare const brand: unique symbol;

/** A grace period that was asked for. */
export type Cookie = number & { readonly [brand]: "cookie" };

/** An announced sleep. */
export type Ticket = number & { readonly [brand]: "ticket" };

/** First sequence of a new domain. */
export const FIRST_SEQUENCE = -601;

/** Whether `a` is `b` or later, modulo 2^32. */
const notBefore = (a: number, b: number): boolean => ((a - b) | 0) >= 0;

/**
 * Set the words of a new domain.
 * @param sequence where to begin; a whole number, odd, since 0 means offline
 * @throws ArenaOptionsError
 */
export function formatDomain(memory: Memory, layout: Layout, sequence: number = FIRST_SEQUENCE): void {
  if (!Number.isInteger(sequence) || sequence % 2 === 0) throw new ArenaOptionsError(`the first sequence is an odd whole number; got ${String(sequence)}.`);
  memory.store(field(layout.root, DomainWord.GP_SEQ), sequence);
  memory.store(field(layout.root, DomainWord.COMPLETED), sequence);
}

/** The grace periods of one domain. */
export class GracePeriods {
  /** The sequence that readers record. */
  readonly sequence: Address;
  readonly #memory: Memory;
  readonly #layout: Layout;
  readonly #completed: Address;
  readonly #wanted: Address;

  constructor(memory: Memory, layout: Layout) {
    this.#memory = memory;
    this.#layout = layout;
    this.sequence = field(layout.root, DomainWord.GP_SEQ);
    this.#completed = field(layout.root, DomainWord.COMPLETED);
    this.#wanted = field(layout.root, DomainWord.WANTED);
  }

  /** Ask for a grace period that begins now. */
  start(): Cookie {
    return ((this.#memory.add(this.sequence, 2) + 2) | 0) as Cookie;
  }

  /** Whether the cookie's grace period is over; looks at the slots if nobody has found out yet. */
  isOver(cookie: Cookie): boolean {
    if (notBefore(this.#memory.load(this.#completed), cookie)) return true;
    const seen = this.#oldestSeen();
    this.#complete(seen);
    return notBefore(seen, cookie);
  }

  /** The latest sequence that every online slot has seen. */
  #oldestSeen(): number {
    const memory = this.#memory;
    // Read before the slots: a slot found offline answers for all cookies up to here, not for later ones.
    let oldest = memory.load(this.sequence);
    const used = slotsUsed(memory);
    for (let index = 0; index < used; index++) {
      const slot = slotAddress(this.#layout, index);
      const seen = memory.load(field(slot, SlotWord.SEEN));
      // The sections of a dead thread are over, whatever it left in SEEN.
      if (seen !== 0 && !notBefore(seen, oldest) && kindOf(memory.load(field(slot, SlotWord.STATE))) === SlotKind.LIVE) oldest = seen;
    }
    return oldest;
  }

  #complete(sequence: number): void {
    const memory = this.#memory;
    for (;;) {
      const completed = memory.load(this.#completed);
      if (notBefore(completed, sequence)) return;
      if (memory.compareExchange(this.#completed, completed, sequence) === completed) {
        memory.add(field(this.#layout.root, DomainWord.GRACE_PERIODS), 1);
        return;
      }
    }
  }

  /** Say that somebody is going to sleep; `isOver` must be asked once more after this, and the ticket given to `sleep`. */
  announceSleep(): Ticket {
    return (this.#memory.or(this.#wanted, 1) | 1) as Ticket;
  }

  /** Sleep until some slot changes after the ticket was taken, at most `timeout` ms. */
  sleep(ticket: Ticket, timeout: number): void {
    this.#memory.wait(this.#wanted, ticket, timeout);
  }

  /** As `sleep`, without blocking; it keeps no event loop alive. */
  async sleepAsync(ticket: Ticket, timeout: number): Promise<void> {
    const wait = this.#memory.waitAsync(this.#wanted, ticket, timeout);
    if (wait.async) await wait.value;
    // A slot has changed already. But callers loop, and others may wake without end: events must get their turn.
    else await pause(1);
  }

  /** Wake those who sleep; after a slot's SEEN has changed. */
  wake(): void {
    const memory = this.#memory;
    const wanted = memory.load(this.#wanted);
    if ((wanted & 1) === 0) return;
    // A count and not just a flag: who announced before this and is not asleep yet must not fall asleep on the announcement
    // of somebody who comes after it. When the exchange fails, another one's wake came between, and did the same.
    memory.compareExchange(this.#wanted, wanted, (wanted + 1) | 0);
    memory.notify(this.#wanted);
  }

  /** As `wake`, for a reaper: the dead thread may have counted its wake and not come to notify. */
  wakeAll(): void {
    this.wake();
    this.#memory.notify(this.#wanted);
  }

  /** Count the duration of a grace period, in ms, from its start until its caller knew it was over. */
  recordDuration(milliseconds: number): void {
    const memory = this.#memory;
    const microseconds = Math.min(0x7fffffff, Math.round(milliseconds * 1000));
    record(memory, field(this.#layout.root, DomainWord.HISTOGRAM), microseconds);
    const longest = field(this.#layout.root, DomainWord.LONGEST);
    for (let known = memory.load(longest); microseconds > known; ) {
      const found = memory.compareExchange(longest, known, microseconds);
      if (found === known) break;
      known = found;
    }
  }
}
