/** shared.map while it grows and shrinks: what is there is always found, what is set is never lost, and a table goes when nobody can reach it. */

import assert from "node:assert/strict";
import type { Scenario } from "../scenario.js";
import { A, B, beginMove, C, D, E, F, formatEntries, G, inOrder, keyIn, MAP, mapOf, moveAll, moveBucket, obtain, reuse, verifyMap } from "./shared-map.js";
import { type Actor, type ArenaScenario, inArena, onEachFlavor, user } from "./support.js";

const DONE = user(1);

type Entry = readonly [key: number, value: number];

/** A table of eight: nothing is left to be moved. */
function grown(actors: readonly Actor[], entries: readonly Entry[]): void {
  formatEntries(actors, entries);
  beginMove(actors[0] as Actor, 3);
  moveAll(actors[0] as Actor);
}

/** From four buckets to eight, nothing is moved yet. */
const growing =
  (...entries: Entry[]) =>
  (...actors: Actor[]): void => {
    formatEntries(actors, entries);
    beginMove(actors[0] as Actor, 3);
  };

/** As `growing`, but that only the bucket of A and B is left. */
const nearlyGrown =
  (...entries: Entry[]) =>
  (...actors: Actor[]): void => {
    growing(...entries)(...actors);
    for (const key of [E, F, G]) moveBucket(actors[0] as Actor, key);
  };

/** As `shrinking`, but that only the buckets of A and B are left. */
const nearlyShrunk =
  (...entries: Entry[]) =>
  (...actors: Actor[]): void => {
    shrinking(...entries)(...actors);
    for (const octant of [0, 1, 4, 5, 6, 7]) moveBucket(actors[0] as Actor, keyIn(octant));
  };

/** From eight buckets to four. */
const shrinking =
  (...entries: Entry[]) =>
  (...actors: Actor[]): void => {
    grown(actors, entries);
    beginMove(actors[0] as Actor, 2);
  };

const ALL: readonly Entry[] = [
  [A, 1],
  [B, 2],
  [E, 5],
];

