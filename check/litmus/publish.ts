/** Publishing, removing and freeing: what a reader that finds an object sees of it. */

import { type Address, NULL } from "../../src/memory/address.js";
import { fill, formatBlock, look, NEW, NEWER, OLD, POINTER } from "../scenarios/block.js";
import { type Actor, user } from "../scenarios/support.js";
import { isOverAtOnce } from "./grace-period.js";
import { type Litmus, litmus } from "./litmus.js";

/** What an object holds that is in use, and one that is not any more. */
const USED = 1;
const FREED = -1;

const OBJECT = user(110);
const BYTES = 1024;

/** In a section: what the object holds that POINTER leads to. */
function lookAtomically(a: Actor): number {
  return a.turn(() =>
    a.domain.read(() => {
      const object = a.domain.dereference(POINTER);
      return object === NULL ? USED : a.memory.load(object);
    }),
  );
}

function publishObject(a: Actor, object: Address): void {
  a.memory.store(object, USED);
  a.memory.store(POINTER, object);
}

const sawFreed = ([seen]: readonly unknown[]): boolean => seen === FREED;

function unlinkAndFree(a: Actor, wait: () => void): void {
  a.domain.assignPointer(POINTER, NULL);
  wait();
  a.memory.store(OBJECT, FREED);
}

/** Both replace the block, and free what they have replaced. */
const bothFreed = ([first, second]: readonly unknown[]): boolean => first === second;

export const publish: readonly Litmus[] = [
  litmus({
    name: "MP: publish and subscribe",
    verdict: "Never",
    outcome: "the new pointer, and not what was written before it",
    threads: [
      (a) => {
        fill(a, NEW, 2);
        a.domain.assignPointer(POINTER, NEW);
      },
      (a) => a.turn(() => a.domain.read(() => (a.domain.dereference(POINTER) === NULL ? 2 : look(a)))),
    ],
    happened: ([, seen]) => seen !== 2,
  }),
  litmus({
    name: "RCU+sync+free",
    verdict: "Never",
    outcome: "a section finds the object, and it is freed",
    setup: (a) => publishObject(a as Actor, OBJECT),
    threads: [lookAtomically, (a) => unlinkAndFree(a, () => a.domain.synchronizeSync())],
    happened: sawFreed,
  }),
  litmus({
    name: "free without a grace period",
    verdict: "Allowed",
    outcome: "a section finds the object, and it is freed",
    setup: (a) => publishObject(a as Actor, OBJECT),
    threads: [lookAtomically, (a) => unlinkAndFree(a, () => {})],
    happened: sawFreed,
  }),
  litmus({
    name: "RCU remove: retire, until it is given back",
    verdict: "Never",
    outcome: "a section finds the object, and it is given back",
    setup: (_, updater) => publishObject(updater as Actor, (updater as Actor).heap.kmalloc(BYTES)),
    threads: [
      lookAtomically,
      (a) => {
        const old = a.memory.exchange(POINTER, NULL) as Address;
        a.domain.retire(old);
        a.domain.flushSync(1);
        a.memory.store(old, FREED); // as its next owner might
      },
    ],
    happened: sawFreed,
  }),
  litmus({
    name: "MP of two updaters",
    verdict: "Never",
    outcome: "both free the same block",
    setup: (a) => formatBlock(a as Actor),
    threads: [NEW, NEWER].map((block) => (a: Actor) => {
      fill(a, block, 2);
      const old = a.memory.exchange(POINTER, block);
      a.domain.synchronizeSync();
      return old;
    }),
    on: {
      tree: {
        fanOut: 4,
        // Only one of the two looks.
        threads: [NEW, NEWER].map((block) => (a: Actor) => {
          fill(a, block, 2);
          const old = a.memory.exchange(POINTER, block);
          a.domain.startPoll();
          return block === NEW || isOverAtOnce(a) ? old : -block; // its own, not freed
        }),
      },
    },
    happened: bothFreed,
  }),
  litmus({
    name: "MP of two updaters that load and then store",
    verdict: "Allowed",
    outcome: "both free the same block",
    why: "who replaces without the writers' lock must exchange",
    setup: (a) => a?.memory.store(POINTER, OLD),
    threads: [NEW, NEWER].map((block) => (a: Actor) => {
      const old = a.memory.load(POINTER);
      a.domain.assignPointer(POINTER, block);
      return old;
    }),
    happened: bothFreed,
  }),
].flat();
