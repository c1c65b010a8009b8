/** shared.map in one table: readers against writers, writers against each other, clear, snapshot, eviction, and what a thread keeps decoded. */

import assert from "node:assert/strict";
import type { SharedMap } from "../../src/structures/map/map.js";
import { json } from "../../src/values/json.js";
import { u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import type { Scenario } from "../scenario.js";
import { A, B, C, E, F, formatEntries, inOrder, mapOf, reuse, verifyMap, warm } from "./shared-map.js";
import { type Actor, type ArenaScenario, inArena, onEachFlavor, onFlavors, user } from "./support.js";

const DONE = user(1);

type Numbers = SharedMap<number, number>;
type Entry = readonly [key: number, value: number];

const formatWith =
  (...entries: Entry[]) =>
  (...actors: Actor[]): void =>
    formatEntries(actors, entries);

/** A map whose values stand in blocks of their own. */
const textsOf = (a: Actor): SharedMap<number, string> => mapOf(a, utf8);
const objectsOf = (a: Actor): SharedMap<number, unknown> => mapOf(a, json);
const boundedOf = (a: Actor): Numbers => mapOf(a, u32, { maxEntries: 1 });

function formatTexts(...actors: Actor[]): void {
  textsOf(actors[0] as Actor)
    .set(A, "old")
    .set(B, "kept");
  warm(actors);
}

interface Update {
  readonly name: string;
  readonly before: readonly Entry[];
  readonly update: (map: Numbers) => void;
  /** What the reader may see at A, in turn. */
  readonly states: readonly (number | undefined)[];
  readonly after: readonly Entry[];
}

/** B is there all the while. */
const underReader = ({ name, before, update, states, after }: Update): ArenaScenario => ({
  name: `map: ${name} under a reader`,
  setup: formatWith(...before),
  threads: [
    (a) => {
      update(mapOf(a));
      reuse(a);
    },
    (a) => {
      const map = mapOf(a);
      return a.turn(() => [map.get(A), map.get(B), map.get(A)]);
    },
  ],
  verify: (a, [, seen]) => {
    const [first, kept, second] = seen as (number | undefined)[];
    assert.equal(kept, 2, "what is there all the while is found");
    inOrder([first, second], states);
    verifyMap(a, mapOf(a), after);
  },
});

const UPDATES: readonly Update[] = [
  {
    name: "a new key",
    before: [[B, 2]],
    update: (map) => map.set(A, 1),
    states: [undefined, 1],
    after: [
      [A, 1],
      [B, 2],
    ],
  },
  {
    name: "a replaced value",
    before: [
      [A, 1],
      [B, 2],
    ],
    update: (map) => map.set(A, 3),
    states: [1, 3],
    after: [
      [A, 3],
      [B, 2],
    ],
  },
  {
    name: "a deleted key",
    before: [
      [A, 1],
      [B, 2],
    ],
    update: (map) => map.delete(A),
    states: [1, undefined],
    after: [[B, 2]],
  },
];

const oneOf = (name: string, attempt: (map: Numbers, thread: number) => boolean, before: readonly Entry[]): Scenario =>
  inArena({
    name: `map: two ${name}, one does it`,
    setup: formatWith(...before),
    threads: [0, 1].map((thread) => (a: Actor) => attempt(mapOf(a), thread)),
    verify: (a, results) => {
      assert.deepEqual([...results].sort(), [false, true]);
      verifyMap(a, mapOf(a), name.includes("Delete") || name.includes("deletes") ? [] : [[A, results[0] === true ? 10 : 11]]);
    },
  });

export const map: readonly Scenario[] = [
  ...UPDATES.map(underReader).map(inArena),
  ...onFlavors(["phase", "tree"], [underReader(UPDATES[1] as Update)]),
  inArena({
    name: "map: a key deleted and set again has another version",
    setup: formatWith([A, 1], [B, 2]),
    threads: [
      (a) => {
        const map = mapOf(a);
        map.delete(A);
        map.set(A, 1);
      },
      (a) => {
        const map = mapOf(a);
        const version = map.getVersion(A);
        return [version, map.compareAndSet(A, version, 9), map.getVersion(A)];
      },
    ],
    verify: (a, [, seen]) => {
      const [version, done, next] = seen as [number, boolean, number];
      const map = mapOf(a);
      // Version 0 is of none: that one was set by the reader, and then by the writer.
      if (version === 0 && done) assert.notEqual(map.getVersion(A), 0);
      const value = map.get(A) as number;
      assert.ok(done ? value === 1 || value === 9 : value === 1, `value ${value}`);
      assert.ok(!done || next !== version);
      if (!done) assert.notEqual(map.getVersion(A), version);
      verifyMap(a, map, [
        [A, value],
        [B, 2],
      ]);
    },
  }),
  inArena({
    name: "map: two writers of one bucket",
    setup: formatWith([A, 1]),
    threads: [(a) => void mapOf(a).set(B, 2), (a) => void mapOf(a).set(C, 3)],
    verify: (a) =>
      verifyMap(a, mapOf(a), [
        [A, 1],
        [B, 2],
        [C, 3],
      ]),
  }),
  inArena({
    name: "map: a writer and a deleter of one bucket under a reader",
    setup: formatWith([A, 1], [B, 2]),
    threads: [
      (a) => void mapOf(a).set(C, 3),
      (a) => mapOf(a).delete(A),
      (a) => {
        const map = mapOf(a);
        return a.turn(() => [map.get(A), map.get(B), map.get(C)]);
      },
    ],
    verify: (a, [, deleted, seen]) => {
      const [first, kept, last] = seen as (number | undefined)[];
      assert.ok(deleted);
      assert.equal(kept, 2);
      inOrder([first], [1, undefined]);
      inOrder([last], [undefined, 3]);
      verifyMap(a, mapOf(a), [
        [B, 2],
        [C, 3],
      ]);
    },
  }),
  oneOf("setIfAbsent", (map, thread) => map.setIfAbsent(A, 10 + thread), []),
  oneOf("compareAndSet", (map, thread) => map.compareAndSet(A, 1, 10 + thread), [[A, 1]]),
  oneOf("compareAndDelete", (map) => map.compareAndDelete(A, 1), [[A, 1]]),
  oneOf("deletes", (map) => map.delete(A), [[A, 1]]),
  inArena({
    name: "map: two increments, none is lost",
    setup: formatWith([A, 1]),
    threads: [0, 1].map(() => (a: Actor) => mapOf(a).update(A, (n = 0) => n + 1)),
    verify: (a, results) => {
      assert.deepEqual([...results].sort(), [2, 3]);
      verifyMap(a, mapOf(a), [[A, 3]]);
    },
  }),
  ...onEachFlavor([
    {
      name: "map: a value's block replaced under a reader",
      setup: formatTexts,
      threads: [
        (a: Actor) => {
          textsOf(a).set(A, "new");
          reuse(a);
        },
        (a: Actor) => {
          const map = textsOf(a);
          return a.turn(() => [map.getCopy(A), map.getCopy(B), map.getCopy(A)]);
        },
      ],
      verify: (a: Actor, [, seen]: readonly unknown[]) => {
        const [first, kept, second] = seen as string[];
        assert.equal(kept, "kept");
        inOrder([first, second], ["old", "new"]);
        verifyMap(a, textsOf(a), [
          [A, "new"],
          [B, "kept"],
        ]);
      },
    },
  ]),
  inArena({
    name: "map: two replace one value's block",
    setup: formatTexts,
    threads: [(a) => void textsOf(a).set(A, "one"), (a) => void textsOf(a).set(A, "two")],
    verify: (a) => {
      const value = textsOf(a).get(A) as string;
      assert.ok(value === "one" || value === "two");
      verifyMap(a, textsOf(a), [
        [A, value],
        [B, "kept"],
      ]);
    },
  }),
  inArena({
    name: "map: what is decoded is that of the entry as it is",
    setup: (...actors) => {
      objectsOf(actors[0] as Actor).set(A, 1);
      warm(actors);
    },
    threads: [
      (a) => {
        const map = objectsOf(a);
        map.set(A, 2);
        map.delete(A);
        map.set(A, 3);
        a.signal(DONE);
      },
      (a) => {
        const map = objectsOf(a);
        const seen = a.turn(() => [map.get(A), map.get(A)]);
        a.domain.offline(() => a.await(DONE));
        return [...seen, map.get(A)];
      },
    ],
    verify: (a, [, seen]) => {
      inOrder(seen, [1, 2, undefined, 3]);
      assert.equal((seen as unknown[])[2], 3);
      verifyMap(a, objectsOf(a), [[A, 3]]);
    },
  }),
  ...[
    {
      name: "map: clear under a reader of one turn",
      setup: formatWith([A, 1], [B, 2]),
      threads: [
        (a: Actor) => {
          const map = mapOf(a);
          map.clear();
          reuse(a);
        },
        (a: Actor) => {
          const map = mapOf(a);
          return a.turn(() => [map.get(A), map.get(B), map.get(A)]);
        },
      ],
      verify: (a: Actor, [, seen]: readonly unknown[]) => {
        const values = seen as (number | undefined)[];
        inOrder(
          values.map((value) => value !== undefined),
          [true, false],
        );
        inOrder(values, [1, 2, 1, undefined]);
        verifyMap(a, mapOf(a), []);
      },
    },
  ].map(inArena),
  inArena({
    name: "map: clear, over, and a look in the same turn",
    setup: formatWith([A, 1]),
    threads: [
      (a) => {
        mapOf(a).clear();
        a.signal(DONE);
      },
      (a) => {
        const map = mapOf(a);
        const before = map.get(A);
        a.await(DONE);
        return [before, map.get(A)];
      },
    ],
    verify: (a, [, seen]) => {
      const [before, after] = seen as (number | undefined)[];
      inOrder([before], [1, undefined]);
      assert.equal(after, undefined);
      verifyMap(a, mapOf(a), []);
    },
  }),
  inArena({
    name: "map: clear against set",
    setup: formatWith([A, 1], [E, 5]),
    threads: [(a) => void mapOf(a).clear(), (a) => void mapOf(a).set(B, 2)],
    verify: (a) => {
      const { size } = mapOf(a);
      assert.ok(size < 2);
      verifyMap(a, mapOf(a), size === 0 ? [] : [[B, 2]]);
    },
  }),
  inArena({
    name: "map: clear, and versions go on",
    setup: formatWith([A, 1], [A, 2], [A, 3]),
    threads: [
      (a) => {
        const map = mapOf(a);
        map.clear();
        map.set(A, 7).set(A, 8).set(A, 9);
      },
      (a) => {
        const map = mapOf(a);
        return a.turn(() => [map.getVersion(A), map.get(A), map.getVersion(A)]);
      },
    ],
    verify: (a, [, seen]) => {
      const [before, value, after] = seen as [number, number | undefined, number];
      if (before !== 0 && before === after) assert.equal(value, before > 3 ? before + 3 : 3, "a version is that of one state");
      verifyMap(a, mapOf(a), [[A, 9]]);
    },
  }),
  inArena({
    name: "map: snapshot against a writer of two buckets",
    setup: formatWith([A, 1], [E, 1]),
    threads: [
      // E's bucket comes before A's: whoever looks once may see A's update, and not E's.
      (a) => void mapOf(a).set(E, 2).set(A, 2),
      (a) => {
        const seen = mapOf(a).snapshot();
        return [seen.get(A), seen.get(E)];
      },
    ],
    verify: (a, [, seen]) => {
      inOrder([String(seen)], ["1,1", "1,2", "2,2"]);
      verifyMap(a, mapOf(a), [
        [A, 2],
        [E, 2],
      ]);
    },
  }),
  inArena({
    name: "map: snapshot against writers who replace and take",
    setup: formatWith([A, 1], [E, 1]),
    threads: [
      (a) => mapOf(a).delete(E),
      (a) => void mapOf(a).set(F, 4),
      (a) => {
        const seen = mapOf(a).snapshot();
        return [seen.get(A), seen.size];
      },
    ],
    verify: (a, [, , seen]) => {
      inOrder([String(seen)], ["1,2", "1,3", "1,1", "1,2"]);
      verifyMap(a, mapOf(a), [
        [A, 1],
        [F, 4],
      ]);
    },
  }),
  inArena({
    name: "map: eviction against get",
    slots: 3, // who verifies sets entries too, and is counted
    setup: (...actors) => {
      boundedOf(actors[0] as Actor).set(A, 1);
      warm(actors);
    },
    threads: [
      (a) => {
        boundedOf(a).set(E, 2);
        reuse(a);
      },
      (a) => {
        const map = boundedOf(a);
        return a.turn(() => [map.get(A), map.get(A)]);
      },
    ],
    verify: (a, [, seen]) => {
      inOrder(seen, [1, undefined]);
      const map = boundedOf(a);
      assert.equal(map.size, 1, "it is full, and not more");
      // One that was read once stays for once round, and no longer.
      for (const [key] of map) map.get(key);
      for (let rounds = 0; rounds < 4 && !map.has(F); rounds++) map.set(F, 3);
      assert.deepEqual([...map], [[F, 3]]);
      verifyMap(a, map, [...map]);
    },
  }),
];
