/**
 * A domain: one thread's whole read-copy-update API over an arena (S2: the core API).
 *
 * The three elements of RCU (B1) are apart: the read sign is event-loop.ts, the update timing grace-period.ts; copying on write is
 * what the structures do, with `assignPointer` to publish (K1).
 *
 * Law table: this file owns no word; a pointer given to dereference and assignPointer is atomic.
 */

import { type Address, field } from "../memory/address.js";
import type { Arena } from "../memory/arena.js";
import { OutOfMemoryError } from "../memory/errors.js";
import { reapThread } from "../memory/reap.js";
import { kindOf, SlotKind, SlotWord, slotAddress, slotsUsed, threadOf } from "../memory/slot.js";
import { ContextError } from "./errors.js";
import { EventLoopReader } from "./event-loop.js";
import { GracePeriods } from "./grace-period.js";
import { quantiles } from "./histogram.js";
import { DomainWord } from "./layout.js";
import { Reclaimer } from "./reclaimer.js";

/** How long an allocation waits for grace periods before it gives up, in ms. */
const FORCED_WAIT = 2000;
/** Longest sleep between two looks, in ms: a thread may die without a sign. */
const LONGEST_SLEEP = 20;

/** Refuses, in a type, a function that gives or may give a promise (one that gives `any` is let through, and checked as it runs). */
export type Synchronous<T> = 0 extends 1 & T ? unknown : [Extract<T, PromiseLike<unknown>>] extends [never] ? unknown : never;

/** Figures of a domain; times in microseconds. */
export interface DomainStats {
  /** Sequence of the newest grace period asked for, and of the newest known to be over. */
  readonly sequence: number;
  readonly completed: number;
  /** How often a grace period was found to be over. */
  readonly gracePeriods: number;
  /** How long callers waited for theirs. */
  readonly gpMicros: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Objects retired and not yet given back, by live threads. */
  readonly waiting: number;
  readonly slots: readonly { readonly index: number; readonly thread: number; readonly online: boolean; readonly waiting: number }[];
}

/** Read-copy-update in one thread. */
export class Domain {
  readonly arena: Arena;
  /** The read side, for structures. */
  readonly reader: EventLoopReader;
  readonly #periods: GracePeriods;
  readonly #reclaimer: Reclaimer;

