/**
 * The event-loop flavor: readers go by the task switch (online-reader.ts), and whoever waits looks at all slots (B2; liburcu's
 * urcu-qsbr.c), without a leader.
 *
 * Whoever needs a grace period adds 2 to GP_SEQ and takes the sum as its cookie. A slot records in SEEN the GP_SEQ it last saw while it
 * held no reference, 0 while it is offline. So a cookie is over once every slot is offline or has SEEN at least the cookie: anyone can find
 * that out by reading the slots, and records it in COMPLETED for all. Nothing is handed over, so nobody's death stops it.
 *
 *   updater   unlink ... cookie = GP_SEQ += 2 ... scan: SEEN(A) >= cookie?  SEEN(B) = 0?  ... free
 *   reader A        [ reads the old ]  SEEN = GP_SEQ
 *   reader B                                          SEEN = GP_SEQ [ reads the new ]
 *
 * Why it is right: all these words are atomic, so there is one order of all accesses to them. A reader whose SEEN the scan
 * found to be 0 or new enough stored it either after the cookie was taken, and so holds nothing from before, or will go
 * online only later, and then its first load of any pointer comes after the unlink.
 * A grace period that is under way never counts for a later caller: each takes a cookie of its own. Sequences are odd, so never 0.
 *
 * Law table: layout.ts (GP_SEQ, COMPLETED, SEEN), all atomic.
 *
 * Guarantees
 *   A  `isOver(cookie)` is true only if every section that began before `start()` or `snap()` gave the cookie has ended; provided that fewer than 2^30
 *      grace periods are asked for while one section is open (beyond that, what it has seen looks newer than what is asked for).
 *   B  a cookie of `start()` becomes over once they have ended, whoever asks, whoever has died.
 *   C  no lost wake-up: who sleeps announces it before the last scan, and a slot wakes after changing SEEN.
 *   D  what is over stays over; one scan answers for all cookies up to the oldest that some slot has seen.
 */

import type { Address } from "../../memory/address.js";
import { DomainWord, ReaderWord } from "../layout.js";
import { type Cookie, isPast, notBefore } from "../sequence.js";
import { tracepoints } from "../tracepoints.js";
import type { Flavor, GracePeriods } from "./flavor.js";
import { OnlineReader } from "./online-reader.js";
import type { ReaderEvents, Site } from "./site.js";

/** How far GP_SEQ goes for each grace period. */
const STEP = 2;

/** The read side: whoever sleeps is woken at each change, and looks for itself. */
export class EventLoopReader extends OnlineReader {
  protected moved(): void {
    this.site.events.wake(); // pairs with EventCount.announceSleep
  }

  protected leave(): void {
    const { seen } = this;
    this.clear();
    // Who asked for a grace period before this load, and found SEEN set, finds it changed; who asks later finds SEEN cleared.
    if (this.site.memory.load(this.site.sequence) !== seen) this.site.events.wake();
  }
}

/** Grace periods by a scan of all slots. */
export class EventLoopPeriods implements GracePeriods {
  readonly #site: Site;
  readonly #completed: Address;

  constructor(site: Site) {
    this.#site = site;
    this.#completed = site.word(DomainWord.COMPLETED);
  }

  snap(): Cookie {
    return ((this.#site.memory.load(this.#site.sequence) + STEP) | 0) as Cookie;
  }

  start(): Cookie {
    const { memory, sequence, domain } = this.#site;
    const cookie = ((memory.add(sequence, STEP) + STEP) | 0) as Cookie;
    if (tracepoints.gracePeriodStart.hasSubscribers) tracepoints.gracePeriodStart.publish({ domain, sequence: cookie >>> 0 });
    return cookie;
  }

  isOver(cookie: Cookie): boolean {
    const { memory, sequence } = this.#site;
    if (notBefore(memory.load(this.#completed), cookie)) return true;
    // Read before the slots: a slot found offline answers for all cookies up to here, not for later ones.
    const newest = memory.load(sequence);
    const seen = this.#oldestSeen(newest);
    this.#complete(seen);
    return isPast(seen, newest, cookie, STEP);
  }

  force(): void {
    const { domain } = this.#site;
    const cookie = this.#site.memory.load(this.#site.sequence) as Cookie;
    if (tracepoints.forcedScan.hasSubscribers) tracepoints.forcedScan.publish({ domain, sequence: cookie >>> 0 });
    this.isOver(cookie); // every look is a scan of all
  }

  completed(): Cookie {
    return this.#site.memory.load(this.#completed) as Cookie;
  }

  blockers(cookie: Cookie): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < this.#site.slotsUsed(); slot++) {
      const seen = this.#seenBy(slot);
      if (seen !== 0 && !notBefore(seen, cookie) && this.#site.isLive(slot)) slots.push(slot);
    }
    return slots;
  }

  #seenBy(slot: number): number {
    return this.#site.memory.load(this.#site.readerWord(slot, ReaderWord.SEEN));
  }

  /** The latest sequence, up to `newest`, that every online slot has seen. */
  #oldestSeen(newest: number): number {
    let oldest = newest;
    const used = this.#site.slotsUsed();
    for (let slot = 0; slot < used; slot++) {
      const seen = this.#seenBy(slot);
      if (seen !== 0 && !notBefore(seen, oldest) && this.#site.isLive(slot)) oldest = seen;
    }
    return oldest;
  }

  #complete(sequence: number): void {
    const { memory } = this.#site;
    for (;;) {
      const completed = memory.load(this.#completed);
      if (notBefore(completed, sequence)) return;
      if (memory.compareExchange(this.#completed, completed, sequence) === completed) {
        this.#site.countGracePeriod(sequence);
        return;
      }
    }
  }
}

/** This thread's part. */
export function eventLoop(site: Site, events: ReaderEvents): Flavor {
  return { name: "event-loop", reader: new EventLoopReader(site, events), periods: new EventLoopPeriods(site) };
}
