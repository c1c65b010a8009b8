/** Pages and slabs: each object has one owner, whichever threads take and free. */

import assert from "node:assert/strict";
import type { Address, Order } from "../../src/memory/address.js";
import { DoubleFreeError } from "../../src/memory/errors.js";
import type { Scenario } from "../scenario.js";
import { type Actor, inArena, user, whole } from "./support.js";

const OBJECT = user(4);
const BYTES = 1024;
/** Objects of a magazine of that size (slab-cache.ts). */
const MAGAZINE = 16;

/** Take, write on it, free it: two who had the same would race. */
function takeAndFree(a: Actor, take: () => Address): void {
  const object = take();
  a.memory.write(object, a.number);
  assert.equal(a.memory.read(object), a.number);
  a.heap.kfree(object);
}

/** An object in OBJECT, which `owner` took. */
function handOver(owner: Actor, tag = 0): void {
  owner.memory.store(OBJECT, owner.heap.kmalloc(BYTES, tag));
}

/** Neither magazine has room for more. */
function fillMagazines(a: Actor): void {
  const objects = Array.from({ length: 2 * MAGAZINE }, () => a.heap.kmalloc(BYTES));
  for (const object of objects) a.heap.kfree(object);
}

function giveBack(a: Actor, how: (object: Address) => void): boolean {
  try {
    how(a.memory.load(OBJECT) as Address);
    return true;
  } catch (error) {
    if (error instanceof DoubleFreeError) return false;
    throw error;
  }
}

export const slab: readonly Scenario[] = [
  inArena({
    name: "two threads refill their magazines",
    threads: [(a) => takeAndFree(a, () => a.heap.kmalloc(BYTES)), (a) => takeAndFree(a, () => a.heap.kmalloc(BYTES))],
    verify: whole,
  }),
  inArena({
    name: "two threads take and free pages",
    threads: [(a) => takeAndFree(a, () => a.heap.allocPages(0 as Order)), (a) => void a.memory.write(a.heap.allocPages(1 as Order), a.number)],
    verify: whole,
  }),
  inArena({
    name: "a remote free, which flushes, against a refill",
    setup: (owner, other) => {
      handOver(owner as Actor);
      fillMagazines(other as Actor);
    },
    threads: [(a) => takeAndFree(a, () => a.heap.kmalloc(4096)), (a) => a.heap.kfree(a.memory.load(OBJECT) as Address)],
    verify: whole,
  }),
  inArena({
    name: "two threads retire one object",
    setup: (owner) => handOver(owner as Actor),
    threads: [(a) => giveBack(a, (object) => a.domain.retire(object)), (a) => giveBack(a, (object) => a.domain.retire(object))],
    verify: (a, results) => {
      assert.equal(results.filter(Boolean).length, 1, "exactly one owns it");
      whole(a);
    },
  }),
  inArena({
    name: "two threads free one page",
    setup: (owner) => (owner as Actor).memory.store(OBJECT, (owner as Actor).heap.allocPages(0 as Order)),
    threads: [(a) => giveBack(a, (page) => a.heap.freePages(page)), (a) => giveBack(a, (page) => a.heap.freePages(page))],
    verify: (a, results) => {
      assert.equal(results.filter(Boolean).length, 1, "exactly one owns it");
      whole(a);
    },
  }),
  inArena({
    name: "one thread frees what another retires, of a tracked cache",
    setup: (owner) => handOver(owner as Actor, 7),
    threads: [(a) => giveBack(a, (object) => a.heap.kfree(object)), (a) => giveBack(a, (object) => a.domain.retire(object))],
    verify: (a, results) => {
      assert.equal(results.filter(Boolean).length, 1, "exactly one owns it");
      whole(a);
    },
  }),
];
