/** The robust mutex: one at a time, nobody forgotten asleep, and whoever comes after a dead owner is told. */

import assert from "node:assert/strict";
import type { Address } from "../../src/memory/address.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import type { Scenario } from "../scenario.js";
import { awaitEnd, end, reap } from "./death.js";
import { type Actor, inArena, user } from "./support.js";

export const LOCK: Address = user(2);
const COUNT = user(3);
const TAKEN = user(4);

export const mutexOf = (a: Actor): RobustMutex => new RobustMutex(a.memory, LOCK, a.heap.slot);

/** Add one, not atomically, with the lock. */
export function count(a: Actor): void {
  const mutex = mutexOf(a);
  mutex.lock();
  a.memory.write(COUNT, a.memory.read(COUNT) + 1);
  mutex.unlock();
}

/** As `count`, if the lock can be had without sleeping. */
function countIfFree(a: Actor): void {
  const mutex = mutexOf(a);
  if (mutex.tryLock() === undefined) return;
  a.memory.write(COUNT, a.memory.read(COUNT) + 1);
  a.memory.add(TAKEN, 1);
  mutex.unlock();
}

const spinLockOf = (a: Actor): SpinLock => new SpinLock(a.memory, LOCK, a.heap.slot);

export const mutex: readonly Scenario[] = [
  inArena({
    name: "mutex of two, twice",
    threads: [(a) => [count(a), count(a)], (a) => [count(a), count(a)]],
    verify: (a) => assert.equal(a.memory.read(COUNT), 4),
  }),
  inArena({
    name: "mutex of three",
    threads: [count, count, count],
    verify: (a) => assert.equal(a.memory.read(COUNT), 3),
  }),
  inArena({
    name: "mutex of one who waits and one who only tries",
    threads: [count, countIfFree],
    verify: (a) => assert.equal(a.memory.read(COUNT), 1 + a.memory.load(TAKEN)),
  }),
  inArena({
    name: "a spin lock's owner dies, and the next one who spins is told",
    threads: [
      (a) => {
        spinLockOf(a).lock();
        a.memory.write(COUNT, 1); // and not what belongs to it
        end(a);
      },
      (a) => {
        awaitEnd(a, 0);
        reap(a, 0);
      },
      (a) => {
        let told = false;
        spinLockOf(a).withLock(
          () => a.memory.write(COUNT, a.memory.read(COUNT) + 2),
          () => {
            told = true;
            a.memory.write(COUNT, 0);
          },
        );
        return told;
      },
    ],
    verify: (a, [, , told]) => {
      if (told === true) assert.equal(a.memory.read(COUNT), 2, "what the dead one had half done was mended");
      else assert.equal(a.memory.read(COUNT), 1, "it came first");
      assert.equal(a.memory.load(LOCK) === 0, told);
    },
  }),
  inArena({
    name: "a thread that sleeps for a lock holds up no grace period",
    threads: [
      (a) => {
        const mutex = mutexOf(a);
        a.turn(() => {
          a.domain.read(() => 0); // online until the turn ends
          mutex.lock();
          mutex.unlock();
        });
      },
      (a) => {
        const mutex = mutexOf(a);
        mutex.lock();
        a.domain.synchronizeSync();
        mutex.unlock();
      },
    ],
  }),
];
