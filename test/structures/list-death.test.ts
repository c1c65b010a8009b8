/**
 * A writer of the kernel's lists dies at every single access of an update, and whoever repairs dies at every access of that, too.
 *
 * After each death, and before it is repaired, readers see the list from before the update or from after it; after the repair the way back is right, and the list is the one or the other.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Domain } from "../../src/rcu/domain.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import type { RcuHlist } from "../../src/structures/list/hlist.js";
import type { RcuHlistNulls } from "../../src/structures/list/hlist-nulls.js";
import type { RcuList } from "../../src/structures/list/list.js";
import { type Ground, headOf, hlistKind, type Kind, linkOf, listKind, lockOf, MEMBER, makeGround, nullsKind, type Walkable } from "../support/raw-lists.js";
import { reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

type Update<L> = (list: L, ground: Ground) => void;

const listUpdates: Readonly<Record<string, Update<RcuList>>> = {
  addRcu: (list, g) => list.addRcu(linkOf(g, 6), headOf(g, 0)),
  "addRcu in the middle": (list, g) => list.addRcu(linkOf(g, 6), linkOf(g, 1)),
  addTailRcu: (list, g) => list.addTailRcu(linkOf(g, 6), headOf(g, 0)),
  delRcu: (list, g) => list.delRcu(linkOf(g, 1)),
  "delRcu of the last": (list, g) => list.delRcu(linkOf(g, 2)),
  bidirDelRcu: (list, g) => list.bidirDelRcu(linkOf(g, 1)),
  replaceRcu: (list, g) => list.replaceRcu(linkOf(g, 1), linkOf(g, 6)),
  spliceInitRcu: (list, g) => list.spliceInitRcu(headOf(g, 0), headOf(g, 1)),
  spliceTailInitRcu: (list, g) => list.spliceTailInitRcu(headOf(g, 0), headOf(g, 1)),
  "splice into an empty list": (list, g) => {
    list.spliceInitRcu(headOf(g, 0), headOf(g, 2));
  },
  initHead: (list, g) => list.initHead(headOf(g, 0)),
};

const hlistUpdates: Readonly<Record<string, Update<RcuHlist>>> = {
  addHeadRcu: (list, g) => list.addHeadRcu(linkOf(g, 6), headOf(g, 0)),
  addTailRcu: (list, g) => list.addTailRcu(linkOf(g, 6), headOf(g, 0)),
  addBeforeRcu: (list, g) => list.addBeforeRcu(linkOf(g, 6), linkOf(g, 1)),
  addBehindRcu: (list, g) => list.addBehindRcu(linkOf(g, 6), linkOf(g, 1)),
  delRcu: (list, g) => list.delRcu(linkOf(g, 1)),
  delInitRcu: (list, g) => list.delInitRcu(linkOf(g, 1)),
  replaceRcu: (list, g) => list.replaceRcu(linkOf(g, 1), linkOf(g, 6)),
  swapHeadsRcu: (list, g) => list.swapHeadsRcu(headOf(g, 0), headOf(g, 1)),
  "swapHeadsRcu with an empty one": (list, g) => list.swapHeadsRcu(headOf(g, 0), headOf(g, 2)),
  "swapHeadsRcu of an empty one": (list, g) => list.swapHeadsRcu(headOf(g, 2), headOf(g, 0)),
};

const nullsUpdates: Readonly<Record<string, Update<RcuHlistNulls>>> = {
  addHeadRcu: (list, g) => list.addHeadRcu(linkOf(g, 6), headOf(g, 0)),
  addTailRcu: (list, g) => list.addTailRcu(linkOf(g, 6), headOf(g, 0)),
  delRcu: (list, g) => list.delRcu(linkOf(g, 1)),
  delInitRcu: (list, g) => list.delInitRcu(linkOf(g, 1)),
  replaceRcu: (list, g) => list.replaceRcu(linkOf(g, 1), linkOf(g, 6)),
};

/** Heads 0 (items 0 to 2), 1 (items 3 and 4) and 2 (empty). */
const CHAINS = [0, 0, 0, 1, 1];
const HEADS = [0, 1, 2];

/** What readers find, by the way there alone. */
function seen(domain: Domain, list: Walkable, ground: Ground): number[][] {
  return HEADS.map((index) => {
    const numbers: number[] = [];
    domain.read(() => list.forEachEntryRcu(headOf(ground, index), MEMBER, (entry) => void numbers.push(domain.arena.memory.read(entry))));
    return numbers;
  });
}

function isOneOf(found: unknown, allowed: readonly unknown[], when: string): void {
  assert.ok(
    allowed.some((one) => JSON.stringify(one) === JSON.stringify(found)),
    `${when}: ${JSON.stringify(found)} is none of ${JSON.stringify(allowed)}`,
  );
}

