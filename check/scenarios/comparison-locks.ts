/** The locks that are there for comparison: the reader-writer lock and the sequence lock, and what a writer's death leaves. */

import assert from "node:assert/strict";
import type { Address } from "../../src/memory/address.js";
import { RwLock } from "../../src/memory/rw-lock.js";
import { SeqLock } from "../../src/memory/seqlock.js";
import type { Scenario } from "../scenario.js";
import { afterDeath, mortal } from "./death.js";
import { type Actor, inArena, user, whole } from "./support.js";

const LOCK: Address = user(2);
/** Two words that are equal whenever nobody writes them. */
const PAIR: readonly [Address, Address] = [user(16), user(17)];

/** After a death the second word is what counts. */
function rwLockOf(a: Actor): RwLock {
  return new RwLock(a.memory, LOCK, a.heap.slot, () => a.memory.write(PAIR[0], a.memory.read(PAIR[1])));
}

function seqLockOf(a: Actor): SeqLock {
  return new SeqLock(a.memory, LOCK, a.heap.slot, () => a.memory.store(PAIR[0], a.memory.load(PAIR[1])));
}

const rwAdd = (a: Actor): void =>
  rwLockOf(a).write(() => {
    for (const word of PAIR) a.memory.write(word, a.memory.read(word) + 1);
  });

const rwLook = (a: Actor): number =>
  rwLockOf(a).read(() => {
    const first = a.memory.read(PAIR[0]);
    assert.equal(a.memory.read(PAIR[1]), first, "half an update");
    return first;
  });

const seqAdd = (a: Actor): void =>
  seqLockOf(a).write(() => {
    for (const word of PAIR) a.memory.store(word, a.memory.load(word) + 1);
  });

function seqLook(a: Actor): number {
  const [first, second] = seqLockOf(a).read(() => [a.memory.load(PAIR[0]), a.memory.load(PAIR[1])] as const);
  assert.equal(second, first, "half an update");
  return first;
}

const kinds = [
  { lock: "rw-lock", add: rwAdd, look: rwLook },
  { lock: "seqlock", add: seqAdd, look: seqLook },
] as const;

export const comparisonLocks: readonly Scenario[] = kinds.flatMap(({ lock, add, look }) => [
  inArena({
    name: `${lock}: a writer, and a reader who looks twice`,
    threads: [add, (a) => [look(a), look(a)]],
    verify: (a, [, seen]) => {
      const [first, second] = seen as [number, number];
      assert.ok(first <= second);
      assert.equal(look(a), 1);
    },
  }),
  inArena({
    name: `${lock}: a writer who comes twice, and a reader`,
    threads: [(a) => [add(a), add(a)], look],
    verify: (a) => assert.equal(look(a), 2),
  }),
  inArena({
    name: `${lock}: two writers`,
    threads: [add, add],
    verify: (a) => assert.equal(look(a), 2),
  }),
  inArena({
    name: `${lock}: a writer is killed, and a reader comes next`,
    threads: [(a) => mortal(a, add), afterDeath(), look],
    verify: (a, [, , seen]) => {
      assert.ok((seen as number) <= look(a));
      add(a);
      whole(a);
    },
  }),
  inArena({
    name: `${lock}: a writer is killed, and a writer comes next`,
    threads: [
      (a) => mortal(a, add),
      afterDeath((a) => {
        add(a);
        return look(a);
      }),
    ],
    verify: (a, [, seen]) => {
      assert.ok([1, 2].includes(seen as number));
      whole(a);
    },
  }),
]);
