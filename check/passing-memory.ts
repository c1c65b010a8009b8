/**
 * A `Memory` that passes every access on: the base of those that change, refuse or end some of them.
 *
 * What `passes` refuses does not take place, and reads as 0. A compareExchange seems to succeed, so that no loop of a thread that
 * is over goes on for ever.
 */

import type { Address } from "../src/memory/address.js";
import type { AsyncWait, Memory, WaitResult } from "../src/memory/memory.js";

export class PassingMemory implements Memory {
  readonly words: number;
  readonly canBlock: boolean;
  protected readonly inner: Memory;

  constructor(inner: Memory) {
    this.inner = inner;
    this.words = inner.words;
    this.canBlock = inner.canBlock;
  }

  /** Whether the next access takes place. */
  protected passes(_isRead: boolean): boolean {
    return true;
  }

  load(address: Address): number {
    return this.passes(false) ? this.inner.load(address) : 0;
  }
  store(address: Address, value: number): void {
    if (this.passes(false)) this.inner.store(address, value);
  }
  exchange(address: Address, value: number): number {
    return this.passes(false) ? this.inner.exchange(address, value) : 0;
  }
  compareExchange(address: Address, expected: number, replacement: number): number {
    return this.passes(false) ? this.inner.compareExchange(address, expected, replacement) : expected;
  }
  add(address: Address, value: number): number {
    return this.passes(false) ? this.inner.add(address, value) : 0;
  }
  and(address: Address, value: number): number {
    return this.passes(false) ? this.inner.and(address, value) : 0;
  }
  or(address: Address, value: number): number {
    return this.passes(false) ? this.inner.or(address, value) : 0;
  }
  read(address: Address): number {
    return this.passes(true) ? this.inner.read(address) : 0;
  }
  write(address: Address, value: number): void {
    if (this.passes(false)) this.inner.write(address, value);
  }
  fill(address: Address, words: number, value: number): void {
    if (this.passes(false)) this.inner.fill(address, words, value);
  }
  copy(target: Address, source: Address, words: number): void {
    if (this.passes(false)) this.inner.copy(target, source, words);
  }
  readBytes(source: Address, target: Uint8Array): void {
    if (this.passes(true)) this.inner.readBytes(source, target);
  }
  writeBytes(target: Address, source: Uint8Array): void {
    if (this.passes(false)) this.inner.writeBytes(target, source);
  }
  wait(address: Address, expected: number, timeout: number): WaitResult {
    return this.passes(false) ? this.inner.wait(address, expected, timeout) : "timed-out";
  }
  waitAsync(address: Address, expected: number, timeout: number): AsyncWait {
    return this.passes(false) ? this.inner.waitAsync(address, expected, timeout) : { async: false, value: "timed-out" };
  }
  notify(address: Address): number {
    return this.passes(false) ? this.inner.notify(address) : 0;
  }
}
