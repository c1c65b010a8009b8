/**
 * A `Memory` that checks each access against shadow memory before it makes it: races by the ES
 * memory model's happens-before, use after free, reads before initialisation, writes to
 * published words (see shadow.ts). An error is thrown at the access.
 *
 * One handle for each thread, over one `Shadow` where the threads are logical ones of one JavaScript thread (the explorer does the same
 * inside), or over a shadow each whose cells they share (real/).
 *
 * Check and access are one step, in the word's lock. Bulk operations go word by word: they are not atomic themselves, no lock is ever taken
 * inside another, and nobody waits for a whole range. A `wait` is checked as an atomic read, in the lock, and sleeps outside of it: the store
 * it sleeps for needs that lock. What it reads when it does sleep, or does not, may be of a later store than the one whose clock was taken; so it
 * may order less than it does, never more. Nor does a notify order anything: code that needs it is reported.
 */

import { type Address, field } from "../src/memory/address.js";
import type { AsyncWait, Memory, WaitResult } from "../src/memory/memory.js";
import type { Annotate } from "./scenario.js";
import { privileged, type Shadow, ShadowError } from "./shadow.js";

/** Where the first error goes, of all threads. */
export interface Reporter {
  /** @throws when one was found, so that no thread goes on over words that are no longer watched */
  mustGoOn(): void;
  found(error: ShadowError): void;
}

export interface CheckedOptions {
  /** Check one in so many plain reads (default 1: all). Writes and atomics carry the state and the clocks and are never left out. */
  readonly sample?: number;
  readonly reporter?: Reporter;
}

export class CheckedMemory implements Memory {
  readonly words: number;
  readonly canBlock: boolean;
  readonly annotate: Annotate;
  /** Words that were checked. */
  checks = 0;
  readonly #inner: Memory;
  readonly #shadow: Shadow;
  readonly #thread: number;
  readonly #sample: number;
  readonly #reporter: Reporter | undefined;
  #skipped = 0;

  constructor(inner: Memory, shadow: Shadow, thread: number, options: CheckedOptions = {}) {
    this.words = inner.words;
    this.canBlock = inner.canBlock;
    this.#inner = inner;
    this.#shadow = shadow;
    this.#thread = thread;
    this.#sample = options.sample ?? 1;
    this.#reporter = options.reporter;
    this.annotate = {
      allocated: (address, words) => this.#each(address, words, (word) => shadow.allocated(thread, word, 1)),
      freed: (address, words) => this.#each(address, words, (word) => shadow.freed(thread, word, 1)),
      immutable: (address, words) => this.#each(address, words, (word) => shadow.immutable(thread, word, 1)),
      privileged: (body) => privileged(shadow, thread, body),
    };
  }

  load(address: Address): number {
    return this.#step(address, () => {
      this.#shadow.atomicRead(this.#thread, address);
      return this.#inner.load(address);
    });
  }
  store(address: Address, value: number): void {
    this.#step(address, () => {
      this.#shadow.atomicWrite(this.#thread, address);
      this.#inner.store(address, value);
    });
  }
  exchange(address: Address, value: number): number {
    return this.#update(address, () => this.#inner.exchange(address, value));
  }
  compareExchange(address: Address, expected: number, replacement: number): number {
    return this.#step(address, () => {
      const old = this.#inner.compareExchange(address, expected, replacement);
      if (old === (expected | 0)) this.#shadow.atomicUpdate(this.#thread, address);
      else this.#shadow.atomicRead(this.#thread, address);
      return old;
    });
  }
  add(address: Address, value: number): number {
    return this.#update(address, () => this.#inner.add(address, value));
  }
  and(address: Address, value: number): number {
    return this.#update(address, () => this.#inner.and(address, value));
  }
  or(address: Address, value: number): number {
    return this.#update(address, () => this.#inner.or(address, value));
  }

  read(address: Address): number {
    if (!this.#sampled()) return this.#inner.read(address);
    return this.#step(address, () => {
      this.#shadow.read(this.#thread, address);
      return this.#inner.read(address);
    });
  }
  write(address: Address, value: number): void {
    this.#step(address, () => {
      this.#shadow.write(this.#thread, address);
      this.#inner.write(address, value);
    });
  }
  fill(address: Address, words: number, value: number): void {
    this.#each(address, words, (word) => {
      this.#shadow.write(this.#thread, word);
      this.#inner.write(word, value);
    });
  }
  copy(target: Address, source: Address, words: number): void {
    const sampled = this.#sampled();
    const copied = new Int32Array(words);
    const unwritten: boolean[] = [];
    this.#each(source, words, (word, i) => {
      unwritten[i] = sampled && this.#shadow.readToCopy(this.#thread, word);
      copied[i] = this.#inner.read(word);
    });
    this.#each(target, words, (word, i) => {
      this.#shadow.write(this.#thread, word);
      if (unwritten[i] === true) this.#shadow.setState(word, 1, "fresh");
      this.#inner.write(word, copied[i] as number);
    });
  }
  readBytes(source: Address, target: Uint8Array): void {
    const sampled = this.#sampled();
    this.#each(source, (target.length + 3) >> 2, (word, i) => {
      if (sampled) this.#shadow.read(this.#thread, word);
      this.#inner.readBytes(word, target.subarray(4 * i, 4 * i + 4));
    });
  }
  writeBytes(target: Address, source: Uint8Array): void {
    this.#each(target, (source.length + 3) >> 2, (word, i) => {
      this.#shadow.write(this.#thread, word);
      this.#inner.writeBytes(word, source.subarray(4 * i, 4 * i + 4));
    });
  }

  wait(address: Address, expected: number, timeout: number): WaitResult {
    this.#step(address, () => this.#shadow.atomicRead(this.#thread, address));
    return this.#inner.wait(address, expected, timeout);
  }
  waitAsync(address: Address, expected: number, timeout: number): AsyncWait {
    this.#step(address, () => this.#shadow.atomicRead(this.#thread, address));
    return this.#inner.waitAsync(address, expected, timeout);
  }
  notify(address: Address): number {
    return this.#inner.notify(address);
  }

  /** A check and its access. */
  #step<R>(address: number, step: () => R): R {
    this.#reporter?.mustGoOn();
    this.checks++;
    const { cells } = this.#shadow;
    cells.lock(address);
    try {
      return step();
    } catch (error) {
      if (error instanceof ShadowError) this.#reporter?.found(error);
      throw error;
    } finally {
      cells.unlock(address);
    }
  }

  #update(address: Address, update: () => number): number {
    return this.#step(address, () => {
      this.#shadow.atomicUpdate(this.#thread, address);
      return update();
    });
  }

  #each(address: Address, words: number, step: (word: Address, i: number) => void): void {
    this.#shadow.together(() => {
      for (let i = 0; i < words; i++) {
        const word = field(address, i);
        this.#step(word, () => step(word, i));
      }
    });
  }

  #sampled(): boolean {
    if (++this.#skipped < this.#sample) return false;
    this.#skipped = 0;
    return true;
  }
}
