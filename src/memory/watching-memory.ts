/**
 * A memory that looks at what is read in a debug arena: whoever reads poison reads what was freed, or was never written.
 *
 * Only words that hold one of the patterns cost more than a comparison, and only such are found: a freed object that was used anew looks like
 * any other, and a program that stores 0x5a5a5a5a on purpose is reported once for each place of allocation. Bulk copies are not looked at. Whether
 * every single read is right is what the checked memory of check/ asks.
 *
 * Law table: this file owns no word, and writes what it is told to.
 */

import type { Address } from "./address.js";
import type { Guard } from "./guard.js";
import { HistoryState } from "./history.js";
import type { AsyncWait, Memory, WaitResult } from "./memory.js";
import type { MemoryFault } from "./memory-report.js";
import { type Extent, FRESH, POISON, POISON_END, ZONE_ACTIVE, ZONE_INACTIVE } from "./poison.js";

/** Whom it asks. */
export interface Watched {
  readonly guard: Guard;
  readonly debug: { extentAround(address: Address): Extent | undefined };
}

/** What a thread of a debug arena reads and writes through. */
export class WatchingMemory implements Memory {
  readonly words: number;
  readonly canBlock: boolean;
  readonly #inner: Memory;
  readonly #heap: Watched;
  readonly #told = new Set<string>();

  constructor(inner: Memory, heap: Watched) {
    this.words = inner.words;
    this.canBlock = inner.canBlock;
    this.#inner = inner;
    this.#heap = heap;
  }

  #seen(address: Address, value: number): number {
    if (value === FRESH || value === POISON || value === POISON_END || value === ZONE_ACTIVE || value === ZONE_INACTIVE) this.#look(address, value);
    return value;
  }

  #look(address: Address, value: number): void {
    const { guard, debug } = this.#heap;
    const extent = debug.extentAround(address);
    if (extent === undefined) return;
    const fault = this.#faultAt(extent, address - extent.start, value);
    if (fault === undefined) return;
    const report = guard.reportOf(extent, fault, 4 * (address - extent.start), 4, "read");
    const key = `${fault} ${report.object.allocated?.stack}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    guard.queue(report);
    guard.flush();
  }

  #faultAt({ history, room, isPoisoned }: Extent, word: number, value: number): MemoryFault | undefined {
    const { histories } = this.#heap.guard;
    const isInside = word >= 0 && word < room;
    const isFreed = histories.state(history) === HistoryState.FREED;
    if (isInside && isFreed) return isPoisoned && (value === POISON || value === POISON_END) ? "read-after-free" : undefined;
    if (isInside && value === FRESH) return isPoisoned && histories.state(history) === HistoryState.LIVE ? "uninitialised-read" : undefined;
    const bytes = histories.bytes(history);
    return value === ZONE_ACTIVE && (word < 0 || word * 4 >= bytes) ? "out-of-bounds-read" : undefined;
  }

  load(address: Address): number {
    return this.#seen(address, this.#inner.load(address));
  }
  read(address: Address): number {
    return this.#seen(address, this.#inner.read(address));
  }

  store(address: Address, value: number): void {
    this.#inner.store(address, value);
  }
  exchange(address: Address, value: number): number {
    return this.#inner.exchange(address, value);
  }
  compareExchange(address: Address, expected: number, replacement: number): number {
    return this.#inner.compareExchange(address, expected, replacement);
  }
  add(address: Address, value: number): number {
    return this.#inner.add(address, value);
  }
  and(address: Address, value: number): number {
    return this.#inner.and(address, value);
  }
  or(address: Address, value: number): number {
    return this.#inner.or(address, value);
  }
  write(address: Address, value: number): void {
    this.#inner.write(address, value);
  }
  fill(address: Address, words: number, value: number): void {
    this.#inner.fill(address, words, value);
  }
  copy(target: Address, source: Address, words: number): void {
    this.#inner.copy(target, source, words);
  }
  readBytes(source: Address, target: Uint8Array): void {
    this.#inner.readBytes(source, target);
  }
  writeBytes(target: Address, source: Uint8Array): void {
    this.#inner.writeBytes(target, source);
  }
  wait(address: Address, expected: number, timeout: number): WaitResult {
    return this.#inner.wait(address, expected, timeout);
  }
  waitAsync(address: Address, expected: number, timeout: number): AsyncWait {
    return this.#inner.waitAsync(address, expected, timeout);
  }
  notify(address: Address): number {
    return this.#inner.notify(address);
  }
}
