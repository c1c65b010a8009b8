/**
 * What threads that have left, or died, still have in limbo: emptied by whoever drives next, in every domain, also those that this thread
 * has not opened.
 *
 * Law table
 *   word                        class
 *   REAPING                     atomic; set after a slot became DRAINED, cleared with the arena lock when none is left
 *   COOKIE, COOKIE_TAKEN of a DRAINED slot   locked by the arena lock
 */

import { type Address, field } from "../memory/address.js";
import type { Heap } from "../memory/heap.js";
import { drainDead, freeSlot, releaseLimbo } from "../memory/reap.js";
import { RecordWord, SlotKind, slotsOfKind } from "../memory/slot.js";
import type { GracePeriods } from "./flavors/flavor.js";
import { openFlavor } from "./flavors/open.js";
import { Site } from "./flavors/site.js";
import { DomainWord, domainRoot } from "./layout.js";
import type { Cookie } from "./sequence.js";

export class Departed {
  readonly #heap: Heap;
  readonly #reaping: Address;
  readonly #periods: (GracePeriods | undefined)[] = [];
  readonly #waiting = new Map<number, Cookie>();

  constructor(heap: Heap) {
    this.#heap = heap;
    this.#reaping = field(domainRoot(heap.layout, 0), DomainWord.REAPING);
  }

  /** A cookie that some slot's limbo in a domain waits for, when last looked. */
  waitingIn(domain: number): Cookie | undefined {
    return this.any ? this.#waiting.get(domain) : undefined;
  }

  /** The grace periods of a domain as this thread drives them anyway. */
  know(domain: number, periods: GracePeriods): void {
    this.#periods[domain] = periods;
  }

  #periodsOf(domain: number): GracePeriods {
    const { memory, layout, slot } = this.#heap;
    this.#periods[domain] ??= openFlavor(new Site(memory, layout, domain, slot.index), { sectionLeftOpen() {} }).periods;
    return this.#periods[domain];
  }

  /** Whether some slot may be left to empty. */
  get any(): boolean {
    return this.#heap.memory.load(this.#reaping) !== 0;
  }

  /**
   * Once a grace period is over, and before anything that waited for it is given back: see to those who were found dead, for whom it did not wait any more. What they
   * were in the middle of publishing is told by words that may have been retired (memory/publication.ts).
   * @throws LockTimeoutError
   */
  drainDead(timeout?: number): void {
    if (this.#anyDead) this.#heap.withArenaLock(() => this.#drainDead(), timeout);
  }

  get #anyDead(): boolean {
    const { memory, layout } = this.#heap;
    return slotsOfKind(memory, layout, SlotKind.DEAD).next().done === false;
  }

  /** With the arena lock. */
  #drainDead(): void {
    drainDead(this.#heap);
    this.note();
  }

  /** Some slot is DRAINED. */
  note(): void {
    this.#heap.memory.store(this.#reaping, 1);
  }

  /**
   * Empty what is over, and free the slots that have nothing left.
   * @param timeout ms to wait for the arena lock at most
   * @throws LockTimeoutError
   */
  help(timeout?: number): void {
    if (!this.any) return;
    const { memory, layout } = this.#heap;
    this.#heap.withArenaLock(() => {
      // Cleared before the scan: a slot that becomes DRAINED during it, without the lock, sets it again.
      memory.store(this.#reaping, 0);
      let left = false;
      drainDead(this.#heap); // whoever was to reap them may have given up, or died
      this.#waiting.clear();
      for (const slot of slotsOfKind(memory, layout, SlotKind.DRAINED)) {
        if (this.#empty(slot)) freeSlot(this.#heap, slot);
        else left = true;
      }
      if (left) memory.store(this.#reaping, 1);
    }, timeout);
  }

  /** Whether all limbos of a slot are empty now. */
  #empty(slot: number): boolean {
    const { memory, layout } = this.#heap;
    let empty = true;
    for (let domain = 0; domain < layout.domains; domain++) {
      const limbo = this.#heap.limboOf(slot, domain);
      if (limbo.empty) continue;
      const periods = this.#periodsOf(domain);
      const [cookie, taken] = [field(limbo.record, RecordWord.COOKIE), field(limbo.record, RecordWord.COOKIE_TAKEN)];
      if (memory.read(taken) === 0) {
        memory.write(cookie, periods.start());
        memory.write(taken, 1);
      }
      // In parts, as long as others can wait for the lock: the rest at the next look.
      if (periods.isOver(memory.read(cookie) as Cookie)) {
        if (this.#anyDead) this.#drainDead();
        empty = releaseLimbo(this.#heap, slot, domain) && empty;
      } else {
        this.#waiting.set(domain, memory.read(cookie) as Cookie);
        empty = false;
      }
    }
    return empty;
  }
}
