/**
 * The event-loop flavor: "the task switch is the sign" (B2; the kernel's first RCU, liburcu's QSBR).
 *
 * Synchronous JavaScript is never preempted by other JavaScript of its thread, so a read-side critical section that stays
 * within one turn needs no sign of its own: the thread is simply online from the turn's first section until its stack empties
 * ("read sign", B1).
 *
 *   turn:  first section           more sections, a local check each        stack empties (microtask)
 *          SEEN = GP_SEQ           ...  SEEN = GP_SEQ again now and then     SEEN = 0
 *
 * Law table
 *   word    class
 *   SEEN    atomic; written only by the slot's thread while it lives
 *
 * Guarantees
 *   A  while `nesting` > 0, SEEN is what it was when the outermost section began, or older: it is never moved on in a section.
 *   B  SEEN is stored before the section's first load and cleared after its last (all of them atomic, in program order).
 *   C  after a turn's stack has emptied the slot is offline, unless a section was left open, which is reported.
 *   D  a long loop of operations outside sections passes a quiescent state every 32 of them.
 */

import { type Address, field } from "../memory/address.js";
import { ClosedError } from "../memory/errors.js";
import type { Memory } from "../memory/memory.js";
import { SlotWord } from "../memory/slot.js";
import { ContextError } from "./errors.js";
import type { GracePeriods } from "./grace-period.js";

/** Operations between two looks at GP_SEQ, less one: a load of it costs about as much as a lookup in a small table. */
const OPERATION_MASK = 31;

/** The read side of one thread. */
export class EventLoopReader {
  readonly #memory: Memory;
  readonly #periods: GracePeriods;
  readonly #seenWord: Address;
  /** SEEN, without asking shared memory; 0 when offline. */
  #seen = 0;
  #nesting = 0;
  #operations = 0;
  #endOfTurnComes = false;
  #closed = false;
  readonly #onSectionLeftOpen: () => void;

  /** @param onSectionLeftOpen called when a turn ends inside a section */
  constructor(memory: Memory, slot: Address, periods: GracePeriods, onSectionLeftOpen: () => void) {
    this.#memory = memory;
    this.#periods = periods;
    this.#seenWord = field(slot, SlotWord.SEEN);
    this.#onSectionLeftOpen = onSectionLeftOpen;
  }

  /** Sections open in this thread. */
  get nesting(): number {
    return this.#nesting;
  }

  /** Begin a section that runs no foreign code and ends before the caller returns. */
  enter(): void {
    if (this.#seen === 0) this.#goOnline();
  }

  /** End what `enter` began. */
  exit(): void {
    this.#operations = (this.#operations + 1) & OPERATION_MASK;
    if (this.#operations === 0) this.quiescent();
  }

  /** Begin a section. Gives how many were open, for `unlockTo`. */
  lock(): number {
    if (this.#seen === 0) this.#goOnline();
    return this.#nesting++;
  }

  /**
   * End the section that `lock` began, and any inside it that could not be ended: when the stack has overflowed, the innermost
   * `finally` blocks may fail, and the outermost puts things right.
   */
  unlockTo(nesting: number): void {
    this.#nesting = nesting;
    if (nesting === 0) this.#sectionEnded();
  }

  /**
   * End a section.
   * @throws ContextError when none is open
   */
  unlock(): void {
    if (this.#nesting === 0) throw new ContextError("ERR_UNBALANCED_UNLOCK", "readUnlock() without a readLock() before it in this thread.");
    this.#nesting--;
    if (this.#nesting === 0) this.#sectionEnded();
  }

  #sectionEnded(): void {
    this.exit();
    if (!this.#endOfTurnComes) this.#awaitEndOfTurn(); // the section had outlived its turn
  }

  /** Outside a section: whatever this thread read before, it no longer holds. */
  quiescent(): void {
    if (this.#seen === 0 || this.#nesting > 0 || this.#memory.load(this.#periods.sequence) === this.#seen) return;
    this.#recordSequence();
    this.#periods.wake();
  }

  /** Outside a section: go offline until the next section begins. */
  goOffline(): void {
    if (this.#seen === 0 || this.#nesting > 0) return;
    this.#seen = 0;
    this.#memory.store(this.#seenWord, 0);
    this.#periods.wake(); // pairs with GracePeriods.announceSleep
  }

  /** Go offline for good. */
  close(): void {
    this.goOffline();
    this.#closed = true;
  }

  /** @throws ClosedError after `close` */
  mustBeOpen(): void {
    if (this.#closed) throw new ClosedError("this shared memory");
  }

  // Only here is the closed state looked at, so that open sections pay nothing for it.
  #goOnline(): void {
    this.mustBeOpen();
    this.#recordSequence();
    if (!this.#endOfTurnComes) this.#awaitEndOfTurn();
  }

  #recordSequence(): void {
    const memory = this.#memory;
    // Between load and store this thread may be held up for any number of grace periods. To be a few behind only delays
    // the next one; to be 2^31 behind would look like being ahead. So look again after storing.
    let sequence: number;
    do {
      sequence = memory.load(this.#periods.sequence);
      memory.store(this.#seenWord, sequence);
    } while (memory.load(this.#periods.sequence) !== sequence);
    this.#seen = sequence;
  }

  #awaitEndOfTurn(): void {
    this.#endOfTurnComes = true;
    queueMicrotask(this.#endOfTurn);
  }

  readonly #endOfTurn = (): void => {
    this.#endOfTurnComes = false;
    if (this.#nesting > 0) this.#onSectionLeftOpen();
    else this.goOffline();
  };
}
