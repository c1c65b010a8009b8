/** The tree's nodes against a plain set of slots, for every fan-out and up to 4,096 slots. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import type { Layout } from "../../src/memory/layout.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { levelsOf, TreeNodes, tagOf, treeWords } from "../../src/rcu/flavors/tree-nodes.js";
import { DOMAIN_WORDS } from "../../src/rcu/layout.js";

const ROOT = 32;

function treeOf(slots: number, fanOut: number): TreeNodes {
  const memory = new SharedMemory(new SharedArrayBuffer((ROOT + DOMAIN_WORDS + treeWords(slots, fanOut)) * 4));
  return new TreeNodes(memory, { root: ROOT, domains: 1, slots } as unknown as Layout, fanOut);
}

test("levels lie one after the other, each as wide as the one below needs, up to one root", () => {
  for (let fanOut = 2; fanOut <= 16; fanOut++) {
    for (const slots of [...Array.from({ length: 300 }, (_, i) => i + 1), 1023, 1024, 1025, 4095, 4096]) {
      let [first, below] = [0, slots];
      const levels = levelsOf(slots, fanOut);
      for (const level of levels) {
        assert.deepEqual(level, { first, count: Math.ceil(below / fanOut) }, `${slots} slots, fan-out ${fanOut}`);
        first += level.count;
        below = level.count;
      }
      assert.equal(below, 1);
      assert.ok(levels.filter(({ count }) => count === 1).length === 1, "no root above the root");
    }
  }
  assert.deepEqual([levelsOf(16, 2).length, levelsOf(16, 16).length, levelsOf(17, 16).length, levelsOf(4096, 16).length], [4, 1, 2, 3]);
});

test("tags of neighbouring grace periods differ, and differ from that of a node never used", () => {
  for (const n of [0, 1, 0x7ffe, 0x7fff, 0x8000, 2 ** 30 - 1]) {
    assert.equal(new Set([0, ...[-2, -1, 0, 1].map((near) => tagOf(n + near))]).size, 5);
    assert.ok(tagOf(n) > 0 && tagOf(n) <= 0xffff);
  }
});

/** Grace period after grace period, with a plain set beside it. */
test("set-up, reports, late reports and scans agree with a plain set", () => {
  const sizes = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(255, 256, 257, 4096));
  const property = fc.property(sizes, fc.integer({ min: 2, max: 16 }), fc.infiniteStream(fc.nat(2 ** 20)), (slots, fanOut, stream) => {
    const below = (most: number): number => (stream.next().value as number) % most;
    const nodes = treeOf(slots, fanOut);
    const first = below(2) === 0 ? below(1000) : 0x7fff - 1;
    for (let gracePeriod = first; gracePeriod < first + 4; gracePeriod++) {
      const used = 1 + below(slots);
      const share = below(4);
      const model = new Set(Array.from({ length: used }, (_, slot) => slot).filter(() => below(4) < share));
      assert.equal(nodes.report(gracePeriod, below(used)), false, "not set up yet");
      nodes.setUp(gracePeriod, used, (slot) => model.has(slot));
      nodes.setUp(gracePeriod, used, () => false); // a second one, which sees other things, changes nothing
      assert.deepEqual([...nodes.waiting(gracePeriod)], [...model]);
      assert.equal(nodes.isDone(gracePeriod), model.size === 0);
      for (let i = 0; model.size > 0; i++) {
        const slot = below(used);
        nodes.report(gracePeriod - 1, slot); // late: it must clear nothing
        assert.equal(nodes.report(gracePeriod + 1, slot), false);
        if (i % 5 === 4) {
          // Forced: a few have gone offline.
          const gone = new Set([...model].filter(() => below(6) === 0));
          nodes.scan(gracePeriod, (one) => !gone.has(one));
          for (const one of gone) model.delete(one);
        } else {
          // By chance, or the next that is left: so that it ends.
          const reporter = i % 2 === 0 ? slot : ([...model][below(model.size)] as number);
          const was = model.delete(reporter);
          assert.equal(nodes.report(gracePeriod, reporter), was && model.size === 0, "only the last one out clears the root");
        }
        if (slots < 100 || i % 100 === 0) assert.deepEqual([...nodes.waiting(gracePeriod)], [...model]);
        assert.equal(nodes.isDone(gracePeriod), model.size === 0);
      }
      nodes.setUp(gracePeriod - 1, used, () => true); // somebody who is very late
      assert.equal(nodes.isDone(gracePeriod), true);
    }
  });
  fc.assert(property, { seed: seedOf("tree nodes"), numRuns: 60 });
});

test("a scan finishes what a reporter that died half-way up had begun", () => {
  for (const fanOut of [2, 3, 4, 16]) {
    const slots = fanOut * fanOut;
    const memory = new SharedMemory(new SharedArrayBuffer((ROOT + DOMAIN_WORDS + treeWords(slots, fanOut)) * 4));
    const nodes = new TreeNodes(memory, { root: ROOT, domains: 1, slots } as unknown as Layout, fanOut);
    nodes.setUp(5, slots, (slot) => slot < fanOut); // one leaf
    for (let slot = 0; slot < fanOut - 1; slot++) nodes.report(5, slot);
    // The last one cleared its leaf, and died before it came to the parent.
    memory.and((ROOT + DOMAIN_WORDS) as never, ~0xffff);
    assert.equal(nodes.isDone(5), false);
    nodes.scan(5, () => true);
    assert.equal(nodes.isDone(5), true);
  }
});
