/** recover() mends what is derived, whatever it says, beside threads that live; nothing that is in use changes. */

import assert from "node:assert/strict";
import { type Address, field } from "../../src/memory/address.js";
import { Descriptor, descriptorAt } from "../../src/memory/geometry.js";
import { Header } from "../../src/memory/layout.js";
import { onEachAllocator } from "../support/each-allocator.js";
import { World } from "../support/world.js";

onEachAllocator("lists and counts that something wrote over are rebuilt", (options) => {
  const world = new World(96, options);
  const [one, two] = [world.arena(1), world.arena(2)];
  const sizes = [8, 64, 100, 1024, 4096, 20_000];
  const live = [one, two].flatMap(({ heap }) => sizes.map((bytes) => heap.kmalloc(bytes, 9)));
  for (const { heap } of [one, two]) for (const bytes of sizes) heap.kfree(heap.kmalloc(bytes));
  const { memory, heap } = one;
  const words: Address[] = [Header.FREE_PAGES, Header.FREE_SHEAVES, ...Array.from({ length: 11 }, (_, order) => field(Header.FREE_LISTS, order))];
  for (const index of heap.cacheIndexes()) for (const word of [Descriptor.PARTIAL, Descriptor.DEPOT]) words.push(field(descriptorAt(one.layout, index), word));
  for (const word of words) memory.store(word, 0);
  assert.notDeepEqual(one.check(), []);
  one.recover();
  assert.deepEqual(one.check(), []);
  assert.deepEqual(heap.ownedBy(9).sort(), [...live].sort());
  for (const block of live) two.heap.kfree(block);
  two.detach();
  heap.trim();
  assert.deepEqual(one.check(), []);
  assert.deepEqual(heap.ownedBy(9), []);
  assert.equal(heap.pages.free, heap.pages.all, "all is back");
});
