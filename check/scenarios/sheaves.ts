/** Sheaves move whole between limbo, depots and threads, and slots keep lists of pages: whoever reads or dies meanwhile, nothing is taken early, twice or never. */

import assert from "node:assert/strict";
import { type Address, NULL, type Order } from "../../src/memory/address.js";
import { LIST_CAPACITY } from "../../src/memory/page-list.js";
import { ownedBySlot, SHEAF_CAPACITY } from "../../src/memory/sheaf.js";
import type { Scenario } from "../scenario.js";
import { fill, formatBlock, NEW, noneReused, POINTER, section } from "./block.js";
import { afterDeath, kill, mortal, reap } from "./death.js";
import { type Actor, inArena, onFlavors, user, whole } from "./support.js";

const SMALL = 64;
const LARGE = 8192;
/** Objects of LARGE bytes in a magazine (slab-cache.ts). */
const MAGAZINE = 2;
const TAG = -9;
const HANDED = user(12);
const RELEASED = user(13);
/** What setup leaves to the thread: as many addresses as it may need. */
const LEFT = user(64);
const leftOf = (a: Actor, i: number): Address => a.memory.read((LEFT + i) as Address) as Address;
const leave = (a: Actor, objects: readonly Address[]): void => objects.forEach((object, i) => void a.memory.write((LEFT + i) as Address, object));
const page = (a: Actor): Address => a.heap.allocPages(0 as Order, { tag: TAG });
const several = (count: number, take: () => Address): Address[] => Array.from({ length: count }, take);

/** Nothing is lost: once everybody has left, and what is still somebody's is given back, all pages are free. */
function emptied(a: Actor): void {
  whole(a);
  const { heap } = a.attach().arena;
  for (const index of heap.cacheIndexes()) for (const object of heap.liveObjects(index)) heap.kfree(object);
  for (const address of heap.ownedBy(TAG)) heap.freePages(address);
  heap.trim();
  assert.deepEqual(a.domain.arena.check(), []);
  assert.equal(heap.pages.free, heap.pages.all, "pages are lost");
}

/** Take it and write on it: two who had the same would race. */
function takeAndFree(a: Actor): void {
  const object = a.heap.kmalloc(LARGE);
  a.memory.write(object, a.number);
  assert.equal(a.memory.read(object), a.number);
  a.heap.kfree(object);
}

/** So many sheaves of LARGE objects are in the depot. */
function fillDepot(a: Actor, sheaves: number, tag = 0): void {
  const objects = several((sheaves + 1) * MAGAZINE + 1, () => a.heap.kmalloc(LARGE, tag));
  for (const object of objects) a.heap.kfree(object);
  const { inDepot } = a.heap.cacheOf(objects[0] as Address)?.info() ?? {};
  assert.equal(inDepot, sheaves * MAGAZINE);
}

/** No page and no sheaf can be had: each allocation and free of an object goes to the slabs. */
function exhaust(a: Actor): void {
  const { heap } = a;
  heap.withReserve(() => {
    while (page(a) !== NULL);
  });
  heap.withArenaLock(() => {
    while (heap.sheaves.take(ownedBySlot(0)) !== NULL);
  });
}

const retireAll = (a: Actor, objects: readonly Address[]): void => {
  for (const object of objects) a.domain.retire(object);
};

interface Death {
  readonly name: string;
  readonly setup?: (victim: Actor, tag: number) => void;
  readonly life: (victim: Actor, tag: number) => void;
  /** With tracked objects too. */
  readonly tracked?: boolean;
}

const DEATHS: readonly Death[] = [
  {
    name: "an allocation that loads a sheaf from the depot",
    setup: (a, tag) => fillDepot(a, 1, tag),
    life: (a, tag) => void a.heap.kmalloc(LARGE, tag),
    tracked: true,
  },
  {
    name: "a free that unloads a sheaf to the depot",
    setup: (a, tag) =>
      leave(
        a,
        several(2 * MAGAZINE + 1, () => a.heap.kmalloc(LARGE, tag)),
      ),
    life: (a) => {
      for (let i = 0; i <= 2 * MAGAZINE; i++) a.heap.kfree(leftOf(a, i));
    },
    tracked: true,
  },
  {
    name: "an allocation without a sheaf",
    setup: (a, tag) => {
      const objects = several(2, () => a.heap.kmalloc(LARGE, tag));
      exhaust(a);
      a.heap.kfree(objects[0] as Address);
      a.heap.withArenaLock(() => a.heap.cacheOf(objects[0] as Address)?.shrink());
      exhaust(a);
    },
    life: (a, tag) => void a.heap.kmalloc(LARGE, tag),
    tracked: true,
  },
  {
    name: "a free without a sheaf",
    setup: (a, tag) => {
      leave(
        a,
        several(2, () => a.heap.kmalloc(LARGE, tag)),
      );
      exhaust(a);
    },
    life: (a) => a.heap.kfree(leftOf(a, 0)),
    tracked: true,
  },
  {
    name: "a retire that closes its sheaf, and one that opens the next",
    setup: (a) => {
      const objects = several(SHEAF_CAPACITY + 1, () => a.heap.kmalloc(SMALL));
      leave(a, objects.slice(-2));
      retireAll(a, objects.slice(0, -2));
    },
    life: (a) => retireAll(a, [leftOf(a, 0), leftOf(a, 1)]),
  },
  {
    name: "a retire of a tracked object",
    setup: (a) => leave(a, [a.heap.kmalloc(SMALL, TAG)]),
    life: (a) => a.domain.retire(leftOf(a, 0)),
  },
  {
    name: "a release of two sheaves",
    setup: (a) =>
      retireAll(
        a,
        several(SHEAF_CAPACITY + 1, () => a.heap.kmalloc(SMALL)),
      ),
    life: (a) => a.domain.flushSync(1),
  },
  {
    name: "a release of a sheaf that no depot wants",
    setup: (a) => {
      retireAll(
        a,
        several(2, () => a.heap.kmalloc(LARGE)),
      );
      exhaust(a);
    },
    life: (a) => a.domain.flushSync(1),
  },
  { name: "taking and giving pages beside a list", life: (a) => a.heap.freePages(page(a)) },
  {
    name: "giving a page to a full list",
    setup: (a) => {
      const pages = several(LIST_CAPACITY + 1, () => page(a));
      leave(a, pages.slice(-1));
      for (const address of pages.slice(0, -1)) a.heap.freePages(address);
    },
    life: (a) => a.heap.freePages(leftOf(a, 0)),
  },
  {
    name: "giving back what is kept for speed",
    setup: (a) => {
      a.heap.freePages(page(a));
      fillDepot(a, 1);
    },
    life: (a) => a.heap.trim(),
  },
];

