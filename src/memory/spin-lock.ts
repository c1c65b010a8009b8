/**
 * A spin lock (K2, L1: writers among themselves): as the robust mutex, but it never sleeps, and who holds it must not either. For a few instructions
 * around a pointer's update.
 *
 * Threads of JavaScript may be put aside by the operating system at any instruction, so a spin lock's owner may be too; those who spin for it burn
 * their time slices. Where that matters use RobustMutex.
 *
 * Law table
 *   the lock   atomic (robust-mutex.ts)
 *   what it protects   locked, by its own file's law table
 *
 * Guarantees: those of the robust mutex; and while it is held, `slot.spinLocks` is above 0, by which whatever waits for a grace period, and every update of a structure, refuses.
 */

import type { Address } from "./address.js";
import type { Memory } from "./memory.js";
import { LOCK_TIMEOUT, RobustMutex } from "./robust-mutex.js";
import type { Slot } from "./slot.js";

/** One thread's view of a spin lock. */
export class SpinLock {
  readonly address: Address;
  readonly #mutex: RobustMutex;
  readonly #slot: Slot;

  constructor(memory: Memory, address: Address, slot: Slot) {
    this.address = address;
    this.#slot = slot;
    this.#mutex = new RobustMutex(memory, address, slot, () => {});
  }

  /** Whether this thread holds the lock. */
  get held(): boolean {
    return this.#mutex.held;
  }

  /**
   * Take the lock, spinning while another live thread holds it.
   * @param timeout ms to spin at most
   * @returns true when the last owner died holding it: repair what it protects before anything else
   * @throws DeadlockError when this thread holds it already; LockTimeoutError
   */
  lock(timeout: number = LOCK_TIMEOUT): boolean {
    const died = this.#mutex.lock(timeout);
    this.#slot.spinLocks++;
    return died;
  }

  /**
   * Let the lock go.
   * @param failed what it protects is not repaired: the next owner is told that an owner died
   */
  unlock(failed = false): void {
    this.#mutex.unlock(failed);
    this.#slot.spinLocks--;
  }

  /** Run `fn` with the lock. @throws what `lock`, `repair` and `fn` throw */
  withLock<T>(fn: () => T, repair: () => void = () => {}): T {
    const died = this.lock();
    let failed = died;
    try {
      if (died) repair();
      failed = false;
      return fn();
    } finally {
      this.unlock(failed);
    }
  }
}
