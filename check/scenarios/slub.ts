/** slub: what others free of a slab, against its holder: nothing is lost, and nothing is given twice. */

import assert from "node:assert/strict";
import { type Address, NULL } from "../../src/memory/address.js";
import { DoubleFreeError } from "../../src/memory/errors.js";
import type { SlubCache } from "../../src/memory/slub-cache.js";
import type { Scenario } from "../scenario.js";
import { kill, mortal, reap } from "./death.js";
import { type Actor, inArena, user, whole } from "./support.js";

const BYTES = 2048;
const TAG = -9;
/** Objects that are handed over. */
const OBJECTS = [user(1), user(2)] as const;

const objectOf = (a: Actor, i: 0 | 1 = 0): Address => a.memory.load(OBJECTS[i]) as Address;
const cacheOf = (a: Actor): SlubCache => a.heap.cacheOf(objectOf(a)) as SlubCache;

function take(a: Actor, tag = 0): Address {
  const object = a.heap.kmalloc(BYTES, tag);
  assert.notEqual(object, NULL);
  a.memory.write(object, a.number); // two who had the same would race
  return object;
}

/** Takes all objects of a slab, and hands the first two over. */
function fillSlab(a: Actor, tag = 0): void {
  const first = take(a, tag);
  a.memory.store(OBJECTS[0], first);
  a.memory.store(OBJECTS[1], take(a, tag));
  const { capacity } = cacheOf(a).slabs;
  for (let i = 2; i < capacity; i++) take(a, tag);
}

function free(a: Actor, i: 0 | 1 = 0): boolean {
  try {
    a.heap.kfree(objectOf(a, i));
    return true;
  } catch (error) {
    if (error instanceof DoubleFreeError) return false;
    throw error;
  }
}

function takeAndFree(a: Actor): void {
  const object = take(a);
  assert.equal(a.memory.read(object), a.number);
  a.heap.kfree(object);
}

/** It frees an object of a slab that another thread's slot holds. */
const freeOther =
  (i: 0 | 1) =>
  (a: Actor): void => {
    assert.ok(free(a, i));
  };

/** As its holder, whom the setup was: takes from the slab what others have freed, by the way that needs no lock. */
function collect(a: Actor): Address[] {
  const { slabs } = cacheOf(a);
  const got: Address[] = [];
  slabs.collect(slabs.slabOf(objectOf(a)), (object) => {
    a.memory.write(slabs.sideOf(object), -2);
    got.push(object);
  });
  return got;
}

/** It uses what it collects, and looks again: nothing may come twice, though a reaper may say again that it was freed. */
function collectTwice(a: Actor): void {
  const got = collect(a);
  const { slabs } = cacheOf(a);
  for (const object of got) slabs.setLive(object, TAG);
  for (const object of collect(a)) assert.ok(!got.includes(object), `${object} is given twice`);
}

/** Live is, of what was handed over, what nobody freed, or what was taken anew. */
function settled(a: Actor, live: readonly boolean[]): void {
  whole(a);
  for (const [i, isLive] of live.entries()) assert.equal(a.heap.isLive(objectOf(a, i as 0 | 1)), isLive, `object ${i}`);
}

export const slub: readonly Scenario[] = (
  [
    {
      name: "slub: a remote free against the holder's take-all",
      setup: (owner: Actor) => fillSlab(owner),
      threads: [collect, freeOther(0)],
      verify: (a: Actor) => settled(a, [false, true]),
    },
    {
      name: "slub: a remote free against the holder's letting go of a full slab",
      setup: (owner: Actor) => fillSlab(owner),
      threads: [(a: Actor) => void take(a), freeOther(0)],
      verify: (a: Actor) => whole(a),
    },
    {
      name: "slub: two remote frees against the holder's take-all",
      setup: (owner: Actor) => fillSlab(owner),
      threads: [collect, freeOther(0), freeOther(1)],
      verify: (a: Actor) => settled(a, [false, false]),
    },
    {
      name: "slub: two remote frees of a full slab that nobody holds",
      setup: (owner: Actor) => {
        fillSlab(owner);
        take(owner);
      },
      threads: [() => true, freeOther(0), freeOther(1)],
      verify: (a: Actor) => settled(a, [false, false]),
    },
    {
      name: "slub: two threads free one object",
      setup: (owner: Actor) => fillSlab(owner),
      threads: [() => true, (a: Actor) => free(a), (a: Actor) => free(a)],
      verify: (a: Actor, [, one, two]: readonly unknown[]) => {
        assert.ok(one !== two, "exactly one owned it");
        settled(a, [false, true]);
      },
    },
    {
      name: "slub: killed in a remote free, against the holder's take-all",
      setup: (owner: Actor) => fillSlab(owner),
      threads: [
        collectTwice,
        (a: Actor) => mortal(a, (victim) => void free(victim)),
        (a: Actor) => {
          kill(a, 1);
          reap(a, 1);
        },
      ],
      verify: (a: Actor) => whole(a),
    },
    {
      name: "slub: killed in a remote free of a tracked object, against the holder's take-all",
      setup: (owner: Actor) => fillSlab(owner, TAG),
      threads: [
        collectTwice,
        (a: Actor) => mortal(a, (victim) => void free(victim)),
        (a: Actor) => {
          kill(a, 1);
          reap(a, 1);
        },
      ],
      verify: (a: Actor) => whole(a),
    },
    {
      name: "slub: two threads hold slabs of their own",
      setup: () => {},
      threads: [takeAndFree, takeAndFree],
      verify: (a: Actor) => whole(a),
    },
    {
      name: "slub: killed in a remote free of a full slab",
      setup: (owner: Actor) => {
        fillSlab(owner);
        take(owner);
      },
      threads: [
        () => true,
        (a: Actor) => mortal(a, (victim) => void free(victim)),
        (a: Actor) => {
          kill(a, 1);
          reap(a, 1);
          return take(a);
        },
      ],
      verify: (a: Actor, [, , taken]: readonly unknown[]) => {
        whole(a);
        assert.ok(a.heap.isLive(taken as Address), "what was allocated after the death is its owner's alone");
      },
    },
  ] as const
).map((spec) => inArena({ ...spec, allocator: "slub", setup: (owner) => spec.setup(owner as Actor) }));
