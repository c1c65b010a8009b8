/**
 * The kernel's lists under a reader, and the friendly list's writers.
 *
 * The raw lists have one writer here, so it takes no lock; items are three words: a number, which is immutable, and the links.
 */

import assert from "node:assert/strict";
import { type Address, field, NULL, type Order } from "../../src/memory/address.js";
import { OutOfMemoryError } from "../../src/memory/errors.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { LIST_NODE_BYTES, type ListRef } from "../../src/structures/list/elements.js";
import { RcuHlist } from "../../src/structures/list/hlist.js";
import { RcuHlistNulls } from "../../src/structures/list/hlist-nulls.js";
import { RcuList } from "../../src/structures/list/list.js";
import { SharedList } from "../../src/structures/list/shared-list.js";
import { u32 } from "../../src/values/scalars.js";
import type { Scenario } from "../scenario.js";
import { afterDeath, mortal } from "./death.js";
import { type Actor, inArena, onEachFlavor, user, whole } from "./support.js";

const MEMBER = 1;
const ITEM_WORDS = 3;
export const HEAD: Address = user(32);
export const OTHER: Address = user(34);
export const item = (n: number): Address => user(40 + n * ITEM_WORDS);
export const link = (n: number): Address => field(item(n), MEMBER);

/** Make an item, in memory that is fresh; the number tells who it is, and that it is whole. */
function make({ memory, tools }: Actor, n: number): Address {
  if (tools.thread >= 0) tools.annotate.allocated(item(n), ITEM_WORDS); // what setup writes is not seen by the detector
  memory.write(item(n), n);
  return link(n);
}

/** An item's memory goes to somebody else. */
const free = ({ tools }: Actor, n: number): void => tools.annotate.freed(item(n), ITEM_WORDS);

const listOf = (a: Actor): RcuList => new RcuList(a.domain);
const hlistOf = (a: Actor): RcuHlist => new RcuHlist(a.domain);
const nullsOf = (a: Actor): RcuHlistNulls => new RcuHlistNulls(a.domain);

/** Items 0 to `count` - 1 in the list of HEAD, `others` in that of OTHER. */
const format =
  (count: number, others: readonly number[] = []) =>
  (a: Actor): void => {
    const list = listOf(a);
    list.initHead(HEAD);
    list.initHead(OTHER);
    for (let n = 0; n < count; n++) list.addTailRcu(make(a, n), HEAD);
    for (const n of others) list.addTailRcu(make(a, n), OTHER);
  };

/** What a reader meets, in a section. */
const numbers = (a: Actor, walk: (fn: (entry: Address) => unknown) => unknown): number[] =>
  a.domain.read(() => {
    const seen: number[] = [];
    walk((entry) => seen.push(a.memory.read(entry)));
    return seen;
  });
const forwards = (a: Actor, head = HEAD): number[] => a.turn(() => numbers(a, (fn) => listOf(a).forEachEntryRcu(head, MEMBER, fn)));
/** What a reader meets on the way back. */
const backwards = (a: Actor, head = HEAD): number[] =>
  a.turn(() => {
    const list = listOf(a);
    return a.domain.read(() => {
      const seen: number[] = [];
      for (let at = list.tailRcu(head); at !== head; at = list.bidirPrevRcu(at)) seen.push(a.memory.read(field(at, -MEMBER)));
      return seen;
    });
  });
const chain = (a: Actor, head = HEAD): number[] => a.turn(() => numbers(a, (fn) => hlistOf(a).forEachEntryRcu(head, MEMBER, fn)));

/** Items 0 and 1 in the chain of HEAD, 2 in that of OTHER. */
function formatChains(a: Actor): void {
  for (const head of [HEAD, OTHER]) a.memory.store(head, NULL);
  for (const n of [1, 0]) hlistOf(a).addHeadRcu(make(a, n), HEAD);
  hlistOf(a).addHeadRcu(make(a, 2), OTHER);
}

/** It saw one of these. */
function saw(seen: unknown, ...allowed: readonly (readonly number[])[]): void {
  assert.ok(
    allowed.some((one) => JSON.stringify(one) === JSON.stringify(seen)),
    `a reader saw ${JSON.stringify(seen)}, which is none of ${JSON.stringify(allowed)}`,
  );
}

