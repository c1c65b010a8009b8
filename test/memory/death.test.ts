/**
 * A thread dies at every single access of short sequences of heap operations; another reaps it.
 *
 * After each death: check() finds nothing, what the dead thread had been given is still live, all else is back, and once that
 * is freed too the arena is exactly as it was before the thread came.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ownLimbo, retireInto } from "../../check/support/limbo.js";
import { randomOf, seedOf } from "../../check/support/seed.js";
import { type Address, NULL, type Order, PAGE_BYTES } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { KMALLOC_BYTES } from "../../src/memory/heap.js";
import { ALLOCATORS, type ArenaOptions } from "../../src/memory/layout.js";
import { freeSlot, reapThread, releaseLimbo } from "../../src/memory/reap.js";
import { SlotKind, slotsOfKind } from "../../src/memory/slot.js";
import { audit, liveIn } from "../support/audit.js";
import type { DyingMemory } from "../support/dying-memory.js";
import { reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

const TAG = -77;
/** Whose all is: a tag, by which recovery finds it, or nobody's, so that all allocation is by the path that costs no atomic operation. */
const TAGS = [
  ["with a tag", TAG],
  ["untracked", 0],
] as const;
/** Room for a slab of every size, also where what died has left the pages scattered. */
const PAGES = 96;

/** What the dying thread does, and what of it its user knows. */
class Victim {
  readonly had = new Set<Address>();
  /** Being given back: whose it is depends on how far that came. */
  givingBack: Address | undefined;
  /** Asking for whole pages, which `ownedBy` finds if the answer never came. */
  askingForPages = false;
  #arena: Arena | undefined;
  readonly #world: World;
  readonly #memory: DyingMemory;
  readonly #tag: number;

  constructor(world: World, memory: DyingMemory, tag: number, inherited: readonly Address[]) {
    this.#world = world;
    this.#memory = memory;
    this.#tag = tag;
    for (const object of inherited) this.had.add(object);
  }

  get heap(): Arena["heap"] {
    this.#arena ??= this.#world.arena(VICTIM, this.#memory);
    return this.#arena.heap;
  }

