/** Idioms that people build on grace periods: each as it must be, and with what it stands on taken away. */

import { NULL } from "../../src/memory/address.js";
import { contentsOf, fill, NEW, NEWER, POINTER } from "../scenarios/block.js";
import { mutexOf } from "../scenarios/mutex.js";
import type { Actor } from "../scenarios/support.js";
import { bringOn } from "../scenarios/tree.js";
import { get, isOverAtOnce, isOverByOther, set } from "./grace-period.js";
import { type Litmus, litmus, type Verdict, W, X, Y, Z } from "./litmus.js";

// Penyaev's: readers go round a list, and remember in a word of their own where they were. ---------------

/** X: the list's head. Y: where the reader was. Z, W: the two elements' contents, by number. */
const [FIRST, SECOND] = [1, 2];
const FREED = -1;

function rememberAndGoOn(a: Actor): number {
  const { memory, domain } = a;
  a.turn(() => domain.read(() => memory.store(Y, memory.load(X))));
  return a.turn(() => domain.read(() => memory.load(memory.load(Y) === FIRST ? Z : W)));
}

/** As a removal with both grace periods, of which the reader brings on the first; if one is not over at the first look, nothing is freed. */
function removeByOther(a: Actor): void {
  const { memory } = a;
  memory.store(X, SECOND);
  if (!isOverByOther(a)) return;
  memory.compareExchange(Y, FIRST, SECOND);
  if (isOverAtOnce(a)) memory.store(Z, FREED);
}

/** As rememberAndGoOn, and bring on whatever is under way. */
function rememberBringOn(a: Actor): number {
  const { memory, domain } = a;
  a.turn(() => domain.read(() => memory.store(Y, memory.load(X))));
  bringOn(a);
  return a.turn(() => domain.read(() => memory.load(memory.load(Y) === FIRST ? Z : W)));
}

/** Take an element out, and free it; with or without the grace period before the memory of readers is cleared, and the one after. */
function removal(name: string, verdict: Verdict, before: boolean, after: boolean): Litmus[] {
  return litmus({
    name,
    verdict,
    outcome: "a reader goes on from the element, and it is freed",
    setup: (a) => a?.memory.store(X, FIRST),
    threads: [
      rememberAndGoOn,
      ({ memory, domain }) => {
        memory.store(X, SECOND);
        if (before) domain.synchronizeSync(); // nobody finds it in the list any more, to remember it
        memory.compareExchange(Y, FIRST, SECOND);
        if (after) domain.synchronizeSync(); // nobody goes on from it
        memory.store(Z, FREED);
      },
    ],
    ...(before && after && { on: { tree: { threads: [rememberBringOn, removeByOther] } } }),
    happened: ([seen]) => seen === FREED,
  });
}

// Phased state change (perfbook): a fast way for readers, and maintenance that only the careful way can stand. ---

const lookPhased = (a: Actor): string =>
  a.turn(() =>
    a.domain.read(() => {
      if (get(a, X) === 1) return "careful";
      return get(a, Y) === 0 ? "fast" : "hurt";
    }),
  );

/** X: be careful. Y: maintenance is under way. */
const phased = (name: string, verdict: Verdict, waits: boolean): Litmus[] =>
  litmus({
    name,
    verdict,
    outcome: "a reader on the fast way, and maintenance under way",
    threads: [
      lookPhased,
      (a) => {
        set(a, X);
        if (waits) a.domain.synchronizeSync();
        set(a, Y);
        a.memory.store(Y, 0);
        if (waits) a.domain.synchronizeSync();
        a.memory.store(X, 0);
      },
    ],
    ...(waits && {
      on: {
        tree: {
          threads: [
            lookPhased,
            (a) => {
              set(a, X);
              if (!isOverAtOnce(a)) return;
              set(a, Y);
              a.memory.store(Y, 0);
            },
          ],
        },
      },
    }),
    happened: ([way]) => way === "hurt",
  });

/** The same, with plain words that the fast way reads and maintenance writes: any overlap is a race. */
const PHASED_PLAIN = litmus({
  name: "phased state change, maintenance in plain words",
  verdict: "Never",
  outcome: "a reader on the fast way sees maintenance half done",
  threads: [
    (a) =>
      a.turn(() =>
        a.domain.read(() => {
          if (get(a, X) === 1) return "careful";
          return a.memory.read(Y) === a.memory.read(Z) ? "fast" : "hurt";
        }),
      ),
    (a) => {
      set(a, X);
      a.domain.synchronizeSync();
      a.memory.write(Y, 1);
      a.memory.write(Z, 1);
      a.memory.store(X, 0);
    },
  ],
  happened: ([way]) => way === "hurt",
});

// Double-checked: made by whoever needs it first. ----------------------------------------------------------

const blockOf = (a: Actor) => (a.index === 0 ? NEW : NEWER);

/** Look; if there is none, take the lock, look again, make it. */
const makeUnderLock =
  (again: boolean) =>
  (a: Actor): number => {
    if (a.memory.load(POINTER) === NULL) {
      const mutex = mutexOf(a);
      mutex.lock();
      if (!again || a.memory.load(POINTER) === NULL) {
        fill(a, blockOf(a), a.number);
        a.domain.assignPointer(POINTER, blockOf(a));
      }
      mutex.unlock();
    }
    return a.turn(() => a.domain.read(() => contentsOf(a, a.domain.dereference(POINTER))));
  };

/** Make it, publish it if there is still none, or else throw it away. */
const makeByCas = (a: Actor): number => {
  if (a.memory.load(POINTER) === NULL) {
    fill(a, blockOf(a), a.number);
    a.memory.compareExchange(POINTER, NULL, blockOf(a));
  }
  return a.turn(() => a.domain.read(() => contentsOf(a, a.domain.dereference(POINTER))));
};

const different = (results: readonly unknown[]): boolean => results.some((one) => one !== undefined && one !== results[0]);
const DIFFERENT = "two threads use two of what there should be one of";

export const idioms: readonly Litmus[] = [
  removal("Penyaev: two removals, two grace periods", "Never", true, true),
  removal("Penyaev: only the first grace period", "Allowed", true, false),
  removal("Penyaev: only the second grace period", "Allowed", false, true),
  phased("phased state change", "Never", true),
  phased("phased state change without grace periods", "Allowed", false),
  PHASED_PLAIN,
  litmus({ name: "double-check with a lock", verdict: "Never", outcome: DIFFERENT, threads: [makeUnderLock(true), makeUnderLock(true)], happened: different }),
  litmus({
    name: "double-check that checks once",
    verdict: "Allowed",
    outcome: DIFFERENT,
    threads: [makeUnderLock(false), makeUnderLock(false)],
    happened: different,
  }),
  litmus({
    name: "double-check, and a reader",
    verdict: "Never",
    outcome: "the reader finds it, and not whole",
    threads: [
      makeUnderLock(true),
      makeUnderLock(true),
      (a) => a.turn(() => a.domain.read(() => (a.domain.dereference(POINTER) === NULL ? undefined : contentsOf(a, a.domain.dereference(POINTER))))),
    ],
    happened: ([first, second, seen]) => first !== second || (seen !== undefined && seen !== first),
  }),
  litmus({ name: "double-check by compareExchange", verdict: "Never", outcome: DIFFERENT, threads: [makeByCas, makeByCas], happened: different }),
].flat();
