/** The death of a thread ends its sections, gives its locks to others, and loses nothing. */

import assert from "node:assert/strict";
import type { Address } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import type { Scenario } from "../scenario.js";
import { fill, formatBlock, look, NEW, noneReused, POINTER, replace, reuse } from "./block.js";
import { awaitEnd, end, kill, mortal, reap as reapThread } from "./death.js";
import { LOCK, mutexOf } from "./mutex.js";
import { Actor, inArena, onEachFlavor, whole } from "./support.js";

const BYTES = 1024;

/** It stops in a section. */
function dieInSection(a: Actor): number {
  a.domain.readLock();
  const seen = look(a);
  end(a);
  return seen;
}

const reapFirst = (a: Actor): void => {
  awaitEnd(a, 0);
  reapThread(a, 0);
};

/** It may be killed at any moment of its section. */
const shortLived = (a: Actor): void => mortal(a, (victim) => victim.turn(() => victim.domain.read(() => look(victim))));

function killAndReap(a: Actor): void {
  kill(a, 0);
  reapThread(a, 0);
}

/** It kills the thread that it waits for. */
function replaceFromTheDead(a: Actor): void {
  const { domain, memory } = a;
  fill(a, NEW, 2);
  const old = memory.exchange(POINTER, NEW) as Address;
  const cookie = domain.startPoll();
  domain.pollState(cookie);
  killAndReap(a);
  assert.ok(domain.pollState(cookie), "a grace period that waits for nobody any more");
  reuse(a, old);
}

function takeAndFree(a: Actor): void {
  a.heap.kfree(a.heap.kmalloc(BYTES));
}

const onFlavors: readonly Scenario[] = onEachFlavor([
  {
    name: "reap of a slot that died in a section",
    setup: formatBlock,
    threads: [dieInSection, reapFirst, replace],
    verify: (a, results) => {
      noneReused(results);
      whole(a);
    },
  },
  {
    name: "killed at any moment of a section",
    setup: formatBlock,
    threads: [shortLived, killAndReap, replace],
    lighter: { tree: { threads: [shortLived, replaceFromTheDead] } },
    verify: whole,
  },
  {
    name: "reap of a thread that died with the arena lock, another asleep for it",
    threads: [
      (a) => {
        a.heap.lockArena();
        end(a);
      },
      reapFirst,
      takeAndFree,
    ],
    verify: whole,
  },
  {
    name: "reap of a thread that died with a mutex, another asleep for it",
    threads: [
      (a) => {
        mutexOf(a).lock();
        end(a);
        return "held";
      },
      reapFirst,
      (a) => {
        const mutex = mutexOf(a);
        const told = mutex.lock();
        mutex.unlock();
        return told;
      },
    ],
    verify: (a, [, , told]) => {
      // It came first, or was told; then the lock is free.
      if (told === false) assert.notEqual(a.memory.load(LOCK), 0, "an owner died and the next was not told");
      else assert.equal(a.memory.load(LOCK), 0);
    },
  },
  {
    name: "two reapers at once",
    setup: formatBlock,
    threads: [dieInSection, reapFirst, reapFirst],
    verify: whole,
  },
]);

/** No section, and no grace period that could differ from flavor to flavor. */
const lateReaper = inArena({
  name: "a late reaper takes nothing from the slot's next thread",
  slots: 3, // that of a thread which has ended is the third
  threads: [
    (a) => void reapThread(a, 2),
    (a) => {
      reapThread(a, 2);
      a.domain.advance(); // the slot is free
      // If the arena lock were taken from it, the late one would repair what it looks at.
      const { heap } = new Actor(3, a.memory, a.tools).attach().arena;
      heap.withArenaLock(() => a.memory.read(Header.FREE_LISTS));
    },
  ],
});

export const reap: readonly Scenario[] = [...onFlavors, lateReaper];
