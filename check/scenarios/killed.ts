/** Killed between any two accesses of an operation: what it was in the middle of is finished or undone, and nothing is lost. */

import assert from "node:assert/strict";
import type { Address } from "../../src/memory/address.js";
import { LockTimeoutError } from "../../src/memory/errors.js";
import { Directory } from "../../src/shared/directory.js";
import type { Scenario } from "../scenario.js";
import { afterDeath, awaitEnd, end, kill, mortal, reap } from "./death.js";
import { type Actor, inArena, user, whole } from "./support.js";

const BYTES = 1024;
/** Objects of a magazine of that size (slab-cache.ts). */
const MAGAZINE = 16;
const OBJECT = user(1);

interface Death {
  readonly name: string;
  readonly setup?: (victim: Actor) => void;
  readonly life: (victim: Actor) => void;
}

const objectOf = (a: Actor): Address => a.memory.load(OBJECT) as Address;
const take = (a: Actor): Address => a.heap.kmalloc(BYTES);
const prepare = (a: Actor): void => a.memory.store(OBJECT, take(a));

const DEATHS: readonly Death[] = [
  { name: "an allocation that refills", life: (a) => void take(a) },
  { name: "a free", setup: prepare, life: (a) => a.heap.kfree(objectOf(a)) },
  {
    name: "a free that flushes",
    setup: (a) => {
      prepare(a);
      const others = Array.from({ length: 2 * MAGAZINE }, () => take(a));
      for (const object of others) a.heap.kfree(object);
    },
    life: (a) => a.heap.kfree(objectOf(a)),
  },
  { name: "a retire", setup: prepare, life: (a) => a.domain.retire(objectOf(a)) },
  {
    name: "a release of what was retired",
    setup: (a) => {
      const objects = [take(a), take(a)];
      for (const object of objects) a.domain.retire(object);
    },
    life: (a) => a.domain.flushSync(1),
  },
  { name: "opening a structure", life: (a) => void new Directory(a.domain).open("routes", "schema", { nodeBytes: 24 }) },
  { name: "taking and freeing pages", life: (a) => a.heap.freePages(a.heap.allocPages(0 as never)) },
  {
    name: "a detach",
    setup: (a) => {
      prepare(a);
      a.domain.retire(take(a));
    },
    life: (a) => a.domain.detach(),
  },
];

/** Whoever is reaped first, another of the dead may hold the arena lock: then it is tried again later, as a watcher does. */
function reapWhatever(a: Actor, ...dead: number[]): void {
  for (const thread of [...dead, ...dead]) {
    try {
      reap(a, thread);
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error;
    }
  }
}

export const killed: readonly Scenario[] = [
  ...DEATHS.map(({ name, setup, life }) =>
    inArena({
      name: `killed in ${name}`,
      ...(setup && { setup: (victim: Actor) => setup(victim) }),
      threads: [
        (a) => mortal(a, life),
        afterDeath((a) => {
          new Directory(a.domain).open("routes", "schema", { nodeBytes: 24 });
          return take(a);
        }),
      ],
      verify: (a, [, taken]) => {
        whole(a);
        assert.ok(a.heap.isLive(taken as Address), "what was allocated after the death is its owner's alone");
      },
    }),
  ),
  inArena({
    name: "killed while it attaches",
    slots: 0,
    threads: [
      (a) => mortal(a, (victim) => void victim.attach()),
      (a) => {
        a.attach();
        kill(a, 0);
        reap(a, 0);
      },
    ],
    verify: whole,
  }),
  inArena({
    name: "a reaper is killed in reaping one who died with the arena lock",
    timeouts: true,
    threads: [
      (a) => {
        a.heap.lockArena();
        end(a);
      },
      (a) => {
        awaitEnd(a, 0);
        mortal(a, (reaper) => reap(reaper, 0));
      },
      (a) => {
        kill(a, 1);
        reapWhatever(a, 0, 1);
        take(a);
      },
    ],
    verify: whole,
  }),
  inArena({
    name: "killed in synchronizeSync, while another waits for a grace period",
    threads: [(a) => mortal(a, (victim) => victim.domain.synchronizeSync()), afterDeath(), (a) => a.domain.synchronizeSync()],
    verify: whole,
  }),
  inArena({
    name: "a reaper is killed in giving back what a dead thread had retired",
    timeouts: true,
    setup: (_, departed) => {
      for (let i = 0; i < 2; i++) (departed as Actor).domain.retire(take(departed as Actor));
    },
    threads: [
      (a) => {
        awaitEnd(a, 1);
        mortal(a, (reaper) => {
          reap(reaper, 1);
          reaper.domain.advance();
        });
      },
      end,
      (a) => {
        kill(a, 0);
        reapWhatever(a, 0, 1);
        a.domain.advance();
        const taken = take(a);
        a.domain.advance();
        return taken;
      },
    ],
    verify: (a, [, , taken]) => {
      whole(a);
      assert.ok(a.heap.isLive(taken as Address), "what was allocated after the deaths is its owner's alone");
    },
  }),
];
