/**
 * Callbacks, as far as they are synchronous: the segments with real grace periods, and what a barrier counts. Their driver is asynchronous, and tested in
 * test/rcu/.
 */

import assert from "node:assert/strict";
import type { Address } from "../../src/memory/address.js";
import { kindOf, SlotKind, slotAddress } from "../../src/memory/slot.js";
import { pendingCallbacks } from "../../src/rcu/barrier.js";
import { CallbackList } from "../../src/rcu/callbacks.js";
import { Site } from "../../src/rcu/flavors/site.js";
import { ReaderWord, readerWord } from "../../src/rcu/layout.js";
import type { Scenario } from "../scenario.js";
import { fill, formatBlock, NEW, NEWER, noneReused, POINTER, reuse, section } from "./block.js";
import { awaitEnd, end, reap } from "./death.js";
import { type Actor, inArena, LAYOUT, onEachFlavor, user } from "./support.js";

const REGISTERED = user(1);
const RAN = user(2);

const siteOf = (a: Actor): Site => new Site(a.memory, LAYOUT, 0, a.index);

/** Unlink, and let a callback reuse it. */
function unlinkLater(a: Actor, list: CallbackList, block: Address, value: number): void {
  fill(a, block, value);
  const old = a.memory.exchange(POINTER, block) as Address;
  list.enqueue({ run: () => reuse(a, old), lazy: false });
}

function runDone(list: CallbackList): void {
  for (let callback = list.takeDone(); callback !== undefined; callback = list.takeDone()) callback.run();
}

// What the driver does for a callback. (A `call` would leave a driver behind, with each execution, that waits for what has ended.)
function run(a: Actor): void {
  a.memory.store(RAN, 1);
  a.memory.store(readerWord(LAYOUT, a.index, 0, ReaderWord.RUN), 1);
}

function register(a: Actor): void {
  a.memory.store(readerWord(LAYOUT, a.index, 0, ReaderWord.QUEUED), 1);
  a.memory.store(REGISTERED, 1);
}

/** A barrier's look: whether a callback was registered before it, whether it says that all ran, and whether that one had. */
function lookForAll(a: Actor): { before: boolean; alive: boolean; done: boolean; ran: boolean; lost: number } {
  const before = a.memory.load(REGISTERED) === 1;
  const { done, lost } = pendingCallbacks(siteOf(a));
  const alive = kindOf(a.memory.load(slotAddress(LAYOUT, 0))) === SlotKind.LIVE; // then it was when the barrier began
  const all = done() || done();
  return { before, alive, done: all, ran: a.memory.load(RAN) === 1, lost: lost.reduce((sum, { callbacks }) => sum + callbacks, 0) };
}

type Look = ReturnType<typeof lookForAll>;

export const call: readonly Scenario[] = [
  ...onEachFlavor([
    {
      name: "callbacks run after the sections that were open",
      setup: formatBlock,
      threads: [
        (a) => a.turn(() => section(a)),
        (a) => {
          const list = new CallbackList();
          unlinkLater(a, list, NEW, 2);
          list.advance(a.domain.periods);
          runDone(list);
          unlinkLater(a, list, NEWER, 3);
          for (let look = 0; look < 2; look++) {
            list.advance(a.domain.periods);
            runDone(list);
          }
        },
      ],
      lighter: {
        tree: {
          threads: [
            (a) => a.turn(() => section(a)),
            (a) => {
              const list = new CallbackList();
              unlinkLater(a, list, NEW, 2);
              for (let look = 0; look < 2; look++) list.advance(a.domain.periods);
              runDone(list);
            },
          ],
        },
      },
      verify: (_, results) => noneReused(results),
    },
  ]),
  inArena({
    name: "a barrier waits for what was registered before it",
    threads: [
      (a) => {
        register(a);
        run(a);
      },
      lookForAll,
    ],
    verify: (_, [, look]) => {
      const { before, done, ran, lost } = look as Look;
      assert.equal(lost, 0);
      if (before && done) assert.ok(ran, "a callback that was registered before the barrier has not run");
    },
  }),
  inArena({
    name: "a barrier beside a thread that dies, and one that has its slot next",
    threads: [
      (a) => {
        register(a);
        end(a);
      },
      (a) => {
        awaitEnd(a, 0);
        reap(a, 0);
        a.domain.advance();
      },
      lookForAll,
    ],
    verify: (_, [, , look]) => {
      const { before, alive, done, ran, lost } = look as Look;
      assert.equal(ran, false);
      // A thread that was reaped before the barrier began was told of then; none of its callbacks are waited for.
      if (lost > 0) assert.ok(done && lost === 1, `${lost} lost`);
      if (before && alive && done) assert.equal(lost, 1, "what went with its thread is said to be lost");
    },
  }),
];
