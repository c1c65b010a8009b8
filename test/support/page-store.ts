/** A backing store in this process's memory, that all views of a test share; it counts, and can be told to fail. */

import assert from "node:assert/strict";
import { PAGE_BYTES } from "../../src/memory/address.js";
import type { BackingStore } from "../../src/memory/vmalloc/store.js";

export class PageStore implements BackingStore {
  readonly pages: Map<number, Uint8Array> = new Map();
  reads = 0;
  writes = 0;
  /** Thrown by the next transfer. */
  failure: Error | undefined;

  #mayFail(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }

  readPage(slot: number, target: Uint8Array): void {
    this.#mayFail();
    this.reads++;
    const page = this.pages.get(slot);
    assert.ok(page !== undefined, `page ${slot} was never written`);
    assert.equal(target.length, PAGE_BYTES);
    target.set(page);
  }

  writePage(slot: number, source: Uint8Array): void {
    this.#mayFail();
    this.writes++;
    assert.equal(source.length, PAGE_BYTES);
    this.pages.set(slot, source.slice());
  }
}
