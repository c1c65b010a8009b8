/**
 * What only the tree flavor does: reports that go up it, several threads at work on one grace period, and the scans that make good what
 * reporters leave undone.
 */

import assert from "node:assert/strict";
import type { Memory } from "../../src/memory/memory.js";
import { TreeNodes } from "../../src/rcu/flavors/tree-nodes.js";
import { DomainWord, domainRoot, ReaderWord, readerWord } from "../../src/rcu/layout.js";
import type { Cookie } from "../../src/rcu/sequence.js";
import { MortalMemory } from "../mortal-memory.js";
import type { Scenario } from "../scenario.js";
import { formatBlock, noneReused, replaceAtOnce, section } from "./block.js";
import { fateOf } from "./death.js";
import { type Actor, FAN_OUT, inArena, LAYOUT, user } from "./support.js";

/** Two leaves of two slots each, under a root. */
const SLOTS = 4;
const GRACE_PERIOD = 7;
const GP_SEQ = domainRoot(LAYOUT, 0) + DomainWord.GP_SEQ;
const DONE = user(1);

const nodesOf = (memory: Memory): TreeNodes => new TreeNodes(memory, LAYOUT, FAN_OUT);
const setUp = (a: Actor | undefined, waitedFor: readonly number[], gracePeriod = GRACE_PERIOD): void =>
  nodesOf((a as Actor).memory).setUp(gracePeriod, SLOTS, (slot) => waitedFor.includes(slot));
const report =
  (slot: number) =>
  (a: Actor): boolean =>
    nodesOf(a.memory).report(GRACE_PERIOD, slot);
const isDone = (a: Actor): boolean => nodesOf(a.memory).isDone(GRACE_PERIOD);

/** Of all who cleared a bit, one cleared the root's last. */
function oneEnds(a: Actor, results: readonly unknown[]): void {
  assert.equal(isDone(a), true);
  assert.equal(results.filter((ended) => ended === true).length, 1, "exactly one is told that the root is clear");
}

const nodes: readonly Scenario[] = [
  inArena({
    name: "tree: reports of two leaves race to the root",
    flavor: "tree",
    setup: (a) => setUp(a, [0, 1, 2]),
    threads: [report(0), report(1), report(2)],
    verify: oneEnds,
  }),
  inArena({
    name: "tree: one of a leaf has reported, and not the other",
    flavor: "tree",
    setup: (a) => setUp(a, [0, 1, 2]),
    threads: [report(0), report(2), isDone],
    verify: (a, [, , seen]) => {
      assert.equal(seen, false);
      assert.equal(isDone(a), false);
      assert.deepEqual([...nodesOf(a.memory).waiting(GRACE_PERIOD)], [1]);
    },
  }),
  inArena({
    name: "tree: a late report for a grace period while the next one waits",
    flavor: "tree",
    setup: (a) => setUp(a, [0, 2]),
    threads: [report(0), (a) => setUp(a, [0, 2], GRACE_PERIOD + 1)],
    verify: (a) => assert.deepEqual([...nodesOf(a.memory).waiting(GRACE_PERIOD + 1)], [0, 2], "the next one's bits stay"),
  }),
  inArena({
    name: "tree: a node is set up once, by two who saw different slots online",
    flavor: "tree",
    threads: [(a) => setUp(a, [0, 1, 2]), (a) => setUp(a, [0, 2]), report(0)],
    verify: (a, [, , ended]) => {
      assert.equal(ended, false);
      // Whoever sets it up looks at the slots again; what is left is what one of the two saw.
      const left = [...nodesOf(a.memory).waiting(GRACE_PERIOD)].join();
      assert.ok(["0,1,2", "1,2", "0,2", "2"].includes(left), left);
    },
  }),
  inArena({
    name: "tree: a reporter dies between its leaf and the root, and a scan finishes",
    flavor: "tree",
    setup: (a) => setUp(a, [0]),
    threads: [
      (a) => {
        const memory = new MortalMemory(a.memory, fateOf(0));
        memory.live(() => void nodesOf(memory).report(GRACE_PERIOD, 0));
        a.signal(DONE);
      },
      (a) => {
        a.memory.store(fateOf(0), 1);
        a.await(DONE);
        nodesOf(a.memory).scan(GRACE_PERIOD, () => false);
        return isDone(a);
      },
    ],
    verify: (_, [, done]) => assert.equal(done, true),
  }),
  inArena({
    name: "tree: scans and reports at once",
    flavor: "tree",
    setup: (a) => setUp(a, [0, 1]),
    threads: [report(0), report(1), (a) => nodesOf(a.memory).scan(GRACE_PERIOD, (slot) => slot === 1)],
    verify: isDoneInTheEnd,
  }),
];

function isDoneInTheEnd(a: Actor): void {
  assert.equal(isDone(a), true);
}

// The whole flavor ------------------------------------------------------------------------------------------

/** The grace period that is being set up when the scenario begins. */
const begin = (a: Actor | undefined): void => void a?.domain.startPoll();
/** The cookie of that one. */
const underWay = (a: Actor): Cookie => ((a.memory.load(GP_SEQ as never) & ~3) + 5) as Cookie;

/** Bring a grace period that is under way to its end, if nobody must be waited for. */
export function bringOn(a: Actor): void {
  const { memory, domain } = a;
  if ((memory.load(GP_SEQ as never) & 3) !== 1) domain.pollState(underWay(a));
}

const flavor: readonly Scenario[] = [
  inArena({
    name: "tree: two set one grace period up together",
    flavor: "tree",
    fanOut: 4,
    setup: begin,
    threads: [0, 1].map(() => (a) => a.domain.pollState(underWay(a))),
    // A waiter is online while it works, and so may be waited for by the other: then that one reports, at the latest when it goes offline.
    verify: (a) => assert.equal(a.memory.load(GP_SEQ as never) & 3, 1, "it is over, and no other has begun"),
  }),
  inArena({
    name: "tree: a slot comes online while a grace period is being set up",
    flavor: "tree",
    setup: (a) => {
      formatBlock(a as Actor);
      begin(a);
    },
    threads: [(a) => a.turn(() => section(a)), (a) => a.domain.pollState(underWay(a))],
    verify: (a) => assert.equal(a.memory.load(GP_SEQ as never) & 3, 1, "whoever came last has ended it"),
  }),
  inArena({
    name: "tree: a slot goes offline while a grace period starts",
    flavor: "tree",
    setup: formatBlock,
    threads: [
      (a) =>
        a.turn(() => {
          const seen = section(a);
          a.domain.offline(() => 0);
          return seen;
        }),
      (a) => {
        const cookie = a.domain.startPoll();
        return [a.domain.pollState(cookie), cookie];
      },
    ],
    verify: (a) => {
      assert.equal(a.memory.load(readerWord(LAYOUT, 0, 0, ReaderWord.SEEN)), 0);
      assert.equal(a.memory.load(GP_SEQ as never) & 3, 1, "nobody waits for a slot that is offline");
    },
  }),
  inArena({
    name: "tree: one forces a scan while the slot that it waits for reports",
    flavor: "tree",
    setup: (a) => {
      formatBlock(a as Actor);
      begin(a);
    },
    threads: [
      (a) => a.turn(() => section(a)),
      (a) => {
        a.domain.periods.force();
        const over = replaceAtOnce(a);
        a.domain.periods.force();
        return over ? 2 : 1;
      },
    ],
    verify: (_, results) => noneReused(results),
  }),
];

export const tree: readonly Scenario[] = [nodes, flavor].flat();
