/** What only the phase flavor has: sections that end in another turn, or overlap without nesting, and further domains beside the main one. */

import assert from "node:assert/strict";
import { type Address, NULL, type Order } from "../../src/memory/address.js";
import type { Domain } from "../../src/rcu/domain.js";
import { formatDomain } from "../../src/rcu/flavors/open.js";
import type { Scenario } from "../scenario.js";
import { contentsOf, fill, formatBlock, look, NEW, NEWER, noneReused, POINTER, replace } from "./block.js";
import { awaitEnd, end, reap } from "./death.js";
import { type Actor, inArena, LAYOUT, onFlavors, user, whole } from "./support.js";

const verify = (_: unknown, results: readonly unknown[]): void => noneReused(results);

const sections: readonly Scenario[] = onFlavors(
  ["phase"],
  [
    {
      name: "a section that begins in one turn and ends in another",
      setup: formatBlock,
      threads: [
        (a) => {
          const [index, block] = a.turn(() => [a.domain.readLock(), a.domain.dereference(POINTER)] as const);
          return a.turn(() => {
            const seen = contentsOf(a, block);
            a.domain.readUnlock(index);
            return seen;
          });
        },
        replace,
      ],
      verify,
    },
    {
      name: "sections that overlap without nesting",
      setup: formatBlock,
      threads: [
        (a) => {
          const first = a.domain.readLock();
          const one = a.domain.dereference(POINTER);
          const second = a.domain.readLock();
          const seen = contentsOf(a, one);
          a.domain.readUnlock(first);
          const other = look(a);
          a.domain.readUnlock(second);
          return [seen, other];
        },
        replace,
      ],
      verify,
    },
    {
      name: "a synchronous section while one that awaits is open",
      setup: formatBlock,
      threads: [
        (a) => {
          const index = a.domain.readLock();
          const begun = a.domain.read(() => {
            a.domain.readUnlock(index); // it ends inside the other, which must hold on by itself
            return look(a);
          });
          return begun;
        },
        replace,
      ],
      verify,
    },
    {
      name: "two updaters flip at once",
      setup: formatBlock,
      threads: [(a) => replace(a, NEW, 2), (a) => replace(a, NEWER, 3)],
    },
  ],
);

// A second domain --------------------------------------------------------------------------------

const OTHER = user(1);
const makeSecond = (a: Actor | undefined): void => formatDomain((a as Actor).memory, LAYOUT, 1, { flavor: "phase" });
const second = (a: Actor): Domain => a.domain.open(1);
const takePage = (a: Actor): Address => a.heap.withReserve(() => a.heap.allocPages(0 as Order));

/** POINTER leads to one page, OTHER to a second one; there is no other. */
function takeAll(a: Actor | undefined): void {
  assert.ok(a !== undefined);
  makeSecond(a);
  for (const word of [POINTER, OTHER]) {
    const page = takePage(a);
    fill(a, page, 1);
    a.memory.store(word, page);
  }
  while (takePage(a) !== NULL);
}

/** A section of the second domain. */
function sectionOfSecond(a: Actor): number {
  const domain = second(a);
  return domain.read(() => contentsOf(a, domain.dereference(POINTER)));
}

/** Take what there is again, and write on it. */
function takeAgain(a: Actor): Address[] {
  const taken: Address[] = [];
  for (let page = takePage(a); page !== NULL; page = takePage(a)) {
    fill(a, page, -1);
    taken.push(page);
  }
  return taken;
}

/** Unlink what POINTER leads to, and retire it in the second domain; and OTHER's in the main one. */
function retireInBoth(a: Actor): void {
  fill(a, NEW, 2);
  const [old, other] = [a.memory.exchange(POINTER, NEW) as Address, a.memory.load(OTHER) as Address];
  second(a).retire(old);
  a.domain.retire(other);
}

const domains: readonly Scenario[] = [
  inArena({
    name: "what is retired in a second domain waits for that one's sections",
    setup: (_, updater) => takeAll(updater),
    threads: [
      (a) => a.turn(() => sectionOfSecond(a)),
      (a) => {
        retireInBoth(a);
        second(a).advance();
        a.domain.advance();
        return takeAgain(a).length;
      },
    ],
    verify: (_, [seen, taken]) => {
      noneReused([seen]);
      assert.ok(taken === 1 || taken === 2, "the main domain's page is had at once: nobody is in a section there");
    },
  }),
  inArena({
    name: "a thread died with limbo in two domains",
    setup: (_, victim) => takeAll(victim),
    threads: [
      (a) => a.turn(() => sectionOfSecond(a)),
      (a) => {
        retireInBoth(a);
        end(a);
      },
      (a) => {
        awaitEnd(a, 1);
        reap(a, 1);
        a.domain.advance();
        return takeAgain(a).length;
      },
    ],
    verify: (a, [seen, , taken]) => {
      noneReused([seen]);
      assert.ok(taken === 1 || taken === 2, String(taken));
      whole(a);
    },
  }),
];

export const phase: readonly Scenario[] = [sections, domains].flat();
