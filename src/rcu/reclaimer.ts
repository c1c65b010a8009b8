/**
 * Reclamation: what waits for a grace period, and who sees to it (S1: removal and reclamation are separate phases).
 *
 * Retired memory goes through the four segments of the slot's limbo as a ring (the kernel's rcu_segcblist, whose
 * DONE, WAIT, NEXT_READY and NEXT these are in turn):
 *
 *        OLDEST                      COLLECTING
 *        [waits for cookie a] [waits for b] [takes what is retired now] [empty]
 *
 * Sealing a segment takes a cookie for all that is in it; when the oldest cookie is over, the whole segment goes back to the
 * allocator. Callbacks are JavaScript functions, so they stay in the thread that registered them, in two such segments.
 *
 * Whoever has something waiting drives: after the turn in which it retired, it waits without blocking until its cookies are
 * over. In a long turn it looks every 64 retires. The limbo of dead and departed threads is emptied by whoever drives next.
 *
 * Law table
 *   word                        class
 *   COLLECTING, OLDEST, cookies private to the slot (see slot.ts); COOKIE of a DRAINED slot: locked by the arena lock
 *   WAITING                     atomic; written only by the slot's thread, for statistics
 *   REAPING                     atomic; set after a slot became DRAINED, cleared with the arena lock when none is left
 */

import { type Address, field } from "../memory/address.js";
import { LockTimeoutError } from "../memory/errors.js";
import type { Heap } from "../memory/heap.js";
import { LIMBO_SEGMENTS } from "../memory/limbo.js";
import { freeSlot, releaseLimbo } from "../memory/reap.js";
import { SlotKind, SlotWord, slotAddress, slotsOfKind } from "../memory/slot.js";
import type { EventLoopReader } from "./event-loop.js";
import type { Cookie, GracePeriods } from "./grace-period.js";
import { DomainWord } from "./layout.js";
import { pause } from "./pause.js";

/** Retires between two looks at what is over, in a turn that does not end. */
const RETIRES_A_LOOK = 64;
/** Longest sleep of a driver in ms, in case a thread died without a sign. */
const LONGEST_SLEEP = 20;
/**
 * Longest wait of a driver for the arena lock, in ms. Its owner may have died, and the event that tells so be waiting for this very
 * turn to end.
 */
const DRIVER_PATIENCE = 20;

/** What one thread has waiting. */
export class Reclaimer {
  readonly #heap: Heap;
  readonly #periods: GracePeriods;
  readonly #reader: EventLoopReader;
  readonly #started: number[] = new Array(LIMBO_SEGMENTS).fill(0);
  #sinceLook = 0;
  #driving = false;
  #stopped = false;

  #nextCallbacks: (() => void)[] = [];
  #waitingCallbacks: { readonly cookie: Cookie; readonly callbacks: (() => void)[] } | undefined;

  constructor(heap: Heap, periods: GracePeriods, reader: EventLoopReader) {
    this.#heap = heap;
    this.#periods = periods;
    this.#reader = reader;
  }

  #word(word: number): Address {
    return field(this.#heap.slot.address, word);
  }

