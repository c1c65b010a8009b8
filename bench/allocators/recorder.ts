/**
 * Recording: preloaded into each thread of a program (`node --import`), it notes what the program takes from the heap and gives back, by
 * wrapping the public calls of Heap, Cache and Domain. The shipped code knows nothing of it.
 *
 * What is retired counts as given back when a callback of its domain runs, which is a grace period later, as it is with the memory.
 * Each thread writes a file of numbers, four to an event, when it ends: time in ms, call, address, bytes.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import type { Address, Order } from "../../src/memory/address.js";
import { PAGE_BYTES } from "../../src/memory/address.js";
import type { Cache } from "../../src/memory/cache.js";
import { Heap } from "../../src/memory/heap.js";
import { Domain } from "../../src/rcu/domain.js";
import { Kind } from "./trace.js";

/** The call of an event: a Kind, or this. */
export const GIVEN = -1;
/** Where the files go. */
export const DIRECTORY = "QUIESCE_TRACE_DIRECTORY";

const directory = process.env[DIRECTORY];

function record(into: string): void {
  const log: number[] = [];
  /** Calls of the heap that are under way: those within are its own business. */
  let depth = 0;
  const note = (call: number, address: number, bytes: number): void => {
    if (depth === 0 && address !== 0) log.push(performance.timeOrigin + performance.now(), call, address, bytes);
  };
  const within = <T>(fn: () => T): T => {
    depth++;
    try {
      return fn();
    } finally {
      depth--;
    }
  };

  const heap = Heap.prototype;
  const { kmalloc, kfree, allocPages, allocPagesBulk, freePages, cache: cacheOf } = heap;
  heap.kmalloc = function (this: Heap, bytes: number, ...more: []) {
    const address = within(() => kmalloc.call(this, bytes, ...more));
    note(Kind.KMALLOC, address, bytes);
    return address;
  };
  heap.allocPages = function (this: Heap, order: Order, ...more: []) {
    const address = within(() => allocPages.call(this, order, ...more));
    note(Kind.PAGES, address, PAGE_BYTES << order);
    return address;
  };
  heap.allocPagesBulk = function (this: Heap, count: number, ...more: []) {
    const addresses = within(() => allocPagesBulk.call(this, count, ...more));
    for (const address of addresses ?? []) note(Kind.PAGES, address, PAGE_BYTES);
    return addresses;
  };
  heap.kfree = function (this: Heap, address: Address) {
    within(() => kfree.call(this, address));
    note(GIVEN, address, 0);
  };
  heap.freePages = function (this: Heap, address: Address) {
    within(() => freePages.call(this, address));
    note(GIVEN, address, 0);
  };

  const wrapped = new WeakSet<Cache>();
  heap.cache = function (this: Heap, index: number) {
    const cache = cacheOf.call(this, index);
    if (wrapped.has(cache)) return cache;
    wrapped.add(cache);
    const alloc = cache.alloc.bind(cache);
    const free = cache.free.bind(cache);
    cache.alloc = (...args) => {
      const address = within(() => alloc(...args));
      note(Kind.CACHE, address, cache.objectWords * 4);
      return address;
    };
    cache.free = (address) => {
      within(() => free(address));
      note(GIVEN, address, 0);
    };
    return cache;
  };

  const { retire } = Domain.prototype;
  const retired: Address[] = [];
  const over = (addresses: readonly Address[]): void => {
    for (const address of addresses) note(GIVEN, address, 0);
  };
  Domain.prototype.retire = function (this: Domain, address: Address) {
    retire.call(this, address);
    // What is retired in one turn goes back together.
    if (retired.push(address) === 1) queueMicrotask(() => collect(this));
  };
  const collect = (domain: Domain): void => {
    const addresses = retired.splice(0);
    if (domain.closed) over(addresses);
    else domain.call(() => over(addresses));
  };

  process.on("exit", () => writeFileSync(join(into, `${threadId}.log`), Float64Array.from(log)));
}

if (directory !== undefined) record(directory);
