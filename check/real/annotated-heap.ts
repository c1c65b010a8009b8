/**
 * Tells shadow memory what the heap does: which words are fresh, which are freed, and which the allocator has for itself. The library does
 * not, so the methods of one thread's heap are replaced by such as do.
 *
 * - Taken: fresh. Given back, at once or when a grace period is over: freed, though the allocator's user may give it back long before its memory
 *   is used again.
 * - A sheaf's objects are freed when their grace period is over and it goes to a depot, or when they were given there one by one.
 * - A slab's header (bitmaps, side words) is the allocator's from when the slab is made; its objects are freed until one is taken.
 * - With the arena lock held the state of words is not checked (races are): slabs come and go there on what was freed.
 */

import { type Address, field, PAGE_SHIFT, PAGE_WORDS } from "../../src/memory/address.js";
import type { Cache } from "../../src/memory/cache.js";
import type { Heap } from "../../src/memory/heap.js";
import { PageKind } from "../../src/memory/pages.js";
import type { Slabs } from "../../src/memory/slab.js";
import type { SlabCache } from "../../src/memory/slab-cache.js";
import type { CheckedThread } from "./checked-thread.js";

/** Once for each heap, before it is used. */
export function annotateHeap(heap: Heap, thread: Pick<CheckedThread, "memory" | "setState">): void {
  const { annotate } = thread.memory;
  const { pages } = heap;
  const original = {
    cache: heap.cache.bind(heap),
    withArenaLock: heap.withArenaLock.bind(heap),
    tryWithArenaLock: heap.tryWithArenaLock.bind(heap),
    allocPages: heap.allocPages.bind(heap),
    allocPagesBulk: heap.allocPagesBulk.bind(heap),
    putBack: heap.putBack.bind(heap),
    claim: pages.claim.bind(pages),
    claimSlab: pages.claimSlab.bind(pages),
    release: pages.release.bind(pages),
  };
  const known = new WeakSet<Cache>();
  // What comes from limbo is live until now; what comes from a magazine was freed when its user gave it there. That none is given back twice is for the
  // allocator's own words to tell.
  const givenBack = (object: Address, words: number): void => {
    thread.setState(object, words, "live");
    annotate.freed(object, words);
  };

  heap.cache = (index) => {
    const cache = original.cache(index);
    if (known.has(cache)) return cache;
    known.add(cache);
    const alloc = cache.alloc.bind(cache);
    const free = cache.free.bind(cache);
    cache.alloc = (tag) => {
      const object = alloc(tag);
      if (object !== 0) annotate.allocated(object, cache.objectWords);
      return object;
    };
    const adopt = cache.adopt.bind(cache);
    cache.adopt = (sheaf) => {
      for (const object of heap.sheaves.objects(sheaf)) givenBack(object, cache.objectWords);
      adopt(sheaf);
    };
    cache.free = (object) => {
      free(object); // may refuse; what it took is in this thread's own magazine
      annotate.freed(object, cache.objectWords);
    };
    return cache;
  };
  heap.withArenaLock = (fn, timeout) => original.withArenaLock(() => annotate.privileged(fn), timeout);
  heap.tryWithArenaLock = (fn) => original.tryWithArenaLock(() => annotate.privileged(fn));
  // Zeroed here: what is written to pages before they are known to be taken would be a write after free.
  const taken = (address: Address, words: number, zero = false): void => {
    annotate.allocated(address, words);
    if (zero) thread.memory.fill(address, words, 0);
  };
  heap.allocPages = (order, options = {}) => {
    const address = original.allocPages(order, { ...options, zero: false });
    if (address !== 0) taken(address, PAGE_WORDS << order, options.zero);
    return address;
  };
  heap.allocPagesBulk = (count, options = {}) => {
    const addresses = original.allocPagesBulk(count, { ...options, zero: false });
    for (const address of addresses ?? []) taken(address, PAGE_WORDS, options.zero);
    return addresses;
  };
  heap.putBack = (address) => {
    if (!heap.isRetiredPages(address)) givenBack(address, heap.usableBytes(address) / 4);
    original.putBack(address);
  };
  pages.claim = (page, kind, owner) => {
    // Sheaves are the allocator's own; what stood on their page before was somebody else's, and freed.
    if (kind === PageKind.SHEAVES) thread.setState(addressOf(page), PAGE_WORDS, "live");
    original.claim(page, kind, owner);
  };
  pages.claimSlab = (page, cache) => {
    original.claimSlab(page, cache);
    const slab = addressOf(page);
    const { objects, order } = slabsOf(heap, cache);
    thread.setState(slab, objects, "live");
    thread.setState(field(slab, objects), (PAGE_WORDS << order) - objects, "freed");
  };
  pages.release = (page) => {
    const kind = pages.kind(page);
    if (kind === PageKind.SLAB) thread.setState(addressOf(page), slabsOf(heap, pages.owner(page)).objects, "freed");
    if (kind === PageKind.SHEAVES) thread.setState(addressOf(page), PAGE_WORDS, "freed");
    if (kind === PageKind.PAGES || kind === PageKind.RETIRED) annotate.freed(addressOf(page), PAGE_WORDS << pages.order(page));
    original.release(page);
  };
}

const slabsOf = (heap: Heap, cache: number): Slabs => (heap.cache(cache) as SlabCache).slabs;

const addressOf = (page: number): Address => (page << PAGE_SHIFT) as Address;