const underReaders: readonly Scenario[] = onEachFlavor([
  {
    name: "list: a deleted entry is freed after a grace period",
    setup: (a) => format(3)(a as Actor),
    threads: [
      (a) => {
        listOf(a).delRcu(link(1));
        a.domain.synchronizeSync();
        free(a, 1);
      },
      (a) => forwards(a),
    ],
    verify: (_, [, seen]) => saw(seen, [0, 1, 2], [0, 2]),
  },
  {
    name: "list: a replaced entry is freed after a grace period",
    setup: (a) => format(3)(a as Actor),
    threads: [
      (a) => {
        listOf(a).replaceRcu(link(1), make(a, 5));
        a.domain.synchronizeSync();
        free(a, 1);
      },
      (a) => forwards(a),
    ],
    verify: (_, [, seen]) => saw(seen, [0, 1, 2], [0, 5, 2]),
  },
  {
    name: "list: a splice waits for the readers of its list",
    setup: (a) => format(2, [2])(a as Actor),
    threads: [(a) => listOf(a).spliceInitRcu(HEAD, OTHER), (a) => forwards(a)],
    verify: (a, [, seen]) => {
      saw(seen, [0, 1], []);
      saw(forwards(a, OTHER), [0, 1, 2]);
    },
  },
]);

const plain: readonly Scenario[] = [
  inArena({
    name: "list: an insertion under a reader",
    setup: (a) => format(2)(a as Actor),
    threads: [(a) => listOf(a).addRcu(make(a, 5), link(0)), (a) => forwards(a)],
    verify: (_, [, seen]) => saw(seen, [0, 1], [0, 5, 1]),
  }),
  inArena({
    name: "list: a reader of the list that another is spliced into",
    setup: (a) => format(2, [2])(a as Actor),
    threads: [(a) => listOf(a).spliceTailInitRcu(HEAD, OTHER), (a) => forwards(a, OTHER)],
    verify: (_, [, seen]) => saw(seen, [2], [2, 0, 1]),
  }),
  inArena({
    name: "list: the first entry is deleted under who takes the first",
    setup: (a) => format(0, [1])(a as Actor),
    threads: [
      (a) => {
        listOf(a).delRcu(link(1));
        a.domain.synchronizeSync();
        free(a, 1);
      },
      (a) =>
        a.turn(() =>
          a.domain.read(() => {
            const first = listOf(a).firstOrNullRcu(OTHER, MEMBER);
            return first === NULL ? [] : [a.memory.read(first)];
          }),
        ),
    ],
    verify: (_, [, seen]) => saw(seen, [1], []),
  }),
  inArena({
    name: "list: who walks backwards, and entries that keep both ways",
    setup: (a) => format(3)(a as Actor),
    threads: [
      (a) => {
        listOf(a).bidirDelRcu(link(1));
        listOf(a).addRcu(make(a, 5), link(0));
        a.domain.synchronizeSync();
        free(a, 1);
      },
      (a) => backwards(a),
    ],
    verify: (_, [, seen]) => saw(seen, [2, 1, 0], [2, 0], [2, 5, 0]),
  }),
  inArena({
    name: "list: who walks backwards while its list is spliced",
    setup: (a) => format(2, [2])(a as Actor),
    threads: [(a) => listOf(a).spliceInitRcu(HEAD, OTHER), (a) => backwards(a)],
    verify: (_, [, seen]) => saw(seen, [1, 0], []),
  }),
  inArena({
    name: "hlist: an insertion, a replacement and a deletion under a reader",
    setup: (writer) => {
      const a = writer as Actor;
      a.memory.store(HEAD, NULL);
      for (const n of [2, 1, 0]) hlistOf(a).addHeadRcu(make(a, n), HEAD);
    },
    threads: [
      (a) => {
        const list = hlistOf(a);
        list.addBeforeRcu(make(a, 5), link(1));
        list.replaceRcu(link(1), make(a, 6));
        list.delRcu(link(0));
        a.domain.synchronizeSync();
        free(a, 0);
        free(a, 1);
      },
      (a) => chain(a),
    ],
    verify: (_, [, seen]) => saw(seen, [0, 1, 2], [0, 5, 1, 2], [0, 5, 6, 2], [5, 6, 2]),
  }),
  inArena({
    name: "hlist: two heads are swapped under a reader",
    setup: (a) => formatChains(a as Actor),
    threads: [(a) => hlistOf(a).swapHeadsRcu(HEAD, OTHER), (a) => [chain(a), chain(a, OTHER)]],
    verify: (a, [, seen]) => {
      const [here, there] = seen as number[][];
      saw(here, [0, 1], [2]);
      saw(there, [2], [0, 1]);
      assert.deepEqual([chain(a), chain(a, OTHER)], [[2], [0, 1]]);
    },
  }),
  inArena({
    // No grace period between: the reader may stand on what moves.
    name: "nulls: a lookup while what it stands on moves to another chain",
    setup: (writer) => {
      const a = writer as Actor;
      const list = nullsOf(a);
      list.initHead(HEAD, 7);
      list.initHead(OTHER, 9);
      for (const n of [1, 0]) list.addHeadRcu(make(a, n), HEAD);
      list.addHeadRcu(make(a, 2), OTHER);
    },
    threads: [
      (a) => {
        nullsOf(a).delRcu(link(0));
        nullsOf(a).addHeadRcu(link(0), OTHER);
      },
      (a) => a.turn(() => a.domain.read(() => nullsOf(a).lookup(HEAD, 7, MEMBER, (entry) => a.memory.read(entry) === 1))),
    ],
    verify: (_, [, found]) => assert.equal(found, item(1), "it was there all the while"),
  }),
];