  /**
   * Give an object back once no reader can hold it. Allocates nothing, never blocks.
   * @throws DoubleFreeError
   */
  retire(object: Address): void {
    const { memory, limbo, slot } = this.#heap;
    slot.mustBeAttached();
    limbo.push(memory.read(this.#word(SlotWord.COLLECTING)), object);
    this.#showWaiting();
    this.#sinceLook++;
    this.#drive();
  }

  /** In a long turn, after an operation: look whether something is over. Not while the caller holds what it retired. */
  lookNowAndThen(): void {
    if (this.#sinceLook < RETIRES_A_LOOK || this.#reader.nesting > 0) return;
    this.#sinceLook = 0;
    this.#tryAdvance();
  }

  /** Run `callback` once every section that is open now has ended, in this thread, from the top of its event loop. */
  call(callback: () => void): void {
    this.#heap.slot.mustBeAttached();
    this.#nextCallbacks.push(callback);
    this.#drive();
  }

  /** Whether anything is waiting in this thread. */
  get idle(): boolean {
    return this.#heap.limbo.empty && this.#nextCallbacks.length === 0 && this.#waitingCallbacks === undefined;
  }

  #showWaiting(): void {
    this.#heap.memory.store(this.#word(SlotWord.WAITING), this.#heap.limbo.size);
  }

  /**
   * Release what is over, seal what has collected. Outside sections.
   * @param timeout ms to wait for the arena lock at most
   * @throws LockTimeoutError
   */
  advance(timeout?: number): void {
    this.#seal();
    this.#reader.quiescent(); // this thread's own last section is over: it must not wait for itself
    this.#releaseOver(timeout);
    this.#helpDrained(timeout);
  }

  /** Advance, or leave it for later when the arena lock cannot be had; gives whether it advanced. */
  #tryAdvance(): boolean {
    try {
      this.advance(DRIVER_PATIENCE);
      return true;
    } catch (error) {
      if (error instanceof LockTimeoutError) return false;
      throw error;
    }
  }

  #seal(): void {
    const { memory, limbo } = this.#heap;
    const collecting = memory.read(this.#word(SlotWord.COLLECTING));
    const next = (collecting + 1) % LIMBO_SEGMENTS;
    if (limbo.count(collecting) === 0 || next === memory.read(this.#word(SlotWord.OLDEST))) return;
    memory.write(limbo.cookie(collecting), this.#periods.start());
    this.#started[collecting] = performance.now();
    memory.write(this.#word(SlotWord.COLLECTING), next);
  }

  #releaseOver(timeout?: number): void {
    const { memory, limbo } = this.#heap;
    for (;;) {
      const oldest = memory.read(this.#word(SlotWord.OLDEST));
      if (oldest === memory.read(this.#word(SlotWord.COLLECTING))) return;
      if (!this.#periods.isOver(memory.read(limbo.cookie(oldest)) as Cookie)) return;
      this.#periods.recordDuration(performance.now() - (this.#started[oldest] as number));
      limbo.release(oldest, timeout);
      this.#showWaiting();
      memory.write(this.#word(SlotWord.OLDEST), (oldest + 1) % LIMBO_SEGMENTS);
    }
  }

  /**
   * Blocking: wait until everything this thread has retired so far is given back, for at most `timeout` ms.
   * Only outside sections.
   */
  flushSync(timeout: number): void {
    const deadline = performance.now() + timeout;
    for (;;) {
      this.advance();
      if (this.#heap.limbo.empty || performance.now() >= deadline || !this.#heap.memory.canBlock) break;
      const ticket = this.#periods.announceSleep();
      this.advance();
      if (this.#heap.limbo.empty) break;
      this.#reader.goOffline();
      this.#periods.sleep(ticket, LONGEST_SLEEP);
    }
  }

  /** From the top of the event loop: run callbacks whose grace period is over. */
  #runCallbacks(): void {
    const waiting = this.#waitingCallbacks;
    if (waiting !== undefined && this.#periods.isOver(waiting.cookie)) {
      this.#waitingCallbacks = undefined;
      for (const callback of waiting.callbacks) {
        try {
          callback();
        } catch (error) {
          // As an error in any event handler: reported as uncaught, and the others still run.
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
    if (this.#waitingCallbacks === undefined && this.#nextCallbacks.length > 0) {
      this.#waitingCallbacks = { cookie: this.#periods.start(), callbacks: this.#nextCallbacks };
      this.#nextCallbacks = [];
    }
  }

  /** Empty the limbo of slots whose threads are gone. */
  #helpDrained(timeout?: number): void {
    const { memory, layout } = this.#heap;
    const reaping = field(layout.root, DomainWord.REAPING);
    if (memory.load(reaping) === 0) return;
    this.#heap.withArenaLock(() => {
      // Cleared before the scan: a slot that becomes DRAINED during it, without the lock, sets it again.
      memory.store(reaping, 0);
      let left = 0;
      for (const index of slotsOfKind(memory, layout, SlotKind.DRAINED)) {
        const cookie = field(slotAddress(layout, index), SlotWord.COOKIE);
        if (memory.read(cookie) === 0) memory.write(cookie, this.#periods.start());
        if (this.#periods.isOver(memory.read(cookie) as Cookie)) {
          releaseLimbo(this.#heap, index);
          freeSlot(this.#heap, index);
        } else left++;
      }
      if (left > 0) memory.store(reaping, 1);
    }, timeout);
  }

  /** Note that some slot is DRAINED, and see to it. */
  noteDrained(): void {
    this.#heap.memory.store(field(this.#heap.layout.root, DomainWord.REAPING), 1);
    this.#drive();
  }

  #drive(): void {
    if (this.#driving) return;
    this.#driving = true;
    void this.#driveUntilIdle();
  }

  async #driveUntilIdle(): Promise<void> {
    const reaping = field(this.#heap.layout.root, DomainWord.REAPING);
    await undefined; // not inside the operation that retired: its caller may still hold what it took out
    const done = (): boolean => this.idle && this.#heap.memory.load(reaping) === 0;
    try {
      while (!this.#stopped) {
        if (!this.#step()) {
          await pause(LONGEST_SLEEP);
          continue;
        }
        if (this.#stopped || done()) break; // a callback may have closed this thread's hold
        // Announced before one more look, so that what changes after it wakes the sleeper.
        const ticket = this.#periods.announceSleep();
        if ((this.#step() && done()) || this.#stopped) break;
        await this.#periods.sleepAsync(ticket, LONGEST_SLEEP);
      }
    } finally {
      this.#driving = false;
    }
  }

  /** One look; false when it must be tried again. */
  #step(): boolean {
    if (this.#reader.nesting > 0) return false; // a section was left open over the turn's end
    const advanced = this.#tryAdvance();
    this.#runCallbacks();
    return advanced || this.#stopped;
  }

  /** No more driving; what is waiting stays in the slot. */
  stop(): void {
    this.#stopped = true;
  }
}