/** The dead thread is reaped, and another allocates. */
function reapAndTake(a: Actor, bytes: number): Address {
  kill(a, 0);
  reap(a, 0);
  const object = a.heap.kmalloc(bytes);
  if (object !== NULL) a.memory.write(object, a.number);
  return object;
}

const sweep = ({ name, setup, life }: Death, tag: number): Scenario =>
  inArena({
    name: `killed in ${name}${tag === 0 ? "" : ", tracked"}`,
    ...(setup && { setup: (victim: Actor) => setup(victim, tag) }),
    threads: [(a) => mortal(a, (victim) => life(victim, tag)), (a) => reapAndTake(a, SMALL)],
    verify: (a, [, taken]) => {
      if (taken !== NULL) assert.ok(a.heap.isLive(taken as Address), "what was allocated after the death is its owner's alone");
      emptied(a);
    },
  });

/** It takes, and hands on what it took; then it may die. */
const handOn = (name: string, take: (a: Actor) => Address): Scenario =>
  inArena({
    name: `killed after it handed on ${name}`,
    threads: [
      (a) => mortal(a, (victim) => victim.memory.store(HANDED, take(victim))),
      (a) => {
        const taken = reapAndTake(a, SMALL);
        const handed = a.memory.load(HANDED) as Address;
        assert.notEqual(handed, taken);
        if (handed !== NULL) a.heap.kfree(handed);
      },
    ],
    verify: emptied,
  });

export const sheaves: readonly Scenario[] = [
  inArena({
    name: "two threads take sheaves from a depot, and give them back",
    setup: (owner) => fillDepot(owner as Actor, 2),
    threads: [takeAndFree, takeAndFree],
    verify: emptied,
  }),
  inArena({
    name: "one thread unloads a sheaf to a depot while another loads one from it",
    setup: (owner, other) => {
      leave(
        other as Actor,
        several(2 * MAGAZINE + 1, () => (other as Actor).heap.kmalloc(LARGE)),
      );
      fillDepot(owner as Actor, 1);
    },
    threads: [
      takeAndFree,
      (a) => {
        for (let i = 0; i <= 2 * MAGAZINE; i++) a.heap.kfree(leftOf(a, i));
      },
    ],
    verify: emptied,
  }),
  ...onFlavors(["event-loop", "phase"], [
    {
      name: "a sheaf goes from limbo to the depot whole, and another takes its object, under a reader",
      setup: (_: Actor, owner: Actor) => {
        const object = owner.heap.kmalloc(SMALL);
        fill(owner, object, 1);
        owner.memory.store(POINTER, object);
        leave(owner, [object]);
      },
      threads: [
        (a: Actor) => a.turn(() => section(a)),
        (a: Actor) => {
          fill(a, NEW, 2);
          a.domain.retire(a.memory.exchange(POINTER, NEW) as Address);
          for (let look = 0; look < 2; look++) a.domain.advance();
          a.signal(RELEASED);
          return a.heap.limboOf(a.index, 0).empty;
        },
        (a: Actor) => {
          a.await(RELEASED);
          const object = a.heap.kmalloc(SMALL);
          fill(a, object, -1);
          return object;
        },
      ],
      verify: (a: Actor, [seen, released, taken]: readonly unknown[]) => {
        noneReused([seen]);
        assert.equal(taken === leftOf(a, 0), released, "the sheaf is in the depot once it was released");
        whole(a);
      },
    },
  ] as never),
  inArena({
    name: "killed as it fills a sheaf and closes it, under a reader",
    setup: (owner, ...others) => {
      const a = owner as Actor;
      formatBlock(others[1] as Actor);
      const objects = several(SHEAF_CAPACITY, () => a.heap.kmalloc(SMALL));
      const last = objects.pop() as Address;
      retireAll(a, objects);
      fill(a, last, 1);
      a.memory.store(POINTER, last);
    },
    threads: [
      (a) => {
        fill(a, NEW, 2);
        const old = a.memory.exchange(POINTER, NEW) as Address;
        mortal(a, (victim) => victim.domain.retire(old));
      },
      afterDeath((a) => {
        a.domain.advance();
        const object = a.heap.kmalloc(SMALL);
        fill(a, object, -1);
      }),
      (a) => a.turn(() => section(a)),
    ],
    verify: (a, results) => {
      noneReused([results[2]]);
      emptied(a);
    },
  }),
  ...DEATHS.flatMap((death) => [sweep(death, 0), ...(death.tracked === true ? [sweep(death, TAG)] : [])]),
  handOn("an object", (a) => a.heap.kmalloc(SMALL)),
  handOn("a tracked object", (a) => a.heap.kmalloc(SMALL, TAG)),
  handOn("a page", page),
];
