/** The kernel's lists as tests see them: some heads, some structs that embed an entry, and what stands in the words. */

import assert from "node:assert/strict";
import { type Address, field } from "../../src/memory/address.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import type { Domain } from "../../src/rcu/domain.js";
import { RcuHlist } from "../../src/structures/list/hlist.js";
import { RcuHlistNulls } from "../../src/structures/list/hlist-nulls.js";
import { RcuList } from "../../src/structures/list/list.js";
import { hlistNode, hlistNullsNode, listHead } from "../../src/values/list-head.js";
import { u32 } from "../../src/values/scalars.js";
import { offsetOf, struct } from "../../src/values/struct.js";

/** What is in the lists: the number stands before the link, so that `member` is not 0. */
export const item = struct({ number: u32, links: listHead });
export const MEMBER = offsetOf(item, "links");
export const hitem = struct({ number: u32, links: hlistNode });
export const nitem = struct({ number: u32, links: hlistNullsNode });

/** Where the lock, the heads and the items of a test are. */
export interface Ground {
  readonly lock: Address;
  readonly heads: readonly Address[];
  readonly items: readonly Address[];
}

/** A block with the lock, heads of two words, and items with their numbers. */
export function makeGround(domain: Domain, heads: number, items: number): Ground {
  const { heap, memory } = domain.arena;
  const words = 2 + heads * 2 + items * item.words;
  const block = heap.kmalloc(words * 4, -77);
  memory.fill(block, words, 0);
  const at = (offset: number) => field(block, offset);
  const ground = {
    lock: at(0),
    heads: Array.from({ length: heads }, (_, i) => at(2 + i * 2)),
    items: Array.from({ length: items }, (_, i) => at(2 + heads * 2 + i * item.words)),
  };
  for (const [i, address] of ground.items.entries()) item.write(memory, address, { number: i, links: 0 });
  return ground;
}

/** What all three have. */
export interface Walkable {
  forEachEntryRcu(head: Address, member: number, fn: (entry: Address) => unknown): unknown;
}

/** A list under test: how it is opened, filled and read, whichever of the three it is. */
export interface Kind<L> {
  readonly name: string;
  open(domain: Domain, lock: RobustMutex): L;
  init(list: L, head: Address, index: number): void;
  addTail(list: L, link: Address, head: Address): void;
  repair(list: L, heads: readonly Address[]): void;
  /** Numbers in the list, seen to lead back. */
  contents(domain: Domain, list: L, head: Address, index: number): number[];
}

export const lockOf = (domain: Domain, ground: Ground): RobustMutex => new RobustMutex(domain.arena.memory, ground.lock, domain.arena.heap.slot);

const numberOf = (domain: Domain, entry: Address): number => domain.arena.memory.read(entry);

export const listKind: Kind<RcuList> = {
  name: "RcuList",
  open: (domain, lock) => new RcuList(domain, { lock, name: "test" }),
  init: (list, head) => list.initHead(head),
  addTail: (list, link, head) => list.addTailRcu(link, head),
  repair: (list, heads) => list.repair(...heads),
  contents: (domain, list, head) =>
    domain.read(() => {
      const numbers: number[] = [];
      list.forEachEntryRcu(head, MEMBER, (entry) => void numbers.push(numberOf(domain, entry)));
      const back: number[] = [];
      for (let link = list.tailRcu(head); link !== head; link = list.bidirPrevRcu(link)) back.push(numberOf(domain, field(link, -MEMBER)));
      assert.deepEqual(back.reverse(), numbers, "the way back");
      return numbers;
    }),
};

function chainOf(domain: Domain, list: RcuHlist | RcuHlistNulls, head: Address): number[] {
  return domain.read(() => {
    const numbers: number[] = [];
    let pointer = head;
    for (let node = list.firstRcu(head); node > 0; node = list.nextRcu(node)) {
      numbers.push(numberOf(domain, field(node, -MEMBER)));
      assert.equal(domain.arena.memory.read(field(node, 1)), pointer, "the way back");
      pointer = node;
    }
    return numbers;
  });
}

export const hlistKind: Kind<RcuHlist> = {
  name: "RcuHlist",
  open: (domain, lock) => new RcuHlist(domain, { lock, name: "test" }),
  init: () => {},
  addTail: (list, link, head) => list.addTailRcu(link, head),
  repair: (list, heads) => list.repair(...heads),
  contents: (domain, list, head) => chainOf(domain, list, head),
};

export const nullsKind: Kind<RcuHlistNulls> = {
  name: "RcuHlistNulls",
  open: (domain, lock) => new RcuHlistNulls(domain, { lock, name: "test" }),
  init: (list, head, index) => list.initHead(head, index),
  addTail: (list, link, head) => list.addTailRcu(link, head),
  repair: (list, heads) => list.repair(...heads),
  contents: (domain, list, head, index) => {
    const end = domain.read(() => list.forEachEntryRcu(head, MEMBER, () => true));
    assert.equal(end, index, "the chain's own end");
    return chainOf(domain, list, head);
  },
};

export const linkOf = (ground: Ground, i: number): Address => field(ground.items[i] as Address, MEMBER);
export const headOf = (ground: Ground, i: number): Address => ground.heads[i] as Address;
