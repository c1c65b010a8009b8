/** Callbacks and barriers: what is synchronous of them is found by scenarios, the rest by runs of their own (runs.ts). */

import type { Address } from "../../src/memory/address.js";
import { type Callback, CallbackList } from "../../src/rcu/callbacks.js";
import { Domain } from "../../src/rcu/domain.js";
import type { GracePeriods } from "../../src/rcu/flavors/flavor.js";
import { ReaderWord, readerWord } from "../../src/rcu/layout.js";
import { Reclaimer } from "../../src/rcu/reclaimer.js";
import { PassingMemory } from "../passing-memory.js";
import { LAYOUT } from "../scenarios/support.js";
import { idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { RUN_WORDS } from "./runs.js";

const QUEUED = readerWord(LAYOUT, 0, 0, ReaderWord.QUEUED);
const RUN = readerWord(LAYOUT, 0, 0, ReaderWord.RUN);

/** What is registered while a grace period is asked for gets lost. */
function losesTheTail(): () => void {
  let advancing = false;
  const undo = [
    patch(
      CallbackList.prototype,
      "advance",
      (original) =>
        function (this: CallbackList, periods: GracePeriods) {
          advancing = true;
          try {
            original.call(this, periods);
          } finally {
            advancing = false;
          }
        },
    )(),
    patch(
      CallbackList.prototype,
      "enqueue",
      (original) =>
        function (this: CallbackList, callback: Callback) {
          if (!advancing) original.call(this, callback);
        },
    )(),
  ];
  return () => {
    for (const back of undo) back();
  };
}

export const call: readonly Mutant[] = [
  {
    name: "a callback runs at once",
    number: "C1",
    breaks: "a callback runs after the sections that were open have ended",
    killer: "callbacks run after the sections that were open",
    kinds: unsafe,
    patch: patch(
      CallbackList.prototype,
      "enqueue",
      () =>
        function (this: CallbackList, callback: Callback) {
          callback.run();
        },
    ),
  },
  {
    name: "a new callback joins those that wait",
    number: "C2",
    breaks: "a callback waits for a grace period that begins after it",
    killer: "callbacks run after the sections that were open",
    kinds: unsafe,
    patch: patch(
      CallbackList.prototype,
      "advance",
      (original) =>
        function (this: CallbackList, periods: GracePeriods) {
          const waiting = this.oldestCookie;
          original.call(this, {
            snap: () => periods.snap(),
            start: () => waiting ?? periods.start(),
            isOver: (cookie) => periods.isOver(cookie),
            force: () => periods.force(),
            completed: () => periods.completed(),
            blockers: (cookie) => periods.blockers(cookie),
          });
        },
    ),
  },
  {
    name: "a splice loses what is registered meanwhile",
    number: "C3",
    breaks: "every callback that was registered runs",
    killer: "run: callbacks registered as a grace period starts",
    kinds: wrong,
    patch: losesTheTail,
  },
  {
    name: "a barrier's count starts at 0",
    number: "C4",
    breaks: "a barrier counts all callbacks that were registered before it looks",
    killer: "a barrier waits for what was registered before it",
    kinds: wrong,
    memory: of(
      [1],
      class extends PassingMemory {
        override load(address: Address): number {
          return address === QUEUED ? 0 : super.load(address);
        }
      },
    ),
  },
  {
    name: "a barrier takes what a dead thread had registered for run",
    number: "C5",
    breaks: "a barrier says which callbacks went with their thread",
    killer: "a barrier beside a thread that dies, and one that has its slot next",
    kinds: wrong,
    memory: of(
      [2],
      class extends PassingMemory {
        #looked = false;
        override load(address: Address): number {
          const value = super.load(address);
          if (address !== RUN) return value;
          const first = !this.#looked;
          this.#looked = true;
          return first ? value : super.load(QUEUED);
        }
      },
    ),
  },
  {
    name: "a head is used after its callback has freed it",
    number: "C6",
    breaks: "a callback may free what its head is in: nobody touches it any more",
    killer: "run: a callback frees its head, which is given out again",
    kinds: wrong,
    patch: patch(
      Domain.prototype,
      "callHead",
      () =>
        function (this: Domain, head: Address, fn: (head: Address) => void) {
          this.call(() => {
            fn(head);
            this.arena.memory.store(head, 0);
          });
        },
    ),
  },
  {
    name: "a barrier waits for what is registered after it",
    number: "C14",
    breaks: "callbacks that register themselves again hold up no barrier",
    killer: "run: a callback that registers itself again, and a barrier",
    kinds: wrong,
    memory: of(
      [1],
      class extends PassingMemory {
        #first: number | undefined;
        override load(address: Address): number {
          const value = super.load(address);
          if (address === RUN_WORDS.queued) this.#first ??= value;
          // However many were registered since, so many are taken to be missing.
          return address === RUN_WORDS.run && this.#first !== undefined ? value - (super.load(RUN_WORDS.queued) - this.#first) : value;
        }
      },
    ),
  },
  {
    name: "who retires too much is not held back",
    number: "C15",
    breaks: "one thread's retired objects take a bounded part of the arena",
    killer: "run: a flood of retired objects",
    kinds: wrong,
    patch: idle(Reclaimer.prototype, "flushSync"),
  },
];
