/**
 * The seam: every access to shared memory goes through this one small interface.
 *
 * Production is `SharedMemory`, a few one-line methods over typed arrays that V8 inlines (no
 * cost over a bare Int32Array as long as one class is seen at each call site). The checkers run
 * the same shipped code over other implementations: a scheduler, a shadow memory, a tracer.
 *
 * The law ("atomic or immutable", ARCHITECTURE.md) is spoken in these methods: `read` and `write` are
 * for private, immutable and locked words; all others are for atomic words. Which class a word
 * is in stands in the law table at the head of the file that owns the word.
 */

import type { Address } from "./address.js";

/** What a blocking wait ended with. */
export type WaitResult = "ok" | "not-equal" | "timed-out";

/** What an asynchronous wait gives: at once, or later. */
export type AsyncWait = { async: false; value: "not-equal" | "timed-out" } | { async: true; value: Promise<"ok" | "timed-out"> };

/** A word-addressed shared memory. Values are signed 32-bit integers. */
export interface Memory {
  /** Size of the memory in words. */
  readonly words: number;
  /** Whether `wait` may block this thread (a browser's main thread may not). */
  readonly canBlock: boolean;

  /** Atomic, sequentially consistent load. */
  load(address: Address): number;
  /** Atomic, sequentially consistent store. */
  store(address: Address, value: number): void;
  /** Atomic swap; gives the old value. */
  exchange(address: Address, value: number): number;
  /** Atomic compare and swap; gives the old value (equal to `expected` when it took place). */
  compareExchange(address: Address, expected: number, replacement: number): number;
  /** Atomic add modulo 2^32; gives the old value. */
  add(address: Address, value: number): number;
  /** Atomic bitwise and; gives the old value. */
  and(address: Address, value: number): number;
  /** Atomic bitwise or; gives the old value. */
  or(address: Address, value: number): number;

  /** Plain read, for private, immutable and locked words. */
  read(address: Address): number;
  /** Plain write, for private and locked words. */
  write(address: Address, value: number): void;
  /** Plain write of `value` into `words` words. */
  fill(address: Address, words: number, value: number): void;
  /** Plain copy of `words` words (the ranges do not overlap). */
  copy(target: Address, source: Address, words: number): void;
  /** Plain copy of bytes out of the memory, `target.length` of them, from the first byte of `source`. */
  readBytes(source: Address, target: Uint8Array): void;
  /** Plain copy of bytes into the memory, to the first byte of `target`. */
  writeBytes(target: Address, source: Uint8Array): void;

  /** Block until notified, or at once if the word is not `expected`. Atomic. `timeout` in ms. */
  wait(address: Address, expected: number, timeout: number): WaitResult;
  /** As `wait`, without blocking. It never keeps an event loop alive. */
  waitAsync(address: Address, expected: number, timeout: number): AsyncWait;
  /** Wake those who wait on the word; gives how many. */
  notify(address: Address): number;
}

// A thread that may not block gets a TypeError before the word is even compared, so a wait that
// could not last anyway (the values differ) tells the two kinds of thread apart.
function mayBlock(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

type WaitAsync = (words: Int32Array, index: number, value: number, timeout: number) => AsyncWait;

const { waitAsync } = Atomics as unknown as { waitAsync?: WaitAsync };

/** The production memory: fixed-length views over one SharedArrayBuffer. */
export class SharedMemory implements Memory {
  readonly words: number;
  readonly canBlock: boolean;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    // Length-tracking views on a growable buffer are 10-20x slower: the length is given.
    this.words = Math.floor(buffer.byteLength / 4);
    this.#words = new Int32Array(buffer, 0, this.words);
    this.#bytes = new Uint8Array(buffer, 0, this.words * 4);
    this.canBlock = mayBlock();
  }

  load(address: Address): number {
    return Atomics.load(this.#words, address);
  }
  store(address: Address, value: number): void {
    Atomics.store(this.#words, address, value);
  }
  exchange(address: Address, value: number): number {
    return Atomics.exchange(this.#words, address, value);
  }
  compareExchange(address: Address, expected: number, replacement: number): number {
    return Atomics.compareExchange(this.#words, address, expected, replacement);
  }
  add(address: Address, value: number): number {
    return Atomics.add(this.#words, address, value);
  }
  and(address: Address, value: number): number {
    return Atomics.and(this.#words, address, value);
  }
  or(address: Address, value: number): number {
    return Atomics.or(this.#words, address, value);
  }

  read(address: Address): number {
    return this.#words[address] as number;
  }
  write(address: Address, value: number): void {
    this.#words[address] = value;
  }
  fill(address: Address, words: number, value: number): void {
    this.#words.fill(value, address, address + words);
  }
  copy(target: Address, source: Address, words: number): void {
    this.#words.copyWithin(target, source, source + words);
  }
  readBytes(source: Address, target: Uint8Array): void {
    target.set(this.#bytes.subarray(source * 4, source * 4 + target.length));
  }
  writeBytes(target: Address, source: Uint8Array): void {
    this.#bytes.set(source, target * 4);
  }

  wait(address: Address, expected: number, timeout: number): WaitResult {
    return Atomics.wait(this.#words, address, expected, timeout);
  }
  waitAsync(address: Address, expected: number, timeout: number): AsyncWait {
    if (waitAsync !== undefined) return waitAsync(this.#words, address, expected, timeout);
    // Where it is missing the caller looks again soon: no wake-up can be lost, it only comes late.
    return {
      async: true,
      value: new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.min(timeout, 2), "timed-out") as { unref?: () => void };
        timer.unref?.(); // as the real one, it keeps no loop alive
      }),
    };
  }
  notify(address: Address): number {
    return Atomics.notify(this.#words, address);
  }
}
