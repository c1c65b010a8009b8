/** The kernel's lists against arrays: whatever is done, the walk there and the way back are the model's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { NULL } from "../../src/memory/address.js";
import type { Domain } from "../../src/rcu/domain.js";
import * as lists from "../../src/structures/index.js";
import { RcuList } from "../../src/structures/list/list.js";
import { end, onEach } from "../support/each-flavor.js";
import { type Ground, headOf, hlistKind, type Kind, linkOf, listKind, lockOf, MEMBER, makeGround, nullsKind } from "../support/raw-lists.js";
import { World } from "../support/world.js";

const HEADS = 2;
const ITEMS = 8;

/** What a step is given: the list and the model, an item that is in no list, one that is in a list with its place, a head. */
interface Step<L> {
  readonly list: L;
  readonly ground: Ground;
  readonly model: number[][];
  readonly free: number | undefined;
  readonly placed: { readonly chain: number[]; readonly at: number; readonly item: number } | undefined;
  readonly head: number;
}
type Steps<L> = readonly ((step: Step<L>) => void)[];

function insert(chain: number[], at: number, item: number): void {
  chain.splice(at, 0, item);
}

const common = <L extends { addTailRcu(a: never, b: never): void; delRcu(a: never): void; replaceRcu(a: never, b: never): void }>(): Steps<L> => [
  ({ list, ground, model, free, head }) => {
    if (free === undefined) return;
    list.addTailRcu(linkOf(ground, free) as never, headOf(ground, head) as never);
    (model[head] as number[]).push(free);
  },
  ({ list, ground, placed }) => {
    if (placed === undefined) return;
    list.delRcu(linkOf(ground, placed.item) as never);
    placed.chain.splice(placed.at, 1);
  },
  ({ list, ground, placed, free }) => {
    if (placed === undefined || free === undefined) return;
    list.replaceRcu(linkOf(ground, placed.item) as never, linkOf(ground, free) as never);
    placed.chain[placed.at] = free;
  },
];

const listSteps: Steps<RcuList> = [
  ...common<RcuList>(),
  ({ list, ground, model, free, head }) => {
    if (free === undefined) return;
    list.addRcu(linkOf(ground, free), headOf(ground, head));
    (model[head] as number[]).unshift(free);
  },
  ({ list, ground, free, placed }) => {
    if (free === undefined || placed === undefined) return;
    list.addRcu(linkOf(ground, free), linkOf(ground, placed.item));
    insert(placed.chain, placed.at + 1, free);
  },
  ({ list, ground, free, placed }) => {
    if (free === undefined || placed === undefined) return;
    list.addTailRcu(linkOf(ground, free), linkOf(ground, placed.item));
    insert(placed.chain, placed.at, free);
  },
  ({ list, ground, placed }) => {
    if (placed === undefined) return;
    list.bidirDelRcu(linkOf(ground, placed.item));
    placed.chain.splice(placed.at, 1);
  },
  ({ list, ground, model, head }) => {
    list.spliceInitRcu(headOf(ground, head), headOf(ground, 1 - head));
    (model[1 - head] as number[]).unshift(...(model[head] as number[]).splice(0));
  },
  ({ list, ground, model, head }) => {
    list.spliceTailInitRcu(headOf(ground, head), headOf(ground, 1 - head));
    (model[1 - head] as number[]).push(...(model[head] as number[]).splice(0));
  },
];

const chainSteps = <L extends lists.RcuHlist | lists.RcuHlistNulls>(): Steps<L> => [
  ...common<L>(),
  ({ list, ground, model, free, head }) => {
    if (free === undefined) return;
    list.addHeadRcu(linkOf(ground, free), headOf(ground, head));
    (model[head] as number[]).unshift(free);
  },
  ({ list, ground, placed }) => {
    if (placed === undefined) return;
    list.delInitRcu(linkOf(ground, placed.item));
    assert.ok(list.unhashed(linkOf(ground, placed.item)));
    list.delInitRcu(linkOf(ground, placed.item)); // which does nothing
    placed.chain.splice(placed.at, 1);
  },
];

const hlistSteps: Steps<lists.RcuHlist> = [
  ...chainSteps<lists.RcuHlist>(),
  ({ list, ground, free, placed }) => {
    if (free === undefined || placed === undefined) return;
    list.addBehindRcu(linkOf(ground, free), linkOf(ground, placed.item));
    insert(placed.chain, placed.at + 1, free);
  },
  ({ list, ground, free, placed }) => {
    if (free === undefined || placed === undefined) return;
    list.addBeforeRcu(linkOf(ground, free), linkOf(ground, placed.item));
    insert(placed.chain, placed.at, free);
  },
  ({ list, ground, model }) => {
    list.swapHeadsRcu(headOf(ground, 0), headOf(ground, 1));
    model.reverse();
  },
];

