/** The reserve, and pages for those who must not sleep. */

import { Heap } from "../../src/memory/heap.js";
import { Reserve } from "../../src/memory/reserve.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { type Mutant, patch, unsafe, wrong } from "./mutant.js";

const RESERVE = "run: pages to the last, and objects of the reserve";
const ATOMIC = "run: pages for who must not sleep";

export const limits: readonly Mutant[] = [
  {
    name: "the reserve is anybody's",
    number: "-",
    breaks: "an ordinary allocation leaves the reserve to those who free",
    killer: RESERVE,
    kinds: wrong,
    patch: patch(Reserve.prototype, "allows", () => () => true),
  },
  {
    name: "objects of the reserve are anybody's",
    number: "-",
    breaks: "a slab cut from the reserve serves nobody else",
    killer: RESERVE,
    kinds: wrong,
    patch: patch(Reserve.prototype, "isShort", () => () => false),
  },
  {
    name: "a bulk request takes from the reserve",
    number: "-",
    breaks: "a bulk request gives all pages or none, and leaves the reserve",
    killer: RESERVE,
    kinds: wrong,
    patch: patch(Reserve.prototype, "available", () => (free: number) => free),
  },
  {
    name: "a bulk request gives what there is",
    number: "-",
    breaks: "a bulk request gives all pages or none, and leaves the reserve",
    killer: RESERVE,
    kinds: wrong,
    patch: patch(
      Heap.prototype,
      "allocPagesBulk",
      (original) =>
        function (this: Heap, count, options) {
          return original.call(this, Math.min(count, this.pages.available), options);
        },
    ),
  },
  {
    name: "an atomic request sleeps for the lock",
    number: "-",
    breaks: "an atomic request never sleeps",
    killer: ATOMIC,
    kinds: wrong,
    patch: patch(
      RobustMutex.prototype,
      "tryLock",
      () =>
        function (this: RobustMutex) {
          return this.lock(10);
        },
    ),
  },
  {
    name: "an atomic request works on what a dead owner left",
    number: "-",
    breaks: "whoever takes a dead owner's lock is told",
    killer: ATOMIC,
    kinds: wrong,
    patch: patch(
      RobustMutex.prototype,
      "tryLock",
      (original) =>
        function (this: RobustMutex) {
          return original.call(this) === undefined ? undefined : false;
        },
    ),
  },
  {
    name: "zeroing is forgotten",
    number: "-",
    breaks: "pages that are asked for zeroed are zeroed",
    killer: ATOMIC,
    kinds: wrong,
    patch: patch(
      Heap.prototype,
      "allocPages",
      (original) =>
        function (this: Heap, order, options) {
          return original.call(this, order, { ...options, zero: false });
        },
    ),
  },
  {
    name: "a try that failed goes on as if it had the lock",
    number: "-",
    breaks: "a lock has one owner at a time",
    killer: "mutex of one who waits and one who only tries",
    kinds: unsafe,
    patch: patch(
      RobustMutex.prototype,
      "tryLock",
      (original) =>
        function (this: RobustMutex) {
          return original.call(this) ?? false;
        },
    ),
  },
];
