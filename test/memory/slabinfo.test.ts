/** What the caches hold, as text. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSlabInfo } from "../../src/memory/slabinfo.js";
import { onEachAllocator } from "../support/each-allocator.js";
import { World } from "../support/world.js";

onEachAllocator("slabinfo: objects that are out are counted, and a cache without pages is left out of the text", (options) => {
  const { heap } = new World(64, options).arena(1);
  const index = heap.createCache("nodes", 24);
  const cache = heap.cache(index);
  assert.doesNotMatch(formatSlabInfo(heap.slabinfo()), /nodes/);
  const taken = Array.from({ length: 40 }, () => cache.alloc());
  const info = heap.slabinfo().find(({ name }) => name === "nodes");
  assert.ok(info !== undefined && info.out >= 40 && info.out <= info.objects && info.objectBytes === 24);
  assert.match(formatSlabInfo(heap.slabinfo()), new RegExp(`^nodes +${info.out} +${info.objects} +${info.inDepot} +24 `, "m"));
  for (const object of taken) cache.free(object);
  heap.trim();
  assert.doesNotMatch(formatSlabInfo(heap.slabinfo()), /nodes/);
});

test("the text is a table", () => {
  const one = { name: "nodes", objectBytes: 24, out: 1008, objects: 1008, objectsPerBlock: 144, pagesPerBlock: 1, blocks: 7, inDepot: 30 };
  assert.equal(
    formatSlabInfo([one, { ...one, name: "empty", out: 0, blocks: 0 }]),
    [
      "cache                        out   objects  in depot   bytes  per block   blocks       KiB",
      "nodes                       1008      1008        30      24        144        7        28",
    ].join("\n"),
  );
});