function againstArrays<L>(kind: Kind<L>, steps: Steps<L>): void {
  test(`${kind.name} against arrays`, () => {
    const world = new World(16);
    const domain = world.domain(1);
    const ground = makeGround(domain, HEADS, ITEMS);
    const lock = lockOf(domain, ground);
    const list = kind.open(domain, lock);
    const choice = fc.record({ step: fc.nat(steps.length - 1), a: fc.nat(ITEMS), b: fc.nat(ITEMS), head: fc.nat(HEADS - 1) });
    fc.assert(
      fc.property(fc.array(choice, { maxLength: 40 }), (choices) => {
        const model: number[][] = [[], []];
        for (const index of [0, 1]) {
          domain.arena.memory.fill(headOf(ground, index), 2, 0);
          kind.init(list, headOf(ground, index), index);
        }
        for (const { step, a, b, head } of choices) {
          const used = model.flatMap((chain) => chain.map((item, at) => ({ chain, at, item })));
          const unused = Array.from({ length: ITEMS }, (_, i) => i).filter((i) => !used.some(({ item }) => item === i));
          lock.lock();
          steps[step]?.({ list, ground, model, free: unused[a % unused.length], placed: used[b % used.length], head });
          kind.repair(list, ground.heads); // which changes nothing
          lock.unlock();
          for (const [index, chain] of model.entries()) assert.deepEqual(kind.contents(domain, list, headOf(ground, index), index), chain);
        }
      }),
      { seed: seedOf(kind.name), numRuns: 300 },
    );
    domain.detach();
  });
}

againstArrays(listKind, listSteps);
againstArrays(hlistKind, hlistSteps);
againstArrays(nullsKind, chainSteps<lists.RcuHlistNulls>());

/** A list of `count` items, opened with its lock taken. */
function filled<L>(kind: Kind<L>, domain: Domain, count: number): { list: L; ground: Ground } {
  const ground = makeGround(domain, HEADS, ITEMS);
  const lock = lockOf(domain, ground);
  const list = kind.open(domain, lock);
  lock.lock();
  for (const index of [0, 1]) kind.init(list, headOf(ground, index), index);
  for (let i = 0; i < count; i++) kind.addTail(list, linkOf(ground, i), headOf(ground, 0));
  lock.unlock();
  return { list, ground };
}

onEach("the ways to read a list", ({ attach }) => {
  const domain = attach();
  const { list, ground } = filled(listKind, domain, 4);
  const [head, empty] = [headOf(ground, 0), headOf(ground, 1)];
  const numbers = (walk: (fn: (entry: number) => unknown) => void): number[] => {
    const seen: number[] = [];
    walk((entry) => seen.push(domain.arena.memory.read(entry as never)));
    return seen;
  };
  const index = domain.readLock();
  assert.equal(list.firstOrNullRcu(head, MEMBER), ground.items[0]);
  assert.equal(list.firstOrNullRcu(empty, MEMBER), NULL);
  assert.equal(list.nextOrNullRcu(head, linkOf(ground, 2), MEMBER), ground.items[3]);
  assert.equal(list.nextOrNullRcu(head, linkOf(ground, 3), MEMBER), NULL);
  assert.equal(list.entryRcu(head, MEMBER), ground.items[0]);
  assert.equal(list.entryLockless(linkOf(ground, 0), MEMBER), ground.items[1]);
  assert.deepEqual(
    numbers((fn) => list.forEachEntryRcu(head, MEMBER, fn)),
    [0, 1, 2, 3],
  );
  assert.deepEqual(
    numbers((fn) => list.forEachEntrySrcu(head, MEMBER, domain, fn)),
    [0, 1, 2, 3],
  );
  assert.deepEqual(
    numbers((fn) => list.forEachEntryLockless(head, MEMBER, fn)),
    [0, 1, 2, 3],
  );
  assert.deepEqual(
    numbers((fn) => list.forEachEntryContinueRcu(ground.items[1] as never, head, MEMBER, fn)),
    [2, 3],
  );
  assert.deepEqual(
    numbers((fn) => list.forEachEntryFromRcu(ground.items[1] as never, head, MEMBER, fn)),
    [1, 2, 3],
  );
  assert.deepEqual(
    numbers((fn) =>
      list.forEachEntryRcu(head, MEMBER, (entry) => {
        fn(entry);
        return domain.arena.memory.read(entry) < 1;
      }),
    ),
    [0, 1],
    "false ends the walk",
  );
  end(domain, index);
  domain.arena.heap.kfree(ground.lock);
});