/** Three keys that are there all the while, whatever moves. */
const foundWhile = (name: string, setup: ArenaScenario["setup"], mover: (a: Actor) => void): ArenaScenario => ({
  name: `map: ${name} under a reader`,
  ...(setup && { setup }),
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

/** Writers while a bucket is moved. */
function writing(name: string, setup: ArenaScenario["setup"], writers: readonly ((a: Actor) => unknown)[], after: readonly Entry[]): Scenario {
  return inArena({ name: `map: ${name}`, ...(setup && { setup }), threads: writers, verify: (a) => verifyMap(a, mapOf(a), after) });
}

const sees = (key: number, states: readonly (number | undefined)[]) => ({
  look: (a: Actor): unknown => {
    const map = mapOf(a);
    return a.turn(() => [map.get(key), map.get(key)]);
  },
  check: (seen: unknown): void => inOrder(seen, states),
});

const replaced = sees(A, [1, 7]);

export const mapMoves: readonly Scenario[] = [
  ...onEachFlavor([foundWhile("the growth of a bucket", growing(...ALL), (a) => moveBucket(a, A))]),
  inArena(foundWhile("growth", growing(...ALL), moveAll)),
  inArena(foundWhile("shrinking", shrinking(...ALL), moveAll)),
  writing(
    "a writer against the growth of its bucket",
    growing(...ALL),
    [(a) => moveBucket(a, A), (a) => void mapOf(a).set(A, 7)],
    [
      [A, 7],
      [B, 2],
      [E, 5],
    ],
  ),
  writing(
    "a writer against the end of the growth",
    nearlyGrown([A, 1], [B, 2]),
    [moveAll, (a) => void mapOf(a).set(A, 7)],
    [
      [A, 7],
      [B, 2],
    ],
  ),
  writing(
    "a deleter against the shrinking of its bucket",
    shrinking(...ALL),
    [(a) => moveBucket(a, B), (a) => mapOf(a).delete(A)],
    [
      [B, 2],
      [E, 5],
    ],
  ),
  writing("two move one bucket to two", growing(...ALL), [(a) => moveBucket(a, A), (a) => moveBucket(a, B)], ALL),
  writing("two move two buckets to one", shrinking(...ALL), [(a) => moveBucket(a, A), (a) => moveBucket(a, B)], ALL),
  writing("two move two buckets to one, of which one is empty", shrinking([A, 1]), [(a) => moveBucket(a, A), (a) => moveBucket(a, B)], [[A, 1]]),
  writing(
    "two writers of one bucket while it grows",
    nearlyGrown([A, 1]),
    [(a) => void mapOf(a).set(B, 2), (a) => void mapOf(a).set(A, 7)],
    [
      [A, 7],
      [B, 2],
    ],
  ),
  writing(
    "two writers of two buckets while they become one",
    nearlyShrunk([A, 1], [B, 2]),
    [(a) => void mapOf(a).set(B, 8), (a) => void mapOf(a).set(A, 7)],
    [
      [A, 7],
      [B, 8],
    ],
  ),
  inArena({
    name: "map: two setIfAbsent while the bucket grows",
    setup: nearlyGrown([B, 2]),
    threads: [0, 1].map((thread) => (a: Actor) => mapOf(a).setIfAbsent(A, 10 + thread)),
    verify: (a, results) => {
      assert.deepEqual([...results].sort(), [false, true]);
      verifyMap(a, mapOf(a), [
        [A, results[0] === true ? 10 : 11],
        [B, 2],
      ]);
    },
  }),
  ...[
    {
      name: "growth",
      setup: nearlyGrown([A, 1], [B, 2]),
      after: [
        [A, 7],
        [B, 2],
      ] as const,
    },
    {
      name: "shrinking",
      setup: nearlyShrunk([A, 1], [B, 2]),
      after: [
        [A, 7],
        [B, 2],
      ] as const,
    },
    { name: "shrinking beside an empty bucket", setup: nearlyShrunk([A, 1]), after: [[A, 7]] as const },
  ].map(({ name, setup, after }) =>
    inArena({
      name: `map: a writer and a mover in ${name}, under a reader`,
      setup,
      threads: [(a) => moveBucket(a, B), (a) => void mapOf(a).set(A, 7), replaced.look],
      verify: (a, [, , seen]) => {
        replaced.check(seen);
        verifyMap(a, mapOf(a), after);
      },
    }),
  ),
  inArena({
    name: "map: a version of one state, over growth",
    // B was there, with a version above A's: its bucket becomes empty, but what comes into it is newer.
    setup: (...actors) => {
      formatEntries(actors, [
        [A, 1],
        [B, 2],
      ]);
      mapOf(actors[0] as Actor).delete(B);
      beginMove(actors[0] as Actor, 3);
    },
    threads: [(a) => moveBucket(a, A), (a) => (mapOf(a).set(B, 9), mapOf(a).getVersion(B))],
    verify: (a, [, version]) => {
      assert.ok((version as number) > 3, `version ${version}`);
      verifyMap(a, mapOf(a), [
        [A, 1],
        [B, 9],
      ]);
    },
  }),
  ...[
    { name: "growth", setup: nearlyGrown([A, 1], [B, 2], [D, 4]) },
    { name: "shrinking", setup: nearlyShrunk([A, 1], [B, 2], [D, 4]) },
  ].map(({ name, setup }) =>
    inArena({
      name: `map: iteration over ${name}`,
      setup,
      threads: [moveAll, (a) => [...mapOf(a).keys()].sort((x, y) => x - y)],
      verify: (a, [, seen]) => {
        assert.deepEqual(
          seen,
          [A, B, D].sort((x, y) => x - y),
          "each exactly once",
        );
        verifyMap(a, mapOf(a), [
          [A, 1],
          [B, 2],
          [D, 4],
        ]);
      },
    }),
  ),
  inArena({
    name: "map: snapshot while the map grows, against a writer of two buckets",
    setup: growing([A, 1], [E, 1]),
    threads: [
      (a) => void mapOf(a).set(A, 2).set(E, 2),
      (a) => {
        const seen = mapOf(a).snapshot();
        return [seen.get(A), seen.get(E)];
      },
    ],
    verify: (a, [, seen]) => {
      inOrder([String(seen)], ["1,1", "2,1", "2,2"]);
      verifyMap(a, mapOf(a), [
        [A, 2],
        [E, 2],
      ]);
    },
  }),
  inArena({
    name: "map: snapshot that holds the map, against a writer",
    setup: (...actors) => {
      growing([A, 1], [E, 1])(...actors);
      moveBucket(actors[0] as Actor, F);
    },
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
    name: "map: clear while the map grows, against a writer",
    setup: growing([A, 1], [E, 1]),
    threads: [(a) => mapOf(a).clear(), (a) => void mapOf(a).set(A, 2)],
    verify: (a) => {
      const { size } = mapOf(a);
      assert.ok(size < 2);
      verifyMap(a, mapOf(a), size === 0 ? [] : [[A, 2]]);
    },
  }),
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
      (a) => {
        const map = mapOf(a);
        const before = map.get(A);
        a.domain.offline(() => a.await(DONE));
        return [before, map.get(A)];
      },
    ],
    verify: (a, [, seen]) => {
      inOrder([(seen as unknown[])[0]], [1, undefined, 2]);
      assert.equal((seen as unknown[])[1], 2);
      verifyMap(a, mapOf(a), [[A, 2]]);
    },
  }),
  inArena({
    name: "map: a reader comes back when another table is where its own was",
    setup: (...actors) => formatEntries(actors, [[A, 1]]),
    threads: [
      (a) => {
        const map = mapOf(a);
        const first = a.memory.load(MAP);
        map.clear();
        map.set(A, 2);
        a.domain.flushSync(1);
        const isFree = obtain(a, first, 32);
        beginMove(a, 3);
        moveAll(a);
        a.signal(DONE);
        return [isFree, a.memory.load(MAP) === first];
      },
      (a) => {
        const map = mapOf(a);
        const before = map.get(A);
        a.domain.offline(() => a.await(DONE));
        return [before, map.get(A)];
      },
    ],
    verify: (a, [same, seen]) => {
      const [isFree, isThere] = same as boolean[];
      assert.equal(isThere, isFree, "the new table is where the first was");
      assert.equal((seen as unknown[])[1], 2);
      verifyMap(a, mapOf(a), [[A, 2]]);
    },
  }),
];
