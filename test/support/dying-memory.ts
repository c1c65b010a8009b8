/**
 * A memory whose thread can be killed, or held up, at any one of its accesses.
 *
 * Killed: the n-th access does not take place but throws; `finally` and `catch` blocks of the code under test then run, as no
 * block of a terminated worker does, so every later access of this thread is a no-op that reads 0.
 * Held up: `hook` runs before each access, and may do with the same buffer, through another memory, what other threads do
 * while this one is between two instructions.
 */

import type { Address } from "../../src/memory/address.js";
import type { AsyncWait, Memory, WaitResult } from "../../src/memory/memory.js";

/** Thrown at the access a thread dies before. */
class Killed extends Error {}

/** One thread's memory. */
export class DyingMemory implements Memory {
  readonly words: number;
  readonly canBlock: boolean;
  /** Accesses counted since `arm`. */
  accesses = 0;
  /** Runs before each access, with its number. */
  hook: ((access: number) => void) | undefined;
  /** What the last access was, for messages. */
  last = "";
  readonly #inner: Memory;
  #deathAt = Number.POSITIVE_INFINITY;
  #dead = false;
  #sinceDeath = 0;

  constructor(inner: Memory) {
    this.#inner = inner;
    this.words = inner.words;
    this.canBlock = inner.canBlock;
  }

  /** Whether the thread has been killed. */
  get dead(): boolean {
    return this.#dead;
  }

  /** Count from now on, and die before the `access`-th access, counted from 1. */
  arm(access: number = Number.POSITIVE_INFINITY): void {
    this.accesses = 0;
    this.#deathAt = access;
  }

  /** Die now. */
  kill(): void {
    this.#dead = true;
  }

  /** Run what the thread does; gives whether it died in it. Errors of a living thread are thrown on. */
  run(fn: () => void): boolean {
    try {
      fn();
    } catch (error) {
      // After its death the code under test sees zeros, and may throw anything.
      if (!this.#dead) throw error;
    }
    return this.#dead;
  }

  #step(what: string, address: number): boolean {
    if (this.#dead) {
      // Some loop wants to see what a no-op never shows.
      if (++this.#sinceDeath > 100_000) throw new Killed("this thread does not end, though it is dead");
      return false;
    }
    this.accesses++;
    this.last = `${what} ${address}`;
    this.hook?.(this.accesses);
    if (this.accesses !== this.#deathAt) return true;
    this.#dead = true;
    throw new Killed(`killed before access ${this.accesses}: ${this.last}`);
  }

  load(address: Address): number {
    return this.#step("load", address) ? this.#inner.load(address) : 0;
  }
  store(address: Address, value: number): void {
    if (this.#step("store", address)) this.#inner.store(address, value);
  }
  exchange(address: Address, value: number): number {
    return this.#step("exchange", address) ? this.#inner.exchange(address, value) : 0;
  }
  compareExchange(address: Address, expected: number, replacement: number): number {
    // A dead thread's attempt succeeds, so that no loop of it goes on for ever.
    return this.#step("compareExchange", address) ? this.#inner.compareExchange(address, expected, replacement) : expected;
  }
  add(address: Address, value: number): number {
    return this.#step("add", address) ? this.#inner.add(address, value) : 0;
  }
  and(address: Address, value: number): number {
    return this.#step("and", address) ? this.#inner.and(address, value) : 0;
  }
  or(address: Address, value: number): number {
    return this.#step("or", address) ? this.#inner.or(address, value) : 0;
  }
  read(address: Address): number {
    return this.#step("read", address) ? this.#inner.read(address) : 0;
  }
  write(address: Address, value: number): void {
    if (this.#step("write", address)) this.#inner.write(address, value);
  }
  fill(address: Address, words: number, value: number): void {
    // Word by word: a thread may die half-way through.
    for (let i = 0; i < words; i++) this.write((address + i) as Address, value);
  }
  copy(target: Address, source: Address, words: number): void {
    for (let i = 0; i < words; i++) this.write((target + i) as Address, this.read((source + i) as Address));
  }
  readBytes(source: Address, target: Uint8Array): void {
    if (this.#step("readBytes", source)) this.#inner.readBytes(source, target);
  }
  writeBytes(target: Address, source: Uint8Array): void {
    if (!this.#step("writeBytes", target)) return;
    this.#inner.writeBytes(target, source.subarray(0, source.length >> 1));
    if (this.#step("second half of writeBytes", target)) this.#inner.writeBytes(target, source);
  }
  wait(address: Address, expected: number, timeout: number): WaitResult {
    return this.#step("wait", address) ? this.#inner.wait(address, expected, timeout) : "timed-out";
  }
  waitAsync(address: Address, expected: number, timeout: number): AsyncWait {
    return this.#step("waitAsync", address) ? this.#inner.waitAsync(address, expected, timeout) : { async: false, value: "timed-out" };
  }
  notify(address: Address): number {
    return this.#step("notify", address) ? this.#inner.notify(address) : 0;
  }
}