/** The lock of the raw lists whose writer is killed. */
const lockOf = (a: Actor): RobustMutex => new RobustMutex(a.memory, user(36), a.heap.slot);

/** One writer is killed in an update, and the next repairs both lists. */
function killedIn<L extends { repair(...heads: Address[]): void }>(
  name: string,
  open: (a: Actor) => L,
  setup: (a: Actor) => void,
  update: (list: L) => void,
  verify: (a: Actor) => void,
): Scenario {
  return inArena({
    name,
    setup: (a) => setup(a as Actor),
    threads: [
      (a) =>
        mortal(a, (victim) => {
          const lock = lockOf(victim);
          lock.lock();
          update(open(victim));
          lock.unlock();
        }),
      afterDeath((a) => {
        const lock = lockOf(a);
        lock.lockRepaired(() => open(a).repair(HEAD, OTHER));
        lock.unlock();
      }),
    ],
    verify,
  });
}

const deaths: readonly Scenario[] = [
  killedIn(
    "list: a writer is killed in a splice, and the next repairs",
    listOf,
    format(2, [2]),
    (list) => list.spliceInitRcu(HEAD, OTHER),
    (a) => {
      const found = [forwards(a), forwards(a, OTHER)].flat();
      saw(found, [0, 1, 2]);
      saw(forwards(a), [0, 1], []);
      saw(backwards(a), [1, 0], []);
      saw(backwards(a, OTHER), [2], [2, 1, 0]);
    },
  ),
  killedIn(
    "hlist: a writer is killed in a swap, and the next repairs",
    hlistOf,
    formatChains,
    (list) => list.swapHeadsRcu(HEAD, OTHER),
    (a) => saw([chain(a), chain(a, OTHER)].flat(), [0, 1, 2], [2, 0, 1]),
  ),
];

// The friendly list ------------------------------------------------------------------------------------

/** The first cache after kmalloc's. */
const LIST_CACHE = 26;
export const LIST_HEAD: Address = user(64);
export const LIST_LOCK: Address = field(LIST_HEAD, 16);
const TAG = -0x10000;
/** Where the node of a reference stands. */
export const STALE: Address = user(1);

/** The list, opened without the directory. */
const friendly = (a: Actor): SharedList<number> =>
  new SharedList({ domain: a.domain, header: LIST_HEAD, cache: LIST_CACHE, tag: TAG, tableTag: TAG - 1, name: "list" }, u32);

/** Make the list, before a scenario; element n has the number n + 1, and the value n. */
const formatFriendly =
  (count: number) =>
  (a: Actor): void => {
    assert.equal(a.heap.createCache("list", LIST_NODE_BYTES, { tracked: true }), LIST_CACHE);
    for (let n = 0; n < count; n++) friendly(a).push(n);
  };

/** The reference to an element that `formatFriendly` made. */
function refOf(a: Actor, n: number): ListRef {
  const entry = a.turn(() => friendly(a).find((value) => value === n));
  if (entry === undefined) throw new Error(`element ${n} is not there yet, or any more`);
  return entry[0];
}

const values = (a: Actor): number[] => a.turn(() => [...friendly(a)]);