onEach("the ways to read a hash list", ({ attach }) => {
  const domain = attach();
  const { memory } = domain.arena;
  const { list, ground } = filled(hlistKind, domain, 4);
  const nulls = filled(nullsKind, domain, 4);
  const head = headOf(ground, 0);
  const all: number[][] = [];
  const note = (walk: (fn: (entry: number) => unknown) => void): void => {
    const seen: number[] = [];
    walk((entry) => seen.push(memory.read(entry as never)));
    all.push(seen);
  };
  const index = domain.readLock();
  note((fn) => list.forEachEntryRcu(head, MEMBER, fn));
  note((fn) => list.forEachEntrySrcu(head, MEMBER, domain, fn));
  note((fn) => list.forEachEntryNotrace(head, MEMBER, fn));
  note((fn) => nulls.list.forEachEntryRcu(headOf(nulls.ground, 0), MEMBER, fn));
  note((fn) => nulls.list.forEachEntrySafe(headOf(nulls.ground, 0), MEMBER, fn));
  for (const seen of all) assert.deepEqual(seen, [0, 1, 2, 3]);
  all.length = 0;
  note((fn) => list.forEachEntryContinueRcu(ground.items[1] as never, MEMBER, fn));
  note((fn) => list.forEachEntryFromRcu(ground.items[1] as never, MEMBER, fn));
  assert.deepEqual(all, [
    [2, 3],
    [1, 2, 3],
  ]);
  assert.equal(list.pprevRcu(linkOf(ground, 1)), linkOf(ground, 0));
  assert.equal(list.pprevRcu(linkOf(ground, 0)), head);
  const theEnd = nulls.list.nextRcu(linkOf(nulls.ground, 3));
  assert.ok(nulls.list.isANulls(theEnd) && !nulls.list.isANulls(linkOf(nulls.ground, 3)));
  assert.equal(nulls.list.getNullsValue(theEnd), 0);
  assert.equal(
    nulls.list.forEachEntryRcu(headOf(nulls.ground, 1), MEMBER, () => true),
    1,
  );
  end(domain, index);
  for (const { lock } of [ground, nulls.ground]) domain.arena.heap.kfree(lock);
});

test("a lookup that was carried to another chain begins again", () => {
  const domain = new World(16).domain(1);
  const { list, ground } = filled(nullsKind, domain, 3);
  const lock = lockOf(domain, ground);
  const seen: number[] = [];
  let moved = false;
  const found = domain.read(() =>
    list.lookup(headOf(ground, 0), 0, MEMBER, (entry) => {
      const number = domain.arena.memory.read(entry);
      seen.push(number);
      if (number === 0 && !moved) {
        moved = true; // another writer, just now
        lock.lock();
        list.delRcu(linkOf(ground, 0));
        list.addHeadRcu(linkOf(ground, 0), headOf(ground, 1));
        lock.unlock();
      }
      return number === 2;
    }),
  );
  assert.equal(found, ground.items[2]);
  assert.deepEqual(seen, [0, 1, 2]);
  assert.equal(
    domain.read(() => list.lookup(headOf(ground, 1), 1, MEMBER, () => false)),
    NULL,
  );
  domain.detach();
});

test("forEachEntrySafe lets its function take the entry out", () => {
  const domain = new World(16).domain(1);
  const { list, ground } = filled(nullsKind, domain, 4);
  const lock = lockOf(domain, ground);
  lock.lock();
  const last = domain.read(() =>
    list.forEachEntrySafe(headOf(ground, 0), MEMBER, (entry) => {
      const link = linkOf(ground, domain.arena.memory.read(entry));
      list.delRcu(link);
      list.addHeadRcu(link, headOf(ground, 1));
    }),
  );
  lock.unlock();
  assert.equal(last, 0);
  assert.deepEqual(nullsKind.contents(domain, list, headOf(ground, 0), 0), []);
  assert.deepEqual(nullsKind.contents(domain, list, headOf(ground, 1), 1), [3, 2, 1, 0]);
  domain.detach();
});

test("who stands on a deleted or replaced entry goes on from there", () => {
  const domain = new World(16).domain(1);
  const { list, ground } = filled(listKind, domain, 4);
  const lock = lockOf(domain, ground);
  const seen: number[] = [];
  lock.lock();
  domain.read(() =>
    list.forEachEntryRcu(headOf(ground, 0), MEMBER, (entry) => {
      const number = domain.arena.memory.read(entry);
      seen.push(number);
      if (number === 0) list.replaceRcu(linkOf(ground, 0), linkOf(ground, 5));
      if (number === 1) {
        list.delRcu(linkOf(ground, 1));
        list.delRcu(linkOf(ground, 2));
      }
    }),
  );
  lock.unlock();
  assert.deepEqual(seen, [0, 1, 2, 3], "1 still leads to 2, and 2 to 3");
  assert.deepEqual(listKind.contents(domain, list, headOf(ground, 0), 0), [5, 3]);
  domain.detach();
});

test("the two racy functions are not there", () => {
  for (const name of ["listEmptyRcu", "listFirstEntryRcu", "emptyRcu", "firstEntryRcu"]) assert.ok(!(name in RcuList.prototype) && !(name in lists), name);
});
