/** shared.map while it grows and shrinks: what is there is always found, what is set is never lost, and a table goes when nobody can reach it. */

import assert from "node:assert/strict";
import { LEAST_BITS } from "../../src/structures/map/words.js";
import type { Scenario } from "../scenario.js";
import * as shared from "./shared-map.js";
import { A, B, beginMove, C, D, E, F, formatEntries, inOrder, mapOf, moveAll, moveBucket, P, Q, reuse, verifyMap, writeOn } from "./shared-map.js";
import { type Actor, type ArenaScenario, inArena, user } from "./support.js";

const DONE = user(1);
/** In a bucket that no thread of the scenarios comes by. */
const FAR = shared.keyIn(5, 18);

type Entry = readonly [key: number, value: number];
type Setup = (...actors: Actor[]) => void;

/** From a table of 2^from to one of 2^to: nothing is moved yet, or, with keys, all but their buckets. */
const moving =
  (from: number, to: number, keys: readonly number[] | undefined, ...entries: Entry[]): Setup =>
  (...actors) => {
    const first = actors[0] as Actor;
    formatEntries(actors, entries);
    if (from > LEAST_BITS) shared.resized(first, from);
    if (keys === undefined) beginMove(first, to);
    else shared.nearlyMoved(first, to, keys);
  };

const growing = (...entries: Entry[]): Setup => moving(2, 3, undefined, ...entries);
const shrinking = (...entries: Entry[]): Setup => moving(3, 2, undefined, ...entries);
/** The bucket of P and Q is left, which becomes two, and one that nobody comes by: so nobody ends the move. */
const splitting = (...entries: Entry[]): Setup => moving(5, 6, [P, FAR], ...entries);
/** The buckets of P and Q are left, which become one, and one that nobody comes by. */
const joining = (...entries: Entry[]): Setup => moving(6, 5, [P, Q, FAR], ...entries);

const ALL: readonly Entry[] = [
  [A, 1],
  [B, 2],
  [E, 5],
];

/** Three keys that are there all the while, whatever moves. */
const foundWhile = (name: string, setup: Setup, mover: (a: Actor) => void): Scenario =>
  inArena({
    name: `map: ${name} under a reader`,
    setup,
    threads: [
      (a) => {
        mover(a);
        reuse(a);
      },
      (a) => {
        const map = mapOf(a);
        return a.turn(() => [map.get(A), map.get(B), map.get(A), map.get(C)]);
      },
    ],
    verify: (a, [, seen]) => {
      assert.deepEqual(seen, [1, 2, 1, undefined]);
      verifyMap(a, mapOf(a), ALL);
    },
  });

const moveP = (a: Actor): void => moveBucket(a, P);
const moveQ = (a: Actor): void => moveBucket(a, Q);
const setP = (a: Actor): void => void mapOf(a).set(P, 7);

const BOTH: readonly Entry[] = [
  [P, 1],
  [Q, 2],
];
const BOTH_SET: readonly Entry[] = [
  [P, 7],
  [Q, 2],
];

interface Moved {
  readonly name: string;
  readonly setup: Setup;
  readonly threads: ArenaScenario["threads"];
  readonly after: readonly Entry[];
}

/** Writers and movers of one bucket. */
const MOVED: readonly Moved[] = [
  { name: "a writer against the split of its bucket", setup: splitting(...BOTH), threads: [moveP, setP], after: BOTH_SET },
  { name: "a deleter against the split of its bucket", setup: splitting(...BOTH), threads: [moveP, (a) => mapOf(a).delete(P)], after: [[Q, 2]] },
  { name: "a writer against the joining of its bucket", setup: joining(...BOTH), threads: [moveQ, setP], after: BOTH_SET },
  { name: "two move one bucket to two", setup: splitting(...BOTH), threads: [moveP, moveQ], after: BOTH },
  { name: "two move one bucket, all of which goes to one", setup: splitting([P, 1]), threads: [moveP, moveQ], after: [[P, 1]] },
  { name: "two move two buckets to one", setup: joining(...BOTH), threads: [moveP, moveQ], after: BOTH },
  { name: "two move two buckets to one, of which one is empty", setup: joining([P, 1]), threads: [moveP, moveQ], after: [[P, 1]] },
  { name: "two writers of a bucket that is split", setup: splitting([P, 1]), threads: [(a) => void mapOf(a).set(Q, 2), setP], after: BOTH_SET },
];

