/**
 * A `Memory` over words that can be taken back: what the explorer's threads really read and
 * write when their turn has come, and what `setup` and `verify` get directly.
 */

import type { Address } from "../src/memory/address.js";
import type { AsyncWait, Memory, WaitResult } from "../src/memory/memory.js";
import { Undo } from "./undo.js";

export class UndoMemory implements Memory {
  readonly words: number;
  readonly canBlock: boolean = true;
  readonly undo: Undo;
  readonly #bytes: Uint8Array;

  constructor(words: number) {
    this.words = words;
    this.undo = new Undo(words);
    this.#bytes = new Uint8Array(this.undo.cells.buffer);
  }

  load(address: Address): number {
    return this.undo.get(address);
  }
  store(address: Address, value: number): void {
    this.undo.set(address, value | 0);
  }
  exchange(address: Address, value: number): number {
    const old = this.undo.get(address);
    this.undo.set(address, value | 0);
    return old;
  }
  compareExchange(address: Address, expected: number, replacement: number): number {
    const old = this.undo.get(address);
    if (old === (expected | 0)) this.undo.set(address, replacement | 0);
    return old;
  }
  add(address: Address, value: number): number {
    return this.exchange(address, this.undo.get(address) + value);
  }
  and(address: Address, value: number): number {
    return this.exchange(address, this.undo.get(address) & value);
  }
  or(address: Address, value: number): number {
    return this.exchange(address, this.undo.get(address) | value);
  }

  read(address: Address): number {
    return this.undo.get(address);
  }
  write(address: Address, value: number): void {
    this.undo.set(address, value | 0);
  }
  fill(address: Address, words: number, value: number): void {
    for (let i = 0; i < words; i++) this.undo.set(address + i, value | 0);
  }
  copy(target: Address, source: Address, words: number): void {
    for (let i = 0; i < words; i++) this.undo.set(target + i, this.undo.get(source + i));
  }
  readBytes(source: Address, target: Uint8Array): void {
    target.set(this.#bytes.subarray(source * 4, source * 4 + target.length));
  }
  writeBytes(target: Address, source: Uint8Array): void {
    for (let i = 0; i < source.length; i += 4) this.undo.save(target + (i >> 2));
    this.#bytes.set(source, target * 4);
  }

  wait(address: Address, expected: number, timeout: number): WaitResult {
    if (this.undo.get(address) !== (expected | 0)) return "not-equal";
    if (timeout === Number.POSITIVE_INFINITY) throw new Error(`wait at word ${address} would block for ever: setup and verify run alone`);
    return "timed-out";
  }
  waitAsync(): AsyncWait {
    throw new Error("waitAsync is not modelled: a scenario's threads are synchronous functions. Use wait, or drive the callback from the scenario.");
  }
  notify(): number {
    return 0;
  }
}