/** How a swap looks between its two stores: both heads lead to one chain (guarantee G of hlist.ts). */
const between = ([a, b, c]: number[][], name: string): number[][][] =>
  !name.startsWith("swap") ? [] : name === "swapHeadsRcu" ? [[b, b, c] as number[][]] : [[a, b, a] as number[][]];

/** How a splice looks while its entries are nobody's. */
const inTransit = ([, b, c]: number[][], name: string): number[][][] => (name.startsWith("splice") ? [[[], b, c] as number[][]] : []);

async function dieEverywhere<L extends Walkable>(kind: Kind<L>, flavor: FlavorName, name: string, update: Update<L>): Promise<void> {
  const world = new World(16, {}, { flavor });
  const builder = world.domain(SURVIVOR);
  const ground = makeGround(builder, HEADS.length, 7);
  const lock = lockOf(builder, ground);
  const list = kind.open(builder, lock);
  lock.lock();
  for (const index of HEADS) kind.init(list, headOf(ground, index), index);
  for (const [item, chain] of CHAINS.entries()) kind.addTail(list, linkOf(ground, item), headOf(ground, chain));
  lock.unlock();
  const before = seen(builder, list, ground);
  builder.detach();
  world.snapshot();

  const updater = world.domain(SURVIVOR);
  const after = (() => {
    const its = lockOf(updater, ground);
    const view = kind.open(updater, its);
    its.lock();
    update(view, ground);
    its.unlock();
    return seen(updater, view, ground);
  })();
  updater.detach();

  const settle = (dead: readonly number[], when: string): void => {
    const survivor = world.domain(SURVIVOR);
    reapAll(dead, (thread, timeout) => survivor.reap(thread, timeout));
    const its = lockOf(survivor, ground);
    const view = kind.open(survivor, its);
    isOneOf(seen(survivor, view, ground), [before, after, ...between(before, name), ...inTransit(before, name)], when);
    its.lockRepaired(() =>
      kind.repair(
        view,
        HEADS.map((index) => headOf(ground, index)),
      ),
    );
    its.unlock();
    isOneOf(
      HEADS.map((index) => kind.contents(survivor, view, headOf(ground, index), index)),
      [before, after],
      `${when}, repaired`,
    );
    assert.deepEqual(survivor.arena.check(), [], when);
    survivor.detach();
  };

  /** Die before an access of the update; then, if asked for, before one of the repair. Gives whether each died. */
  const die = (access: number, second?: number): { first: boolean; second: boolean } => {
    world.restore();
    const memory = world.dying();
    const victim = world.domain(VICTIM, memory);
    const its = lockOf(victim, ground);
    const view = kind.open(victim, its);
    memory.arm(access);
    const died = memory.run(() => {
      its.lock();
      update(view, ground);
      its.unlock();
    });
    memory.kill();
    let when = `death before access ${access} (${memory.last})`;
    if (second === undefined) {
      settle([VICTIM], when);
      return { first: died, second: false };
    }
    const memory2 = world.dying();
    const next = world.domain(THIRD, memory2);
    next.reap(VICTIM, 0);
    const lock2 = lockOf(next, ground);
    const view2 = kind.open(next, lock2);
    memory2.arm(second);
    const diedToo = memory2.run(() => {
      lock2.lockRepaired(() =>
        kind.repair(
          view2,
          HEADS.map((index) => headOf(ground, index)),
        ),
      );
      lock2.unlock();
    });
    memory2.kill();
    when += `, the repairer's before ${second} (${memory2.last})`;
    settle([THIRD, VICTIM], when);
    return { first: died, second: diedToo };
  };

  let deaths = 0;
  for (let access = 1; die(access).first; access++) {
    deaths++;
    for (let second = 1; die(access, second).second; second++) deaths++;
    await turn();
  }
  assert.ok(deaths > 20, `${deaths} deaths are too few to mean anything`);
}

function sweep<L extends Walkable>(kind: Kind<L>, updates: Readonly<Record<string, Update<L>>>): void {
  for (const [name, update] of Object.entries(updates)) {
    // What takes no grace period is the same on each flavor.
    for (const flavor of name.startsWith("splice") ? FLAVORS : FLAVORS.slice(0, 1)) {
      test(`${kind.name}, ${flavor}: a writer dies at each access of ${name}`, () => dieEverywhere(kind, flavor, name, update));
    }
  }
}
sweep(listKind, listUpdates);
sweep(hlistKind, hlistUpdates);
sweep(nullsKind, nullsUpdates);
