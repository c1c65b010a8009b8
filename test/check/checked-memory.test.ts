import assert from "node:assert/strict";
import { test as nodeTest } from "node:test";
import { LocalSites } from "../../check/call-sites.js";
import { CheckedMemory, type CheckedOptions } from "../../check/checked-memory.js";
import { explore } from "../../check/explore.js";
import { SharedCells } from "../../check/real/shared-cells.js";
import { SharedSites } from "../../check/real/shared-sites.js";
import type { Thread } from "../../check/scenario.js";
import { Shadow, ShadowError, type ShadowKind } from "../../check/shadow.js";
import { JournalledCells } from "../../check/shadow-cells.js";
import { Undo } from "../../check/undo.js";
import { UndoMemory } from "../../check/undo-memory.js";
import type { Address } from "../../src/memory/address.js";

const X = 1 as Address;
const Y = 2 as Address;
const BLOCK = 16 as Address;

/** The two kinds of cells must say the same. */
const kinds = {
  journalled: () => new Shadow(new JournalledCells(new Undo(0), 2, 64, true), { sites: new LocalSites() }),
  shared: () => {
    const cells = new SharedCells(2, 64);
    return new Shadow(cells, { sites: new SharedSites(cells, 1) });
  },
} as const;
let newShadow: () => Shadow;

function test(name: string, body: () => void): void {
  for (const [kind, make] of Object.entries(kinds)) {
    nodeTest(`${name} (${kind} cells)`, () => {
      newShadow = make;
      body();
    });
  }
}

/** Two logical threads over one checked memory, driven by hand. */
function pair(options: CheckedOptions = {}): [CheckedMemory, CheckedMemory] {
  const inner = new UndoMemory(64);
  const shadow = newShadow();
  return [new CheckedMemory(inner, shadow, 0, options), new CheckedMemory(inner, shadow, 1, options)];
}

function refuses(kind: ShadowKind, body: () => unknown): ShadowError {
  let caught: unknown;
  try {
    body();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof ShadowError, `expected ${kind}, got ${caught}`);
  assert.equal(caught.kind, kind);
  return caught;
}

test("publication by an atomic store orders; a plain store, or a store to another word, does not", () => {
  const [a, b] = pair();
  a.write(BLOCK, 7);
  a.store(X, BLOCK);
  assert.equal(b.read(b.load(X) as Address), 7);
  const [c, d] = pair();
  c.write(BLOCK, 7);
  c.store(X, BLOCK);
  d.load(Y);
  const error = refuses("race", () => d.read(BLOCK));
  assert.equal(error.stacks.length, 2);
  assert.match(error.stacks[0] ?? "", /checked-memory\.test/);
  assert.match(error.stacks[1] ?? "", /thread 0, earlier/);
});

test("a later store takes the place of the one before: no release sequence", () => {
  const [a, b] = pair();
  a.write(BLOCK, 7);
  a.store(X, 1);
  b.store(X, 2);
  b.load(X);
  refuses("race", () => b.read(BLOCK));
  const [c, d] = pair();
  c.write(BLOCK, 7);
  c.store(X, 1);
  d.exchange(X, 2);
  d.read(BLOCK);
});

test("a compareExchange that fails reads, and does not publish", () => {
  const [a, b] = pair();
  a.store(X, 1);
  a.write(BLOCK, 7);
  a.compareExchange(X, 5, 6);
  b.load(X);
  refuses("race", () => b.read(BLOCK));
});

test("every pair of accesses: two reads and two atomics do not race, all others do", () => {
  const accesses = {
    read: (m: CheckedMemory) => m.read(BLOCK),
    write: (m: CheckedMemory) => m.write(BLOCK, 1),
    load: (m: CheckedMemory) => m.load(BLOCK),
    store: (m: CheckedMemory) => m.store(BLOCK, 1),
  };
  const raced: string[] = [];
  for (const [first, one] of Object.entries(accesses)) {
    for (const [second, two] of Object.entries(accesses)) {
      const [a, b] = pair();
      one(a);
      try {
        two(b);
      } catch {
        raced.push(`${first}-${second}`);
      }
    }
  }
  assert.deepEqual(raced.sort(), [
    "load-write",
    "read-store",
    "read-write",
    "store-read",
    "store-write",
    "write-load",
    "write-read",
    "write-store",
    "write-write",
  ]);
});

test("states of words: fresh, freed, freed twice, immutable; privileged code may", () => {
  const [a] = pair();
  a.annotate.allocated(BLOCK, 4);
  refuses("uninitialised", () => a.read(BLOCK));
  a.write(BLOCK, 1);
  a.read(BLOCK);
  a.annotate.immutable(BLOCK, 1);
  refuses("immutable", () => a.write(BLOCK, 2));
  a.read(BLOCK);
  a.annotate.freed(BLOCK, 4);
  const error = refuses("use-after-free", () => a.load(BLOCK));
  assert.equal(error.stacks.length, 2);
  assert.match(error.stacks[1] ?? "", /thread 0, earlier/);
  refuses("use-after-free", () => a.annotate.freed(BLOCK, 1));
  a.annotate.privileged(() => a.write(BLOCK, 5));
  a.annotate.allocated(BLOCK, 4);
  a.fill(BLOCK, 4, 0);
  a.read(BLOCK);
});

test("what was never written may be copied, and is as unwritten there", () => {
  const [a] = pair();
  a.annotate.allocated(BLOCK, 4);
  a.write(BLOCK, 1);
  a.copy((BLOCK + 2) as Address, BLOCK, 2);
  a.read((BLOCK + 2) as Address);
  refuses("uninitialised", () => a.read((BLOCK + 3) as Address));
});

test("bulk accesses are checked word by word; sampled reads may be missed, atomics never are", () => {
  const [a, b] = pair();
  a.writeBytes(BLOCK, new Uint8Array(9));
  b.write((BLOCK + 3) as Address, 1);
  refuses("race", () => b.readBytes((BLOCK + 2) as Address, new Uint8Array(4)));
  refuses("race", () => b.copy(40 as Address, BLOCK, 1));
  const [c, d] = pair({ sample: 2 });
  c.write(BLOCK, 1);
  d.read(BLOCK);
  refuses("race", () => d.read(BLOCK));
  refuses("race", () => d.load(BLOCK));
});

nodeTest("a notify orders what was before it before what the sleeper does", () => {
  const sleeper: Thread = (m) => (m.wait(X, 0, 10) === "ok" ? m.read(Y) : 0);
  const waker: Thread = (m) => (m.write(Y, 1), m.notify(X));
  const result = explore({ name: "notify orders", threads: [sleeper, waker] });
  assert.equal(result.failure, undefined);
  assert.equal(result.complete, true);
});

nodeTest("freeing without order is reported whichever comes first", () => {
  const reader: Thread = (m) => m.read(BLOCK);
  const free: Thread = (_, { annotate }) => annotate.freed(BLOCK, 4);
  assert.equal(explore({ name: "free late", threads: [reader, free] }).failure?.kind, "race");
  assert.equal(explore({ name: "free early", threads: [free, reader] }).failure?.kind, "use-after-free");
});