const friends: readonly Scenario[] = [
  inArena({
    name: "shared list: two writers insert and remove",
    setup: (a) => formatFriendly(3)(a as Actor),
    threads: [(a) => friendly(a).insertAfter(refOf(a, 0), 5), (a) => friendly(a).remove(refOf(a, 1))],
    verify: (a) => {
      assert.deepEqual(values(a), [0, 5, 2]);
      assert.deepEqual(friendly(a).check(), []);
      whole(a);
    },
  }),
  inArena({
    name: "shared list: two writers remove one element",
    setup: (a) => formatFriendly(3)(a as Actor),
    threads: [1, 1].map((n) => (a: Actor) => {
      const found = a.turn(() => friendly(a).find((value) => value === n));
      return found !== undefined && friendly(a).remove(found[0]);
    }),
    verify: (a, results) => {
      assert.equal(results.filter(Boolean).length, 1, "exactly one removed it");
      assert.deepEqual(values(a), [0, 2]);
      assert.deepEqual(friendly(a).check(), []);
      whole(a);
    },
  }),
  inArena({
    name: "shared list: a reader while an element is replaced, one inserted, one removed",
    setup: (a) => formatFriendly(3)(a as Actor),
    threads: [
      (a) => {
        const list = friendly(a);
        const [first, second] = [refOf(a, 0), refOf(a, 1)];
        list.replace(second, 6);
        list.insertBefore(second, 5);
        list.remove(first);
        a.domain.advance();
      },
      (a) => values(a),
    ],
    verify: (a, [, seen]) => {
      saw(seen, [0, 1, 2], [0, 6, 2], [0, 5, 6, 2], [5, 6, 2]);
      assert.deepEqual(friendly(a).check(), []);
    },
  }),
  inArena({
    name: "shared list: last() while the last is removed and another pushed",
    setup: (a) => formatFriendly(2)(a as Actor),
    threads: [
      (a) => {
        const list = friendly(a);
        list.remove(refOf(a, 1));
        list.push(5);
      },
      (a) => {
        const list = friendly(a);
        return a.turn(() => [list.last(), list.last()]);
      },
    ],
    verify: (_, [, seen]) => saw(seen, [1, 1], [1, 0], [0, 0], [0, 5], [5, 5], [1, 5]),
  }),
  inArena({
    name: "shared list: a stale reference, while its node is given out again",
    setup: (_, writer) => {
      const a = writer as Actor;
      formatFriendly(1)(a);
      a.memory.write(STALE, refOf(a, 0).node);
      // No other node can be had, nor a page for more.
      while (a.heap.withReserve(() => a.heap.allocPages(0 as Order)) !== NULL);
      while (a.heap.cache(LIST_CACHE).alloc() !== NULL);
    },
    threads: [
      (a) => friendly(a).remove({ node: a.memory.read(STALE), id: 1 }),
      (a) => {
        friendly(a).clear();
        try {
          return friendly(a).push(5).node;
        } catch (error) {
          if (error instanceof OutOfMemoryError) return undefined; // the other removed it, and has it in its limbo
          throw error;
        }
      },
    ],
    verify: (a, [removed, node]) => {
      if (removed !== true) assert.equal(node, a.memory.read(STALE), "the same node, or this shows nothing");
      assert.deepEqual(values(a), node === undefined ? [] : [5], "what was removed, if anything, was what stood there before");
    },
  }),
  ...(
    [
      ["push", (list) => list.push(5), [0, 1, 2, 5]],
      ["remove", (list, ref) => list.remove(ref), [0, 2]],
    ] as [string, (list: SharedList<number>, ref: ListRef) => unknown, number[]][]
  ).map(([name, update, after]) =>
    inArena({
      name: `shared list: a writer is killed in ${name}, and the next recovers`,
      setup: (writer) => {
        const a = writer as Actor;
        formatFriendly(3)(a);
        a.memory.write(STALE, refOf(a, 1).node);
      },
      threads: [
        (a) => mortal(a, (victim) => void update(friendly(victim), { node: victim.memory.read(STALE), id: 2 })),
        afterDeath((a) => void friendly(a).unshift(9)),
      ],
      verify: (a) => {
        saw(values(a), [9, 0, 1, 2], [9, ...after]);
        assert.deepEqual(friendly(a).check(), []);
        whole(a);
      },
    }),
  ),
];

export const lists: readonly Scenario[] = [...underReaders, ...plain, ...deaths, ...friends];
