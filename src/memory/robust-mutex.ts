/**
 * A mutex that survives its owner's death, as POSIX robust mutexes do
 * (pthread_mutexattr_setrobust(3); the sleeping half is Drepper's "Futexes Are Tricky", mutex 2).
 *
 *   word = 0                     free
 *        = owner | [WAITERS]     held by thread `owner - 1`; someone may be asleep
 *        = DIED  | [WAITERS]     its owner died holding it: the next owner must recover
 *
 * The owner is named by its thread's number, which never comes back, and not by its slot, which does: who takes a lock
 * away from a dead thread, however late, cannot take it from a living one.
 *
 * Law table
 *   word         class
 *   the mutex    atomic
 *   what it protects   locked, by its own file's law table
 *
 * Guarantees
 *   A  mutual exclusion: at most one live thread is between lock() and unlock().
 *   B  no lost wake-up: WAITERS is set before sleeping and the sleep re-checks the word; whoever
 *      takes the word away from a value with WAITERS wakes all, or keeps the bit.
 *   C  whoever takes the lock after its owner died is told so; until recovery has succeeded
 *      (unlock() without `failed`), every later owner is told too.
 *   D  the slot notes the lock before it is taken and forgets it after it is let go, so a reaper
 *      finds every lock that a dead thread may hold, and wakes those whom it may have failed to wake.
 */

import type { Address } from "./address.js";
import { DeadlockError, LockTimeoutError, QuiesceError } from "./errors.js";
import type { Memory } from "./memory.js";
import type { Park, Slot } from "./slot.js";

const OWNER = 0x1fffffff;
const DIED = 1 << 29;
const WAITERS = 1 << 30;

/** Tries before sleeping: about as long as the arena lock is commonly held. */
const SPINS = 100;

/** How long `lock` waits before it says whom it is waiting for, in ms. */
export const LOCK_TIMEOUT = 5000;

/** One thread's view of a robust mutex. */
export class RobustMutex {
  readonly address: Address;
  readonly #memory: Memory;
  readonly #slot: Slot;
  readonly #me: number;
  readonly #park: Park;

  /** @param park how to sleep, if not as the slot does */
  constructor(memory: Memory, address: Address, slot: Slot, park: Park = (...sleep) => slot.park(...sleep)) {
    this.address = address;
    this.#memory = memory;
    this.#slot = slot;
    this.#me = slot.thread + 1;
    this.#park = park;
  }

  /** Whether this thread holds the lock. */
  get held(): boolean {
    return (this.#memory.load(this.address) & OWNER) === this.#me;
  }

  /**
   * Take the lock, sleeping while another live thread holds it.
   * @param timeout ms to wait at most
   * @returns true when the last owner died holding it: repair what it protects before anything else
   * @throws DeadlockError when this thread holds it already; LockTimeoutError
   */
  lock(timeout: number = LOCK_TIMEOUT): boolean {
    const memory = this.#memory;
    let word = memory.load(this.address);
    if ((word & OWNER) === this.#me) throw new DeadlockError(this.address);
    this.#slot.noteLock(this.address);
    let deadline = 0;
    for (let tries = 0; ; tries++, word = memory.load(this.address)) {
      if ((word & OWNER) === 0) {
        // WAITERS is kept: those asleep are still to be woken by our unlock.
        if (memory.compareExchange(this.address, word, this.#me | (word & WAITERS)) === word) return (word & DIED) !== 0;
        continue;
      }
      if (tries < SPINS) continue;
      const now = performance.now();
      if (deadline === 0) deadline = now + timeout;
      else if (now >= deadline) {
        this.#slot.forgetLock(this.address);
        throw new LockTimeoutError(this.address, (word & OWNER) - 1, timeout);
      }
      if ((word & WAITERS) === 0) {
        if (memory.compareExchange(this.address, word, word | WAITERS) !== word) continue;
        word |= WAITERS;
      }
      this.#park(this.address, word, deadline - now);
    }
  }

  /**
   * Take the lock without ever sleeping: as many looks as `lock` takes before it sleeps.
   * @returns undefined when another live thread holds it; else as `lock`
   * @throws DeadlockError when this thread holds it already
   */
  tryLock(): boolean | undefined {
    const memory = this.#memory;
    if (this.held) throw new DeadlockError(this.address);
    this.#slot.noteLock(this.address);
    for (let tries = 0; tries < SPINS; tries++) {
      const word = memory.load(this.address);
      if ((word & OWNER) === 0 && memory.compareExchange(this.address, word, this.#me | (word & WAITERS)) === word) return (word & DIED) !== 0;
    }
    this.#slot.forgetLock(this.address);
    return undefined;
  }

  /**
   * Take the lock, and run `repair` first if the last owner died. When that throws, the lock is let go and its next owner is told again.
   * @throws what `lock` and `repair` throw
   */
  lockRepaired(repair: () => void, timeout?: number): void {
    if (!this.lock(timeout)) return;
    let repaired = false;
    try {
      repair();
      repaired = true;
    } finally {
      if (!repaired) this.unlock(true);
    }
  }

  /**
   * Let the lock go.
   * @param failed what it protects is not repaired: the next owner is told that an owner died
   * @throws QuiesceError (ERR_NOT_OWNER) when this thread does not hold it
   */
  unlock(failed = false): void {
    if (!this.#slot.hasNoted(this.address))
      throw new QuiesceError("ERR_NOT_OWNER", `unlock() of the lock at ${this.address}, which this thread does not hold.`);
    const old = this.#memory.exchange(this.address, failed ? DIED : 0);
    if ((old & WAITERS) !== 0) this.#memory.notify(this.address);
    this.#slot.forgetLock(this.address);
  }
}

/** Take a lock away from a dead thread, if it holds it, and wake those who wait for it. May be repeated. */
export function markOwnerDied(memory: Memory, lock: Address, thread: number): void {
  for (;;) {
    const word = memory.load(lock);
    if ((word & OWNER) !== thread + 1) break;
    if (memory.compareExchange(lock, word, DIED | (word & WAITERS)) === word) break;
  }
  // Woken in any case: the dead thread may have let go without having woken anyone.
  memory.notify(lock);
}