const UNDER_READER: readonly Omit<Moved, "threads">[] = [
  { name: "one that splits a bucket", setup: splitting(...BOTH), after: BOTH_SET },
  { name: "one that joins two buckets", setup: joining(...BOTH), after: BOTH_SET },
  { name: "one that joins a bucket and an empty one", setup: joining([P, 1]), after: [[P, 7]] },
];

const ITERATED: readonly { readonly name: string; readonly setup: Setup }[] = [
  { name: "growth", setup: moving(2, 3, [A], [A, 1], [B, 2], [D, 4]) },
  { name: "shrinking", setup: moving(3, 2, [A, B], [A, 1], [B, 2], [D, 4]) },
];

/** Sees its key, then leaves it to the other to change the table, and sees it again. */
function comesBack(a: Actor): (number | undefined)[] {
  const map = mapOf(a);
  const before = map.get(A);
  a.domain.offline(() => a.await(DONE));
  return [before, map.get(A)];
}

export const mapMoves: readonly Scenario[] = [
  foundWhile("the growth of a bucket", growing(...ALL), (a) => moveBucket(a, A)),
  foundWhile("growth", growing(...ALL), moveAll),
  foundWhile("shrinking", shrinking(...ALL), moveAll),
  ...MOVED.map(({ name, setup, threads, after }) => inArena({ name: `map: ${name}`, setup, threads, verify: (a) => verifyMap(a, mapOf(a), after) })),
  inArena({
    name: "map: two setIfAbsent into a bucket that is split",
    setup: splitting([Q, 2]),
    threads: [0, 1].map((thread) => (a: Actor) => mapOf(a).setIfAbsent(P, 10 + thread)),
    verify: (a, results) => {
      assert.deepEqual([...results].sort(), [false, true]);
      verifyMap(a, mapOf(a), [
        [P, results[0] === true ? 10 : 11],
        [Q, 2],
      ]);
    },
  }),
  ...UNDER_READER.map(({ name, setup, after }) =>
    inArena({
      name: `map: a writer and ${name}, under a reader`,
      setup,
      threads: [moveQ, setP, (a) => mapOf(a).get(P)],
      verify: (a, [, , seen]) => {
        assert.ok(seen === 1 || seen === 7, `saw ${seen}`);
        verifyMap(a, mapOf(a), after);
      },
    }),
  ),
  inArena({
    name: "map: a version is of one state, over a split",
    // Q was there, with a version above P's: its bucket becomes empty, but what comes into it is newer.
    setup: (...actors) => {
      formatEntries(actors, BOTH);
      const [first] = actors as [Actor];
      shared.resized(first, 5);
      const map = mapOf(first);
      for (let value = 0; value < 5; value++) map.set(Q, value);
      first.memory.store(DONE, map.getVersion(Q));
      map.delete(Q);
      shared.nearlyMoved(first, 6, [P, FAR]);
    },
    threads: [
      moveP,
      (a) => {
        const map = mapOf(a);
        map.set(Q, 9);
        return map.getVersion(Q);
      },
    ],
    verify: (a, [, version]) => {
      assert.ok((version as number) > a.memory.load(DONE), `version ${version}`);
      verifyMap(a, mapOf(a), [
        [P, 1],
        [Q, 9],
      ]);
    },
  }),
  ...ITERATED.map(({ name, setup }) =>
    inArena({
      name: `map: iteration over ${name}`,
      setup,
      threads: [moveAll, (a) => [...mapOf(a).keys()].sort((x, y) => x - y)],
      verify: (a, [, seen]) => {
        const keys = [A, B, D].sort((x, y) => x - y);
        assert.deepEqual(seen, keys, "each exactly once");
        verifyMap(a, mapOf(a), [
          [A, 1],
          [B, 2],
          [D, 4],
        ]);
      },
    }),
  ),
  inArena({
    name: "map: snapshot that holds the map, against a writer",
    setup: moving(2, 3, [F], [A, 1], [E, 1]),
    threads: [
      (a) => void mapOf(a).set(A, 2),
      (a) => {
        const seen = mapOf(a).snapshot();
        return [seen.get(A), seen.get(E)];
      },
    ],
    verify: (a, [, seen]) => {
      inOrder([String(seen)], ["1,1", "2,1"]);
      verifyMap(a, mapOf(a), [
        [A, 2],
        [E, 1],
      ]);
    },
  }),
  inArena({
    name: "map: snapshot of two tables, against a writer of both",
    setup: moving(2, 3, [A], [A, 1], [E, 1]),
    threads: [
      (a) => {
        const map = mapOf(a);
        map.set(E, 2); // in the next table
        map.set(A, 2); // which it moves first
      },
      (a) => {
        const seen = mapOf(a).snapshot();
        return [seen.get(E), seen.get(A)];
      },
    ],
    verify: (a, [, seen]) => {
      inOrder([String(seen)], ["1,1", "2,1", "2,2"]);
      verifyMap(a, mapOf(a), [
        [E, 2],
        [A, 2],
      ]);
    },
  }),
  inArena({
    name: "map: clear while the map grows, against a writer",
    setup: moving(2, 3, [F], [A, 1], [E, 1]),
    threads: [(a) => mapOf(a).clear(), (a) => void mapOf(a).set(A, 2)],
    verify: (a) => {
      const { size } = mapOf(a);
      assert.ok(size < 2);
      verifyMap(a, mapOf(a), size === 0 ? [] : [[A, 2]]);
    },
  }),
  ...(
    [
      // All buckets are moved: only ROOT is left.
      { name: "the end of growth", setup: moving(2, 3, [], [A, 1]), change: moveAll, states: [1], after: [[A, 1]] },
      {
        name: "clear",
        setup: (...actors: Actor[]) => formatEntries(actors, [[A, 1]]),
        change: (a: Actor) => mapOf(a).clear(),
        states: [1, undefined],
        after: [],
      },
    ] satisfies readonly { name: string; setup: Setup; change(a: Actor): void; states: unknown[]; after: Entry[] }[]
  ).map(({ name, setup, change, states, after }) =>
    inArena({
      name: `map: ${name} under a reader, and what is free then is written on`,
      setup,
      threads: [
        (a) => {
          change(a);
          for (const bytes of [16, 32]) writeOn(a, bytes); // four buckets, and what leads to them
        },
        (a) => {
          const map = mapOf(a);
          return a.turn(() => [map.get(A), map.get(A)]);
        },
      ],
      verify: (a, [, seen]) => {
        inOrder(seen, states);
        verifyMap(a, mapOf(a), after);
      },
    }),
  ),
  inArena({
    name: "map: a reader comes back when its table is gone",
    setup: (...actors) => formatEntries(actors, [[A, 1]]),
    threads: [
      (a) => {
        const map = mapOf(a);
        map.clear();
        map.set(A, 2);
        reuse(a);
        a.signal(DONE);
      },
      comesBack,
    ],
    verify: (a, [, seen]) => {
      const [before, after] = seen as (number | undefined)[];
      inOrder([before], [1, undefined, 2]);
      assert.equal(after, 2);
      verifyMap(a, mapOf(a), [[A, 2]]);
    },
  }),
  inArena({
    name: "map: a reader comes back when another table is where its own was",
    setup: (...actors) => formatEntries(actors, [[A, 1]]),
    threads: [
      (a) => {
        const map = mapOf(a);
        const first = a.memory.load(shared.MAP);
        map.clear();
        map.set(A, 2);
        a.domain.flushSync(1);
        const isFree = shared.obtain(a, first, 32);
        beginMove(a, 3);
        moveAll(a);
        a.signal(DONE);
        return [isFree, a.memory.load(shared.MAP) === first];
      },
      comesBack,
    ],
    verify: (a, [same, seen]) => {
      const [isFree, isThere] = same as boolean[];
      assert.equal(isThere, isFree, "the new table is where the first was");
      assert.equal((seen as unknown[])[1], 2);
      verifyMap(a, mapOf(a), [[A, 2]]);
    },
  }),
];