  take(bytes: number): Address {
    this.askingForPages = bytes > 8192;
    const object = this.heap.kmalloc(bytes, this.#tag);
    this.askingForPages = false;
    assert.notEqual(object, 0);
    this.had.add(object);
    return object;
  }

  takeBulk(count: number): readonly Address[] {
    this.askingForPages = true;
    const pages = this.heap.allocPagesBulk(count, { tag: this.#tag }) ?? [];
    this.askingForPages = false;
    assert.equal(pages.length, count);
    for (const page of pages) this.had.add(page);
    return pages;
  }

  takePage(): Address {
    this.askingForPages = true;
    const page = this.heap.allocPages(0 as Order, { tag: this.#tag });
    this.askingForPages = false;
    assert.notEqual(page, 0);
    this.had.add(page);
    return page;
  }

  takeFrom(cache: number): Address {
    const object = this.heap.cache(cache).alloc();
    this.had.add(object);
    return object;
  }

  #giveBack(object: Address, how: () => void): void {
    this.givingBack = object;
    how();
    this.had.delete(object);
    this.givingBack = undefined;
  }

  free(object: Address): void {
    this.#giveBack(object, () => this.heap.kfree(object));
  }

  retire(object: Address, segment: number): void {
    this.#giveBack(object, () => retireInto(this.heap, segment, object));
  }

  /** As `retire`, into the segment that collects, whose sheaves stay open until they are full. */
  retireOpen(object: Address): void {
    this.#giveBack(object, () => ownLimbo(this.heap).push(0, object));
  }

  detach(): void {
    this.heap;
    this.#arena?.detach();
    this.#arena = undefined;
  }
}

interface Script {
  readonly name: string;
  /** Sizes of blocks that are live when the victim comes, and that it may free. */
  readonly inherited?: readonly number[];
  /** Nothing that it takes has a tag. */
  readonly noTag?: boolean;
  run(victim: Victim, inherited: readonly Address[]): void;
}

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

const scripts: readonly Script[] = [
  {
    name: "attach, one of each size, free half of them, detach",
    run(v) {
      const taken = [0, 16, 100, 200, 1024, 4096, 8192].map((bytes) => v.take(bytes));
      for (const object of taken.filter((_, i) => i % 2 === 0)) v.free(object);
      v.detach();
    },
  },
  {
    name: "refill, flush, refill, in an order that is not that of taking",
    run(v) {
      const taken = many(34, () => v.take(512));
      for (const object of taken.reverse()) v.free(object);
      many(9, () => v.take(512));
      v.detach();
    },
  },
  {
    name: "whole slabs made and given back",
    run(v) {
      const taken = many(33, () => v.take(2048));
      for (const object of taken) v.free(object);
      v.detach();
    },
  },
  {
    name: "freeing what others took, in slabs that were full",
    inherited: many(33, () => 2048),
    run(v, inherited) {
      for (const [i, object] of inherited.entries()) if (i % 3 !== 0) v.free(object);
      v.take(2048);
      for (const [i, object] of inherited.entries()) if (i % 3 === 0) v.retire(object, 2);
    },
  },
  {
    name: "pages split and joined",
    run(v) {
      const one = v.take(PAGE_BYTES * 3);
      const two = v.take(PAGE_BYTES * 8);
      const [p, q, r] = v.takeBulk(3) as [Address, Address, Address];
      v.free(one);
      v.free(q);
      const three = v.take(PAGE_BYTES * 5);
      v.free(two);
      v.free(p);
      v.free(r);
      v.free(three);
      v.take(PAGE_BYTES * 2 + 1);
    },
  },
  {
    name: "retire objects and pages into two segments, release one, go on, detach with the rest in limbo",
    run(v) {
      const small = many(6, () => v.take(40));
      const medium = many(9, () => v.take(1000));
      const pages = [v.take(PAGE_BYTES * 3), v.take(PAGE_BYTES * 4), ...v.takeBulk(2)];
      for (const object of [...small.slice(0, 4), ...medium, ...pages.slice(0, 2)]) v.retire(object, 0);
      for (const object of [...small.slice(4), ...pages.slice(2, 3)]) v.retire(object, 1);
      ownLimbo(v.heap).release(0);
      v.retire(v.take(40), 0);
      v.detach();
    },
  },
  {
    name: "sheaves of limbo filled while others are open, adopted by the depot, and taken from it",
    inherited: many(62, (i) => (i < 31 ? 16 : 40)),
    run(v, inherited) {
      for (const object of inherited) v.retireOpen(object);
      for (const object of many(2, () => v.take(100))) v.retireOpen(object);
      ownLimbo(v.heap).seal(0);
      ownLimbo(v.heap).release(0);
      many(18, () => v.take(40));
      v.retireOpen(v.take(16));
    },
  },
  {
    name: "single pages: more freed than a list holds, taken again, given back to the buddies",
    run(v) {
      const pages = many(33, () => v.takePage());
      for (const page of pages) v.free(page);
      v.retire(v.takePage(), 0);
      v.heap.trim();
    },
  },
  {
    name: "slabs of several pages released from limbo",
    inherited: many(20, () => 4096),
    run(v, inherited) {
      for (const object of inherited) v.retire(object, 3);
      ownLimbo(v.heap).release(3);
    },
  },
  {
    name: "a cache is made and used",
    noTag: true,
    run(v) {
      const cache = v.heap.createCache("a cache made by a thread that dies", 72);
      const taken = many(20, () => v.takeFrom(cache));
      for (const object of taken) v.free(object);
      v.detach();
    },
  },
];

/** Deaths are seen, in this order: the slots are reaped, their limbos emptied. */
function reap(arena: Arena, threads: readonly number[] = [VICTIM]): void {
  reapAll(threads, (thread, timeout) => reapThread(arena.heap, thread, timeout));
  emptyDrained(arena);
}

function emptyDrained(arena: Arena): void {
  arena.heap.withArenaLock(() => {
    for (const index of slotsOfKind(arena.memory, arena.layout, SlotKind.DRAINED)) {
      releaseLimbo(arena.heap, index, 0);
      freeSlot(arena.heap, index);
    }
  });
}

/** What must hold once the dead are reaped; frees all that is left. */
function settle(survivor: Arena, victim: Victim, tag: number, when: string): void {
  assert.deepEqual(survivor.check(), [], when);
  const live = new Set(liveIn(survivor));
  for (const object of victim.had) {
    assert.ok(live.has(object) || object === victim.givingBack, `${when}: ${object} was the dead thread's, and is not live`);
  }
  const tagged = new Set(survivor.heap.ownedBy(tag));
  for (const object of live as Set<Address>) {
    if (victim.had.has(object)) continue;
    const named = victim.askingForPages && tagged.has(object) && survivor.heap.usableBytes(object) >= PAGE_BYTES;
    assert.ok(named, `${when}: ${object} is live, and was never given or had been freed`);
  }
  for (const object of live) survivor.heap.kfree(object as Address);
  // And it still works.
  const again = [...KMALLOC_BYTES, 3 * PAGE_BYTES].map((bytes) => survivor.heap.kmalloc(bytes));
  assert.ok(!again.includes(NULL), `${when}: no memory for ${again.indexOf(NULL)}; free blocks ${survivor.heap.pages.freeBlocks().join(" ")}`);
  for (const object of again) survivor.heap.kfree(object);
}

/** The world of a script, and the blocks the victim inherits. */
function prepare(script: Script, tag: number, options: ArenaOptions = {}): { world: World; inherited: readonly Address[] } {
  const world = new World(PAGES, options);
  const before = world.arena(SURVIVOR);
  const inherited = (script.inherited ?? []).map((bytes) => before.heap.kmalloc(bytes, tag));
  before.detach();
  world.snapshot();
  return { world, inherited };
}

/** Allocators that a debug arena may have. */
const GUARDED = ["slab", "slub"] as const;
/** Deaths of a script where not each access is tried: in a debug arena, and on the allocators that are not the default. */
const SOME_DEATHS = Number(process.env.QUIESCE_SOME_DEATHS ?? 70);

function accessesOf(script: Script, tag: number, options: ArenaOptions): number {
  const { world, inherited } = prepare(script, tag, options);
  world.restore();
  const memory = world.dying();
  memory.arm();
  memory.run(() => script.run(new Victim(world, memory, tag, inherited), inherited));
  return memory.accesses;
}

function sweepSome(name: string, script: Script, tag: number, options: ArenaOptions): void {
  test(name, (t) => {
    const random = randomOf(seedOf("some deaths"));
    const step = Math.ceil(accessesOf(script, tag, options) / SOME_DEATHS);
    return sweep(t, script, tag, options, () => 1 + random(2 * step - 1));
  });
}

for (const script of scripts) {
  for (const [whose, tag] of script.noTag === true ? TAGS.slice(1) : TAGS) {
    test(`slab: a thread dies at each access of: ${script.name}; ${whose}`, (t) => sweep(t, script, tag, { allocator: "slab" }, () => 1));
    for (const allocator of ["slub", "slob"] as const) {
      sweepSome(`${allocator}: a thread dies at some accesses of: ${script.name}; ${whose}`, script, tag, { allocator });
    }
    for (const allocator of GUARDED) {
      sweepSome(`${allocator}: a thread dies in a debug arena, at some accesses of: ${script.name}; ${whose}`, script, tag, { allocator, debugMemory: true });
    }
  }
}

async function sweep(t: TestContext, script: Script, tag: number, options: ArenaOptions, step: () => number): Promise<void> {
  const { world, inherited } = prepare(script, tag, options);
  const empty = audit(new World(PAGES, options));
  let deaths = 0;
  for (let access = step(); ; access += step()) {
    world.restore();
    const memory = world.dying();
    const victim = new Victim(world, memory, tag, inherited);
    memory.arm(access);
    const died = memory.run(() => script.run(victim, inherited));
    const when = `death before access ${access} (${memory.last})`;
    memory.kill();
    const survivor = world.arena(SURVIVOR);
    reap(survivor);
    settle(survivor, victim, tag, when);
    survivor.detach();
    assert.equal(survivor.heap.debug?.reports ?? 0, 0, `${when}: a death is nobody's fault`);
    assert.deepEqual(audit(world, when), empty, when);
    if (!died) break;
    deaths++;
    if (deaths % 500 === 0) await turn();
  }
  t.diagnostic(`${deaths} deaths`);
  assert.ok(deaths > 30, `${deaths} deaths are too few to mean anything`);
}

/** Of the reaping each thirteenth access is one to die at; each first death begins with another, so that between them no instant is left out. */
const REAPER_STEP = 13;

/** As `test`, on each allocator. */
function testEach(name: string, run: (t: TestContext, allocator: (typeof ALLOCATORS)[number]) => Promise<void>): void {
  for (const allocator of ALLOCATORS) test(`${allocator}: ${name}`, (t) => run(t, allocator));
}

testEach("the reaper dies too, at accesses of the reaping; a third thread finishes", async (t, allocator) => {
  let [deaths, instants] = [0, 0];
  for (const [index, tag, first, step] of [
    [2, TAG, 300, 997],
    [2, 0, 500, 997],
    [4, TAG, 40, 61],
    [5, TAG, 150, 293],
    [6, 0, 200, 409],
    [7, 0, 100, 211],
    [8, TAG, 100, 193],
  ] as const) {
    const script = scripts[index] as Script;
    const { world, inherited } = prepare(script, tag, { allocator });
    const empty = audit(new World(PAGES, { allocator }));
    // Some instants of the first death, and of each some of the second. The others differ from slab in less than they share with it: fewer of the first.
    const stride = allocator === "slab" ? step : 4 * step;
    for (let access = first, alive = false; !alive; access += stride) {
      for (let second = 1 + (instants++ % REAPER_STEP); ; second += REAPER_STEP) {
        world.restore();
        const memory = world.dying();
        const victim = new Victim(world, memory, tag, inherited);
        memory.arm(access);
        alive = !memory.run(() => script.run(victim, inherited));
        memory.kill();
        const reaperMemory = world.dying();
        reaperMemory.arm(second);
        const reaperDied = reaperMemory.run(() => {
          const reaper = world.arena(THIRD, reaperMemory);
          reap(reaper);
          reaper.detach();
        });
        const when = `death before access ${access} (${memory.last}), reaper's before ${second} (${reaperMemory.last})`;
        reaperMemory.kill();
        const survivor = world.arena(SURVIVOR);
        // Either may be found first.
        reap(survivor, second % 2 === 0 ? [VICTIM, THIRD] : [THIRD, VICTIM]);
        settle(survivor, victim, tag, when);
        survivor.detach();
        assert.deepEqual(audit(world, when), empty, when);
        if (!reaperDied) break;
        deaths++;
        if (deaths % 500 === 0) await turn();
      }
    }
  }
  t.diagnostic(`${deaths} deaths of reapers of ${instants} first deaths`);
  assert.ok(deaths > 300, `${deaths} deaths are too few to mean anything`);
});

test("a page block's order and tag survive its owner's death", () => {
  const world = new World(PAGES);
  const memory = world.dying();
  const victim = world.arena(VICTIM, memory);
  const block = victim.heap.allocPages(2 as Order, { tag: TAG });
  memory.kill();
  const survivor = world.arena(SURVIVOR);
  reap(survivor);
  assert.deepEqual(survivor.heap.ownedBy(TAG), [block]);
  assert.equal(survivor.heap.usableBytes(block), 4 * PAGE_BYTES);
});
