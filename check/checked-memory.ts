/**
 * A `Memory` that checks each access against shadow memory before it makes it: races by the ES
 * memory model's happens-before, use after free, reads before initialisation, writes to
 * published words (see shadow.ts). An error is thrown at the access.
 *
 * One handle for each logical thread, all over one `Shadow`, all in one JavaScript thread: the
 * explorer does the same inside. The shadow is not shared between real threads yet.
 */

import type { Address } from "../src/memory/address.js";
import type { AsyncWait, Memory, WaitResult } from "../src/memory/memory.js";
import type { Annotate } from "./scenario.js";
import type { Shadow } from "./shadow.js";

export interface CheckedOptions {
  /** Check one in so many plain reads (default 1: all). Writes and atomics carry the state and the clocks and are never left out. */
  readonly sample?: number;
}

export class CheckedMemory implements Memory {
  readonly words: number;
  readonly canBlock: boolean;
  readonly annotate: Annotate;
  readonly #inner: Memory;
  readonly #shadow: Shadow;
  readonly #thread: number;
  readonly #sample: number;
  #skipped = 0;

  constructor(inner: Memory, shadow: Shadow, thread: number, options: CheckedOptions = {}) {
    this.words = inner.words;
    this.canBlock = inner.canBlock;
    this.#inner = inner;
    this.#shadow = shadow;
    this.#thread = thread;
    this.#sample = options.sample ?? 1;
    this.annotate = {
      allocated: (address, words) => shadow.allocated(thread, address, words),
      freed: (address, words) => shadow.freed(thread, address, words),
      immutable: (address, words) => shadow.immutable(address, words),
      privileged: (body) => privileged(shadow, thread, body),
    };
  }

  load(address: Address): number {
    this.#shadow.atomicRead(this.#thread, address);
    return this.#inner.load(address);
  }
  store(address: Address, value: number): void {
    this.#shadow.atomicWrite(this.#thread, address);
    this.#inner.store(address, value);
  }
  exchange(address: Address, value: number): number {
    this.#shadow.atomicUpdate(this.#thread, address);
    return this.#inner.exchange(address, value);
  }
  compareExchange(address: Address, expected: number, replacement: number): number {
    const old = this.#inner.compareExchange(address, expected, replacement);
    if (old === (expected | 0)) this.#shadow.atomicUpdate(this.#thread, address);
    else this.#shadow.atomicRead(this.#thread, address);
    return old;
  }
  add(address: Address, value: number): number {
    this.#shadow.atomicUpdate(this.#thread, address);
    return this.#inner.add(address, value);
  }
  and(address: Address, value: number): number {
    this.#shadow.atomicUpdate(this.#thread, address);
    return this.#inner.and(address, value);
  }
  or(address: Address, value: number): number {
    this.#shadow.atomicUpdate(this.#thread, address);
    return this.#inner.or(address, value);
  }

  read(address: Address): number {
    if (this.#sampled()) this.#shadow.read(this.#thread, address);
    return this.#inner.read(address);
  }
  write(address: Address, value: number): void {
    this.#shadow.write(this.#thread, address);
    this.#inner.write(address, value);
  }
  fill(address: Address, words: number, value: number): void {
    this.#shadow.write(this.#thread, address, words);
    this.#inner.fill(address, words, value);
  }
  copy(target: Address, source: Address, words: number): void {
    if (this.#sampled()) this.#shadow.read(this.#thread, source, words);
    this.#shadow.write(this.#thread, target, words);
    this.#inner.copy(target, source, words);
  }
  readBytes(source: Address, target: Uint8Array): void {
    if (this.#sampled()) this.#shadow.read(this.#thread, source, (target.length + 3) >> 2);
    this.#inner.readBytes(source, target);
  }
  writeBytes(target: Address, source: Uint8Array): void {
    this.#shadow.write(this.#thread, target, (source.length + 3) >> 2);
    this.#inner.writeBytes(target, source);
  }

  wait(address: Address, expected: number, timeout: number): WaitResult {
    this.#shadow.atomicRead(this.#thread, address);
    return this.#inner.wait(address, expected, timeout);
  }
  waitAsync(address: Address, expected: number, timeout: number): AsyncWait {
    this.#shadow.atomicRead(this.#thread, address);
    return this.#inner.waitAsync(address, expected, timeout);
  }
  notify(address: Address): number {
    return this.#inner.notify(address);
  }

  #sampled(): boolean {
    if (++this.#skipped < this.#sample) return false;
    this.#skipped = 0;
    return true;
  }
}

export function privileged<R>(shadow: Shadow | undefined, thread: number, body: () => R): R {
  if (shadow === undefined) return body();
  shadow.lenient[thread] = (shadow.lenient[thread] as number) + 1;
  try {
    return body();
  } finally {
    shadow.lenient[thread] = (shadow.lenient[thread] as number) - 1;
  }
}