  /** @param arena its root area begins with `DOMAIN_WORDS` words that `formatDomain` has set */
  constructor(arena: Arena) {
    this.arena = arena;
    const { memory, layout, heap } = arena;
    const { slot } = heap;
    this.#periods = new GracePeriods(memory, layout);
    this.reader = new EventLoopReader(memory, slot.address, this.#periods, warnSectionLeftOpen);
    this.#reclaimer = new Reclaimer(heap, this.#periods, this.reader);
    const { park } = slot;
    slot.park = (address, expected, timeout) => {
      this.reader.goOffline(); // a thread that sleeps for a lock must not hold up a grace period
      park(address, expected, timeout);
    };
  }

  // Reader -------------------------------------------------------------------------------------------

  /**
   * Run `fn` in a read-side critical section and give back what it gives.
   * @throws ContextError (ERR_ASYNC_SECTION) when it gives a promise: a section of this flavor ends with its turn
   */
  read<T>(fn: (() => T) & Synchronous<T>): T {
    const nesting = this.reader.lock();
    try {
      const result = fn();
      if (isThenable(result)) {
        throw new ContextError(
          "ERR_ASYNC_SECTION",
          "read(fn) was given an async function: a read-side section ends with its synchronous turn. Take copies inside, and await outside.",
        );
      }
      return result;
    } finally {
      this.reader.unlockTo(nesting);
    }
  }

  /** Begin a read-side critical section; sections nest. */
  readLock(): void {
    this.reader.lock();
  }

  /** @throws ContextError (ERR_UNBALANCED_UNLOCK) */
  readUnlock(): void {
    this.reader.unlock();
  }

  /** Whether this thread is in a section. */
  get readLockHeld(): boolean {
    return this.reader.nesting > 0;
  }

  /**
   * Load a pointer; what it points to stays whole until the section ends.
   * @throws ContextError (ERR_NOT_IN_SECTION) outside a section
   */
  dereference(pointer: Address): Address {
    if (this.reader.nesting === 0)
      throw new ContextError(
        "ERR_NOT_IN_SECTION",
        "dereference() outside a read-side section: what it points to could be freed at any time. Use read(fn) or readLock().",
      );
    return this.arena.memory.load(pointer) as Address;
  }

  /** Tell the updaters, in a long turn, that this thread holds no reference. Nothing in a section. */
  quiescent(): void {
    this.reader.quiescent();
  }

  /**
   * Run `fn`, which may block (Atomics.wait, a synchronous call), without holding up any grace period.
   * @throws ContextError (ERR_IN_SECTION) in a section
   */
  offline<T>(fn: () => T): T {
    this.#mayWait("offline()");
    this.reader.goOffline();
    return fn();
  }

  // Updater ------------------------------------------------------------------------------------------

  /** Publish: readers that load the pointer from now on see all that was written to `target` before. */
  assignPointer(pointer: Address, target: Address): void {
    this.arena.memory.store(pointer, target);
  }

  /**
   * Resolves once every section that is open now has ended. Keeps the process alive meanwhile.
   * @throws ContextError (ERR_IN_SECTION) at once, in a section: it would wait for itself
   */
  synchronize(): Promise<void> {
    this.#mayWait("synchronize()");
    return this.#synchronize();
  }

  async #synchronize(): Promise<void> {
    const started = performance.now();
    const cookie = this.#periods.start();
    this.reader.quiescent();
    if (!this.#periods.isOver(cookie)) {
      // An asynchronous wait on shared memory never keeps a loop alive, so a timer does.
      const alive = setInterval(() => {}, 0x3fffffff);
      try {
        for (;;) {
          const ticket = this.#periods.announceSleep();
          this.reader.quiescent();
          if (this.#periods.isOver(cookie)) break;
          await this.#periods.sleepAsync(ticket, LONGEST_SLEEP);
        }
      } finally {
        clearInterval(alive);
      }
    }
    this.#periods.recordDuration(performance.now() - started);
  }

  /**
   * Block until every section that is open now has ended.
   * @throws ContextError (ERR_IN_SECTION) in a section; (ERR_CANNOT_BLOCK) where the thread may not block and would have to
   */
  synchronizeSync(): void {
    this.#mayWait("synchronizeSync()");
    const started = performance.now();
    this.reader.goOffline();
    const cookie = this.#periods.start();
    while (!this.#periods.isOver(cookie)) {
      if (!this.arena.memory.canBlock)
        throw new ContextError("ERR_CANNOT_BLOCK", "this thread may not block (a browser's main thread): use `await synchronize()`.");
      const ticket = this.#periods.announceSleep();
      if (this.#periods.isOver(cookie)) break;
      this.#periods.sleep(ticket, LONGEST_SLEEP);
    }
    this.#periods.recordDuration(performance.now() - started);
  }

  /** Run `fn` in this thread, from the top of its event loop, once every section open now has ended. Keeps no process alive. */
  call(fn: () => void): void {
    this.#reclaimer.call(fn);
  }

  /**
   * Free an object (of kmalloc, a cache, or allocPages), which no new reader can reach, after a grace period.
   * Allocates nothing and never blocks.
   * @throws DoubleFreeError (ERR_DOUBLE_RETIRE), InvalidAddressError
   */
  retire(object: Address): void {
    this.#reclaimer.retire(object);
  }

  /** For structures, after an update, holding nothing they retired: in a long turn, release what is over. */
  afterUpdate(): void {
    this.#reclaimer.lookNowAndThen();
  }

  /**
   * Call an allocation function; when it gives NULL, force a grace period so that what is retired comes back, and try again.
   * @throws OutOfMemoryError when there still is nothing
   */
  allocate(bytes: number, alloc: () => Address): Address {
    const first = alloc();
    if (first !== 0) return first;
    // In a section this thread's own references hold up the grace period: waiting would be for ever.
    if (this.reader.nesting === 0) {
      this.#reclaimer.flushSync(FORCED_WAIT);
      const second = alloc();
      if (second !== 0) return second;
    }
    const { total, used } = this.arena.heap.bytes();
    throw new OutOfMemoryError(bytes, total - used, total);
  }

  /**
   * For structures, before an update, which may wait for a lock or for memory.
   * @throws ContextError (ERR_IN_SECTION), ClosedError
   */
  beforeUpdate(operation: string): void {
    this.#mayWait(operation);
  }

  /** What may wait is refused in a section, and after `detach`. */
  #mayWait(operation: string): void {
    this.reader.mustBeOpen();
    if (this.reader.nesting > 0)
      throw new ContextError("ERR_IN_SECTION", `${operation} may wait, and was called in a read-side section, which others wait for: end the section first.`);
  }

  // Life and death -----------------------------------------------------------------------------------

  /**
   * Say that a thread is dead. Its sections are over, its locks tell their next owner, what it retired is given back
   * after a grace period. Never for a thread that lives.
   * @param thread the number its slot shows in `stats()`
   * @param timeout ms to wait for the arena lock at most
   * @returns whether the thread had a slot
   * @throws LockTimeoutError: call again in a later turn
   */
  reap(thread: number, timeout?: number): boolean {
    const died = reapThread(this.arena.heap, thread, timeout);
    this.#periods.wakeAll();
    // Also when it had none: it may have died while it was leaving.
    this.#reclaimer.noteDrained();
    return died;
  }

  /** See to what threads that have left or died still have in limbo. */
  helpDeparted(): void {
    this.#reclaimer.noteDrained();
  }

  /**
   * Give this thread's slot back. Callbacks that have not run never will.
   * @throws ContextError (ERR_IN_SECTION), ClosedError; LockTimeoutError: call again in a later turn
   */
  detach(): void {
    this.#mayWait("detach()");
    this.#reclaimer.advance();
    this.reader.goOffline();
    const left = !this.arena.heap.limbo.empty;
    this.arena.detach(); // may not get the arena lock; then this thread is attached as before, and may try again
    this.#reclaimer.stop();
    this.reader.close();
    if (left) this.arena.memory.store(field(this.arena.layout.root, DomainWord.REAPING), 1);
  }

  /** Figures of all threads. */
  stats(): DomainStats {
    const { memory, layout } = this.arena;
    const word = (offset: number): number => memory.load(field(layout.root, offset));
    const [p50 = 0, p99 = 0] = quantiles(memory, field(layout.root, DomainWord.HISTOGRAM), [0.5, 0.99]);
    const slots = [];
    for (let index = 0; index < slotsUsed(memory); index++) {
      const slot = slotAddress(layout, index);
      const state = memory.load(slot);
      if (kindOf(state) !== SlotKind.LIVE) continue;
      slots.push({
        index,
        thread: threadOf(state),
        online: memory.load(field(slot, SlotWord.SEEN)) !== 0,
        waiting: memory.load(field(slot, SlotWord.WAITING)),
      });
    }
    return {
      sequence: word(DomainWord.GP_SEQ) >>> 0,
      completed: word(DomainWord.COMPLETED) >>> 0,
      gracePeriods: word(DomainWord.GRACE_PERIODS) >>> 0,
      gpMicros: { p50, p99, max: word(DomainWord.LONGEST) },
      waiting: slots.reduce((sum, slot) => sum + slot.waiting, 0),
      slots,
    };
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

function warnSectionLeftOpen(): void {
  const message =
    "quiesce: a turn ended inside a read-side section (readLock() without readUnlock(), or an await between them). " +
    "The slot stays online, and memory is not reclaimed, until the section ends.";
  const { process } = globalThis as { process?: { emitWarning?: (message: string, type: string) => void } };
  if (process?.emitWarning !== undefined) process.emitWarning(message, "QuiesceWarning");
  else console.warn(message);
}
