/** What is retired waits for a grace period that begins after it, wherever and beside whatever it is retired. */

import assert from "node:assert/strict";
import { type Address, NULL, type Order, PAGE_SHIFT } from "../../src/memory/address.js";
import type { Scenario } from "../scenario.js";
import { fill, NEW, noneReused, POINTER, section } from "./block.js";
import { type Actor, onEachFlavor, user } from "./support.js";

const OTHER = user(1);

// The reserve too: what is given next is what was given back last.
const takePage = (a: Actor): Address => a.heap.withReserve(() => a.heap.allocPages(0 as Order));

/** Take every page; POINTER leads to the first of two buddies, OTHER to the second. */
function takeBuddies(_: unknown, a?: Actor): void {
  assert.ok(a !== undefined);
  const pages = new Set<number>();
  for (let page = takePage(a); page !== NULL; page = takePage(a)) pages.add(page >>> PAGE_SHIFT);
  const first = [...pages].find((page) => page % 2 === 0 && pages.has(page + 1));
  assert.ok(first !== undefined);
  const page = (first << PAGE_SHIFT) as Address;
  fill(a, page, 1);
  a.memory.store(POINTER, page);
  a.memory.store(OTHER, (first + 1) << PAGE_SHIFT);
}

/** Unlink and retire what POINTER leads to. */
function retireOld(a: Actor): Address {
  fill(a, NEW, 2);
  const old = a.memory.exchange(POINTER, NEW) as Address;
  a.domain.retire(old);
  return old;
}

const otherOf = (a: Actor): Address => a.memory.load(OTHER) as Address;
const verify = (_: unknown, results: readonly unknown[]): void => noneReused(results);

export const retire: readonly Scenario[] = onEachFlavor([
  {
    name: "what is retired joins no grace period that has begun",
    setup: takeBuddies,
    threads: [
      (a) => a.turn(() => section(a)),
      (a) => {
        a.domain.retire(otherOf(a));
        a.domain.advance(); // a grace period begins
        const old = retireOld(a);
        a.domain.advance();
        for (let page = takePage(a); page !== NULL; page = takePage(a)) if (page === old) fill(a, page, -1);
      },
    ],
    lighter: {
      tree: {
        setup: (_, updater) => {
          takeBuddies(_, updater);
          updater?.domain.startPoll(); // a grace period begins
        },
        threads: [
          (a) => a.turn(() => section(a)),
          (a) => {
            const old = retireOld(a);
            a.domain.advance();
            if (takePage(a) === old) fill(a, old, -1);
          },
        ],
      },
    },
    verify,
  },
  {
    name: "retire in a section",
    setup: takeBuddies,
    threads: [
      (a) => a.turn(() => section(a)),
      (a) => {
        const old = a.turn(() => a.domain.read(() => retireOld(a))); // waits for nothing
        a.domain.flushSync(1);
        assert.equal(takePage(a), old);
        fill(a, old, -1);
      },
    ],
    verify,
  },
  {
    name: "a block's buddy waits for a reader",
    setup: takeBuddies,
    threads: [
      (a) => a.turn(() => section(a)),
      (a) => {
        retireOld(a);
        a.heap.freePages(otherOf(a));
        const both = a.heap.withReserve(() => a.heap.allocPages(1 as Order));
        if (both !== NULL) fill(a, both, -1);
        return both;
      },
    ],
    verify: (_, [seen, both]) => {
      noneReused([seen]);
      assert.equal(both, NULL, "what is in limbo is joined to no free block");
    },
  },
]);
