/**
 * The read side of the flavors whose sign is the task switch: event-loop and tree (B2; the kernel's first RCU, liburcu's QSBR).
 *
 * Synchronous JavaScript is never preempted by other JavaScript of its thread, so a read-side critical section that stays
 * within one turn needs no sign of its own: the thread is simply online from the turn's first section until its stack empties
 * ("read sign", B1).
 *
 *   turn:  first section           more sections, a local check each        stack empties (microtask)
 *          SEEN = GP_SEQ           ...  SEEN = GP_SEQ again now and then     SEEN = 0
 *
 * Law table
 *   word            class
 *   SEEN            atomic; written only by the slot's thread while it lives
 *   SINCE, LONGEST_SECTION   atomic; likewise
 *
 * Guarantees
 *   A  while `nesting` > 0, SEEN is what it was when the outermost section began, or older: it is never moved on in a section.
 *   B  SEEN is stored before the section's first load and cleared after its last (all of them atomic, in program order).
 *   C  after a turn's stack has emptied the slot is offline, unless a section was left open, which is reported.
 *   D  a long loop of operations outside sections passes a quiescent state every 32 of them.
 */

import type { Address } from "../../memory/address.js";
import { ClosedError } from "../../memory/errors.js";
import type { Memory } from "../../memory/memory.js";
import { ContextError } from "../errors.js";
import { ReaderWord } from "../layout.js";
import { tracepoints } from "../tracepoints.js";
import type { Reader, ReadIndex } from "./flavor.js";
import { foreignIndex, nextIndex } from "./read-index.js";
import type { ReaderEvents, Site } from "./site.js";

/** Operations between two looks at GP_SEQ: a load of it costs about as much as a lookup in a small table. */
const OPERATIONS = 32;

/** The read side of one thread. */
export abstract class OnlineReader implements Reader {
  protected readonly site: Site;
  /** Goes up with each change of SEEN: until then no grace period that began since the last can be over. */
  epoch = 0;
  /** SEEN, without asking shared memory; 0 when offline. */
  protected seen = 0;
  readonly #memory: Memory;
  readonly #sequence: Address;
  readonly #seenWord: Address;
  readonly #events: ReaderEvents;
  readonly #index = nextIndex();
  #nesting = 0;
  /** Operations until the next look. */
  #left = OPERATIONS;
  #since = 0;
  #longest = 0;
  #endOfTurnComes = false;
  /** That a section was left open, once for each. */
  #toldLeftOpen = false;
  #closed = false;

  constructor(site: Site, events: ReaderEvents) {
    this.site = site;
    this.#memory = site.memory;
    this.#sequence = site.sequence;
    this.#seenWord = site.own(ReaderWord.SEEN);
    this.#events = events;
  }

  /** SEEN has moved on: whoever waits for it must come to know. */
  protected abstract moved(): void;
  /** Clear SEEN, and see to it that whoever waits comes to know. */
  protected abstract leave(): void;

  get nesting(): number {
    return this.#nesting;
  }

  get inSynchronousSection(): boolean {
    return this.#nesting > 0;
  }

  enter(): void {
    if (this.seen === 0) this.#goOnline();
  }

  exit(): void {
    if (--this.#left === 0) this.#nowAndThen();
  }

  #nowAndThen(): void {
    this.#left = OPERATIONS;
    this.quiescent();
    this.offlineAtEndOfTurn(); // in case the section had outlived its turn
  }

  begin(): number {
    if (this.seen === 0) this.#goOnline();
    const before = this.#nesting;
    // A constant, in the common case: a section need not wait for what the last one stored here.
    this.#nesting = before === 0 ? 1 : before + 1;
    return before;
  }

  endTo(before: number): void {
    this.#nesting = before;
    if (before === 0) this.exit();
  }

  lock(): ReadIndex {
    this.begin();
    return this.#index;
  }

  unlock(index: ReadIndex | undefined): void {
    if (index !== undefined && index !== this.#index) throw foreignIndex();
    const nesting = this.#nesting;
    if (nesting === 0) throw new ContextError("ERR_UNBALANCED_UNLOCK", "readUnlock() without a readLock() before it in this thread.");
    this.#nesting = nesting === 1 ? 0 : nesting - 1;
    if (nesting === 1) this.exit();
  }

  quiescent(): void {
    if (this.seen === 0 || this.#nesting > 0 || this.#memory.load(this.#sequence) === this.seen) return;
    this.record();
    this.moved();
    const { domain, slot } = this.site;
    if (tracepoints.quiescentStateReport.hasSubscribers) tracepoints.quiescentStateReport.publish({ domain, slot, sequence: this.seen >>> 0 });
  }

  goOffline(): void {
    if (this.seen === 0 || this.#nesting > 0) return;
    this.leave();
    if (this.#since === 0) return;
    const lasted = (Date.now() - this.#since) | 0;
    if (lasted > this.#longest) {
      this.#longest = lasted;
      this.#memory.store(this.site.own(ReaderWord.LONGEST_SECTION), lasted);
    }
  }

  close(): void {
    this.goOffline();
    this.#closed = true;
  }

  mustBeOpen(): void {
    if (this.#closed) throw new ClosedError("this shared memory");
  }

  // Only here is the closed state looked at, so that open sections pay nothing for it.
  #goOnline(): void {
    this.mustBeOpen();
    this.record();
    this.#since = Date.now();
    this.#memory.store(this.site.own(ReaderWord.SINCE), this.#since | 0);
    this.offlineAtEndOfTurn();
  }

  /** Store GP_SEQ into SEEN. Outside a section. */
  protected record(): void {
    const memory = this.#memory;
    // Between load and store this thread may be held up for any number of grace periods. To be a few behind only delays
    // the next one; to be 2^31 behind would look like being ahead. So look again after storing.
    let sequence = memory.load(this.#sequence);
    memory.store(this.#seenWord, sequence);
    let again = false;
    for (let now = memory.load(this.#sequence); now !== sequence; now = memory.load(this.#sequence)) {
      again = true;
      sequence = now;
      memory.store(this.#seenWord, sequence);
    }
    this.seen = sequence;
    this.epoch++;
    if (again) this.moved(); // somebody may have found the older one, and be waiting for it to move on
  }

  protected clear(): void {
    this.epoch++;
    this.seen = 0;
    this.#memory.store(this.#seenWord, 0);
  }

  protected offlineAtEndOfTurn(): void {
    if (this.#endOfTurnComes) return;
    this.#endOfTurnComes = true;
    queueMicrotask(this.#endOfTurn);
  }

  readonly #endOfTurn = (): void => {
    this.#endOfTurnComes = false;
    if (this.#nesting === 0) {
      this.#toldLeftOpen = false;
      this.goOffline();
    } else {
      this.#left = 1; // when it ends, this must come again
      if (!this.#toldLeftOpen) this.#events.sectionLeftOpen();
      this.#toldLeftOpen = true;
    }
  };
}
