/**
 * A reader-writer lock, for comparison: what readers pay who are counted (Courtois, Heymans, Parnas 1971, "readers and writers", problem 2: writers first).
 *
 *   MUTEX   a robust mutex, the writers'
 *   STATE   [GATE] + readers inside
 *
 *   reader   STATE += 1; if the gate was closed: STATE -= 1, take MUTEX, STATE += 1, let it go     ...     STATE -= 1; the last one wakes the writer
 *   writer   take MUTEX, close the gate, sleep until nobody is inside                               ...     open the gate, let MUTEX go
 *
 * Each section costs two operations on a line that all readers write, and a reader waits for a writer: what a read-side section (rcu/) spares.
 *
 * Law table
 *   MUTEX, STATE   atomic
 *   what it protects   locked: written by the one writer, read by readers
 *
 * Guarantees
 *   A  a writer is alone; readers are together.
 *   B  writers come first: from when one has closed the gate, no reader enters until it has left, but for those it waits for.
 *   C  a writer that dies is made good: the next one who enters, reader or writer, runs `repair` alone, and until that has succeeded nobody else enters.
 *   D  a reader that dies inside stays counted, and every later writer ends with LockReadersError. The count does not say whose it is, so nothing can be done for
 *      the reaper to take it back: this is what a lock that counts its readers costs. A section of a reader that dies is simply over (rcu/).
 */

import { type Address, field } from "./address.js";
import { DeadlockError, QuiesceError } from "./errors.js";
import type { Memory } from "./memory.js";
import { LOCK_TIMEOUT, RobustMutex } from "./robust-mutex.js";
import type { Slot } from "./slot.js";

/** Bytes of a reader-writer lock; zeroed, it is free. */
export const RW_LOCK_BYTES = 8;

const Word = { MUTEX: 0, STATE: 1 } as const;

const GATE = 1 << 30;
const READERS: number = GATE - 1;

/** Looks at the readers' count before sleeping. */
const SPINS = 100;

/** The readers that were inside did not leave in time. */
export class LockReadersError extends QuiesceError {
  constructor(address: number, readers: number, milliseconds: number) {
    super(
      "ERR_LOCK_READERS",
      `the reader-writer lock at ${address} still had ${readers} readers inside after ${milliseconds} ms. Readers must leave soon; one that died inside ` +
        "stays counted for good: then give up this lock, and rather read under RCU, where a dead thread's sections are over.",
    );
  }
}

/** One thread's view of a reader-writer lock. */
export class RwLock {
  readonly address: Address;
  readonly #memory: Memory;
  readonly #slot: Slot;
  readonly #state: Address;
  readonly #mutex: RobustMutex;
  readonly #repair: () => void;
  #held: "read" | "write" | undefined;

  /**
   * @param address of `RW_LOCK_BYTES`, zeroed before the first use
   * @param repair mends what a writer that died has left half done; runs alone. Default nothing: what is protected can be used however far the writer came
   */
  constructor(memory: Memory, address: Address, slot: Slot, repair: () => void = () => {}) {
    this.address = address;
    this.#memory = memory;
    this.#slot = slot;
    this.#state = field(address, Word.STATE);
    this.#mutex = new RobustMutex(memory, field(address, Word.MUTEX), slot);
    this.#repair = repair;
  }

  /** How this view holds the lock. */
  get held(): "read" | "write" | undefined {
    return this.#held;
  }

  /**
   * Enter as a reader, sleeping while a writer is inside or waits.
   * @param timeout ms to wait at most
   * @throws DeadlockError when this view holds it already, however: a writer may wait between; LockTimeoutError, LockReadersError; what `repair` throws
   */
  readLock(timeout: number = LOCK_TIMEOUT): void {
    if (this.#held !== undefined) throw new DeadlockError(this.address);
    this.#slot.mustBeAttached();
    if ((this.#memory.add(this.#state, 1) & GATE) !== 0) {
      this.#leave();
      // Behind the writer, and with the mutex there is none: the gate is open.
      this.#mutex.lockRepaired(() => this.#mend(timeout), timeout);
      this.#memory.add(this.#state, 1);
      this.#mutex.unlock();
    }
    this.#held = "read";
  }

  /** @throws QuiesceError (ERR_NOT_OWNER) */
  readUnlock(): void {
    this.#mustHold("read", "readUnlock()");
    this.#held = undefined;
    this.#leave();
  }

  /**
   * Enter as the writer: no reader enters from now on; sleeps until those inside have left.
   * @param timeout ms to wait at most for other writers, and again for readers
   * @throws as `readLock`
   */
  writeLock(timeout: number = LOCK_TIMEOUT): void {
    if (this.#held !== undefined) throw new DeadlockError(this.address);
    this.#mutex.lockRepaired(() => this.#mend(timeout), timeout);
    let alone = false;
    try {
      this.#closeGate(timeout);
      alone = true;
    } finally {
      if (!alone) {
        this.#openGate();
        this.#mutex.unlock();
      }
    }
    this.#held = "write";
  }

  /**
   * @param failed what it protects is not whole: whoever enters next runs `repair` first
   * @throws QuiesceError (ERR_NOT_OWNER)
   */
  writeUnlock(failed = false): void {
    this.#mustHold("write", "writeUnlock()");
    this.#held = undefined;
    if (!failed) this.#openGate(); // a gate that stays closed leads readers to the mutex, which tells them
    this.#mutex.unlock(failed);
  }

  /** Run `fn` as a reader. */
  read<T>(fn: () => T): T {
    this.readLock();
    try {
      return fn();
    } finally {
      this.readUnlock();
    }
  }

  /** Run `fn` as the writer. When it throws, what it protects is taken to be whole. */
  write<T>(fn: () => T): T {
    this.writeLock();
    try {
      return fn();
    } finally {
      this.writeUnlock();
    }
  }

  /** With the mutex of a dead writer. When this throws, the gate stays closed and the next owner is told again. */
  #mend(timeout: number): void {
    this.#closeGate(timeout);
    this.#repair();
    this.#openGate();
  }

  /** With the mutex: nobody enters any more; wait until all have left. */
  #closeGate(timeout: number): void {
    const memory = this.#memory;
    memory.or(this.#state, GATE);
    let deadline = 0;
    for (let tries = 0; ; tries++) {
      const state = memory.load(this.#state);
      const readers = state & READERS;
      if (readers === 0) return;
      if (tries < SPINS) continue;
      const now = performance.now();
      if (deadline === 0) deadline = now + timeout;
      else if (now >= deadline) throw new LockReadersError(this.address, readers, timeout);
      this.#slot.park(this.#state, state, deadline - now);
    }
  }

  #openGate(): void {
    this.#memory.and(this.#state, ~GATE);
  }

  #leave(): void {
    // The gate was closed before the writer looked at the count, so one of the two sees the other.
    if (this.#memory.add(this.#state, -1) === GATE + 1) this.#memory.notify(this.#state);
  }

  #mustHold(how: "read" | "write", operation: string): void {
    if (this.#held !== how)
      throw new QuiesceError("ERR_NOT_OWNER", `${operation} of the reader-writer lock at ${this.address}, which this thread does not hold so.`);
  }
}
