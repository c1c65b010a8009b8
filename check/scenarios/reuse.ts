/** Retired memory is given out again only when no reader holds it, however short memory is. */

import assert from "node:assert/strict";
import { type Address, NULL, type Order } from "../../src/memory/address.js";
import type { Scenario } from "../scenario.js";
import { fill, formatBlock, NEW, noneReused, POINTER, section } from "./block.js";
import { formatMap, MAP_CACHE, mapOf } from "./bonsai.js";
import { awaitEnd, end, reap } from "./death.js";
import { type Actor, onEachFlavor, whole } from "./support.js";

/** Bytes of objects of the largest class: few go into a slab. */
const LARGE = 8192;

function takeAll(take: () => Address): Address {
  let last = NULL;
  for (let object = take(); object !== NULL; object = take()) last = object;
  return last;
}

/** POINTER leads to the last object there was; no other can be had. */
function exhaust(actor: Actor, take: () => Address): void {
  const object = takeAll(take);
  fill(actor, object, 1);
  actor.memory.store(POINTER, object);
}

/** Unlink and retire the object, take it as the next allocation, and write on it. */
function replaceInPlace(actor: Actor, take: () => Address): void {
  const { domain, memory } = actor;
  fill(actor, NEW, 2);
  const old = memory.exchange(POINTER, NEW) as Address;
  domain.retire(old);
  const again = domain.allocate(8, take);
  if (again !== old) throw new Error("not the same object: the scenario does not show what it is for");
  fill(actor, again, -1);
}

/** Unlink the block and retire it. */
function retireOld(actor: Actor): void {
  fill(actor, NEW, 2);
  actor.domain.retire(actor.memory.exchange(POINTER, NEW) as Address);
}

/** Look whether something is over, and write on what can be had. */
function takeAgain(actor: Actor): void {
  actor.domain.advance();
  const again = takePage(actor)();
  if (again !== NULL) fill(actor, again, -1);
}

const takePage = (actor: Actor) => (): Address => actor.heap.withReserve(() => actor.heap.allocPages(0 as Order));
const takeLarge = (actor: Actor) => (): Address => actor.heap.kmalloc(LARGE);

export const reuse: readonly Scenario[] = onEachFlavor([
  {
    name: "retire and reuse of a page",
    setup: (_, updater) => exhaust(updater as Actor, takePage(updater as Actor)),
    threads: [(a) => a.turn(() => section(a)), (a) => replaceInPlace(a, takePage(a))],
    verify: (_, results) => noneReused(results),
  },
  {
    name: "retire and reuse of a slab's object",
    setup: (_, updater) => exhaust(updater as Actor, takeLarge(updater as Actor)),
    threads: [(a) => a.turn(() => section(a)), (a) => replaceInPlace(a, takeLarge(a))],
    verify: (_, results) => noneReused(results),
  },
  {
    name: "retire, and look now and then without blocking",
    setup: (_, updater) => {
      formatBlock(updater as Actor);
      exhaust(updater as Actor, takePage(updater as Actor));
    },
    threads: [
      (a) => [a.turn(() => section(a)), a.turn(() => section(a))],
      (a) => {
        retireOld(a);
        takeAgain(a); // seals
        takeAgain(a);
      },
    ],
    verify: (_, results) => noneReused(results),
  },
  {
    name: "what a dead thread had retired waits for a reader",
    setup: (owner) => exhaust(owner as Actor, takePage(owner as Actor)),
    threads: [
      (a) => {
        retireOld(a);
        end(a);
      },
      (a) => {
        awaitEnd(a, 0);
        reap(a, 0);
        takeAgain(a);
      },
      (a) => a.turn(() => section(a)),
    ],
    verify: (_, results) => noneReused(results),
  },
  {
    name: "what a thread that left had retired waits for a reader",
    setup: (owner) => exhaust(owner as Actor, takePage(owner as Actor)),
    threads: [
      (a) => {
        retireOld(a);
        a.domain.detach();
      },
      takeAgain,
      (a) => a.turn(() => section(a)),
    ],
    lighter: {
      tree: {
        // It has left already; its leaving beside another's look is explored in attach.ts.
        setup: (owner, other) => {
          exhaust(owner as Actor, takePage(owner as Actor));
          retireOld(owner as Actor);
          owner?.domain.arena.detach();
          other?.domain.helpDeparted();
        },
        threads: [() => {}, takeAgain, (a) => a.turn(() => section(a))],
      },
    },
    verify: (a, results) => {
      noneReused(results);
      whole(a);
    },
  },
  {
    name: "a map's nodes are reused under a reader",
    setup: (_, writer) => {
      formatMap(writer as Actor, [[10, 39, 1]]);
      const { heap } = writer as Actor;
      takeAll(takePage(writer as Actor));
      const nodes: Address[] = [];
      takeAll(() => {
        const node = heap.cache(MAP_CACHE).alloc();
        if (node !== NULL) nodes.push(node);
        return node;
      });
      for (const node of nodes.slice(0, 3)) heap.cache(MAP_CACHE).free(node);
    },
    threads: [
      (a) => {
        const map = mapOf(a);
        return a.turn(() => [map.get(25), map.get(15), map.get(35), map.get(25)]);
      },
      (a) => {
        mapOf(a).set(20, 29, 2); // three nodes in the place of one
        mapOf(a).set(20, 29, 3); // and that one is all there is
      },
    ],
    verify: (_, [seen]) => {
      const [first = 0, low, high, last = 0] = seen as number[];
      assert.deepEqual([low, high], [1, 1]);
      assert.ok(first >= 1 && first <= last && last <= 3, `saw ${first}, then ${last}`);
    },
  },
]);
