/**
 * A sequence lock, for comparison: readers write nothing, and read again when a writer was about (Linux's seqlock_t; Boehm, "Can seqlocks get along with
 * programming language memory models?", MSPC 2012).
 *
 *   MUTEX      a robust mutex, the writers'
 *   SEQUENCE   odd while a writer is inside
 *
 *   writer   take MUTEX, SEQUENCE += 1, stores, SEQUENCE += 1, let it go
 *   reader   s = SEQUENCE, wait while it is odd; loads; again unless SEQUENCE still is s
 *
 * For a few words. A reader may see half an update before it finds out, so it must follow no pointer it reads: what is read under RCU is whole at once.
 *
 * Law table
 *   MUTEX, SEQUENCE    atomic
 *   what it protects   atomic: readers load it while the writer stores it
 *
 * Guarantees
 *   A  what `read` gives was so at one instant.
 *   B  writers never wait for readers.
 *   C  a reader ends: after RETRIES looks that a writer spoilt, it takes the mutex.
 *   D  a writer that dies is made good: a reader that finds SEQUENCE odd for long takes the mutex, is told, and runs `repair`, as the next writer does. A reader that
 *      dies leaves nothing.
 * SEQUENCE comes round after 2^31 updates: a reader that is held up for just so many within one look is not told.
 */

import { type Address, field } from "./address.js";
import { QuiesceError } from "./errors.js";
import type { Memory } from "./memory.js";
import { LOCK_TIMEOUT, RobustMutex } from "./robust-mutex.js";
import type { Slot } from "./slot.js";

/** Bytes of a sequence lock; zeroed, it is free. */
export const SEQ_LOCK_BYTES = 8;

const Word = { MUTEX: 0, SEQUENCE: 1 } as const;

/** Looks at an odd sequence before sleeping until the writer is gone. */
const SPINS = 100;
/** Looks that may be spoilt before a reader keeps writers out. */
const RETRIES = 100;

/** One thread's view of a sequence lock. */
export class SeqLock {
  readonly address: Address;
  readonly #memory: Memory;
  readonly #sequence: Address;
  readonly #mutex: RobustMutex;
  readonly #repair: () => void;

  /**
   * @param address of `SEQ_LOCK_BYTES`, zeroed before the first use
   * @param repair mends what a writer that died inside has left half done, by atomic stores; runs with no other writer. Default nothing: then half of its stores
   *   may be seen
   */
  constructor(memory: Memory, address: Address, slot: Slot, repair: () => void = () => {}) {
    this.address = address;
    this.#memory = memory;
    this.#sequence = field(address, Word.SEQUENCE);
    this.#mutex = new RobustMutex(memory, field(address, Word.MUTEX), slot);
    this.#repair = repair;
  }

  /** Whether this thread is the writer inside. */
  get held(): boolean {
    return this.#mutex.held;
  }

  /**
   * Enter as the writer.
   * @param timeout ms to wait at most
   * @throws DeadlockError, LockTimeoutError; what `repair` throws
   */
  writeLock(timeout: number = LOCK_TIMEOUT): void {
    this.#mutex.lockRepaired(this.#mend, timeout);
    this.#memory.add(this.#sequence, 1);
  }

  /**
   * @param failed what it protects is not whole: whoever comes next runs `repair` first
   * @throws QuiesceError (ERR_NOT_OWNER)
   */
  writeUnlock(failed = false): void {
    if (!this.#mutex.held) throw new QuiesceError("ERR_NOT_OWNER", `writeUnlock() of the sequence lock at ${this.address}, which this thread does not hold.`);
    if (!failed) this.#memory.add(this.#sequence, 1);
    this.#mutex.unlock(failed);
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

  /**
   * Begin a look: give the number to `readRetry`. Sleeps while a writer is inside.
   * @throws DeadlockError in a write of its own; LockTimeoutError; what `repair` throws
   */
  readBegin(timeout: number = LOCK_TIMEOUT): number {
    for (let tries = 0; tries < SPINS; tries++) {
      const sequence = this.#memory.load(this.#sequence);
      if ((sequence & 1) === 0) return sequence;
    }
    return this.#alone(() => this.#memory.load(this.#sequence), timeout);
  }

  /** Whether a writer was about since `readBegin`: what was read is to be thrown away, and read again. */
  readRetry(sequence: number): boolean {
    return this.#memory.load(this.#sequence) !== sequence;
  }

  /**
   * What `fn` gives of one instant. It may be run again and again, sees words of different instants meanwhile, and what it throws then counts for nothing.
   * @throws what `fn` throws at one instant, and as `readBegin`
   */
  read<T>(fn: () => T): T {
    for (let retries = 0; retries < RETRIES; retries++) {
      const sequence = this.readBegin();
      let result: T;
      try {
        result = fn();
      } catch (error) {
        if (this.readRetry(sequence)) continue;
        throw error;
      }
      if (!this.readRetry(sequence)) return result;
    }
    return this.#alone(fn);
  }

  /** Run `fn` while no writer is inside. */
  #alone<T>(fn: () => T, timeout?: number): T {
    this.#mutex.lockRepaired(this.#mend, timeout);
    try {
      return fn();
    } finally {
      this.#mutex.unlock();
    }
  }

  /** With the mutex of a dead writer. */
  readonly #mend = (): void => {
    // Even: it died before its first store, or after its last.
    if ((this.#memory.load(this.#sequence) & 1) === 0) return;
    this.#repair();
    this.#memory.add(this.#sequence, 1);
  };
}
