/** shared.map, whose writers, movers and clearers are killed between any two accesses: what they did took place or did not, and nothing is lost. */

import assert from "node:assert/strict";
import { field } from "../../src/memory/address.js";
import { SlotWord, slotAddress } from "../../src/memory/slot.js";
import { countOf } from "../../src/structures/map/words.js";
import type { Scenario } from "../scenario.js";
import { kill, mortal, reap } from "./death.js";
import { A, B, beginMove, E, formatEntries, MAP, mapOf, moveAll, moveBucket, nearlyMoved, P, Q, resized, verifyMap } from "./shared-map.js";
import { type Actor, type ArenaScenario, inArena, LAYOUT } from "./support.js";

type Entry = readonly [key: number, value: number];

const formatWith =
  (...entries: Entry[]) =>
  (...actors: Actor[]): void =>
    formatEntries(actors, entries);

const BOTH: readonly Entry[] = [
  [P, 1],
  [Q, 2],
];

/** The bucket of P and Q is left, which becomes two. */
const splitting = (...actors: Actor[]): void => {
  formatEntries(actors, BOTH);
  resized(actors[0] as Actor, 5);
  nearlyMoved(actors[0] as Actor, 6, [P]);
};

/** Nothing is left. */
const nearlyGrown = (...actors: Actor[]): void => {
  formatEntries(actors, [[A, 1]]);
  nearlyMoved(actors[0] as Actor, 3, []);
};

/** Beside another who writes, victims die only where the other's work meets theirs, from the note to the count; all other deaths are found by one who comes after them. */
const PUBLISHING = { from: field(slotAddress(LAYOUT, 0), SlotWord.NOTE), to: countOf(MAP, 0) };

interface Death {
  readonly name: string;
  readonly setup: ArenaScenario["setup"];
  readonly life: (victim: Actor) => void;
  /** What another does after it has reaped the victim. */
  readonly afterwards?: (a: Actor) => void;
  /** When the victim is dead, and before it is reaped. */
  readonly before?: (a: Actor) => void;
  /** Somebody has to count anew what the dead had: who looks in the end, in a slot of its own. */
  readonly isMended?: boolean;
  /** While the victim is at work. */
  readonly meanwhile?: (a: Actor) => void;
  /** What may be there in the end. */
  readonly outcomes: readonly (readonly Entry[])[];
}

const DEATHS: readonly Death[] = [
  {
    name: "set of a new key",
    setup: formatWith([A, 1]),
    life: (a) => mapOf(a).set(B, 2),
    outcomes: [
      [[A, 1]],
      [
        [A, 1],
        [B, 2],
      ],
    ],
  },
  { name: "set of an old key", setup: formatWith([A, 1]), life: (a) => mapOf(a).set(A, 2), outcomes: [[[A, 1]], [[A, 2]]] },
  {
    name: "delete",
    setup: formatWith([A, 1], [B, 2]),
    life: (a) => mapOf(a).delete(A),
    outcomes: [
      [
        [A, 1],
        [B, 2],
      ],
      [[B, 2]],
    ],
  },
  {
    name: "set, and another writes then",
    setup: formatWith([A, 1]),
    life: (a) => mapOf(a).set(B, 2),
    afterwards: (a) => void mapOf(a).set(A, 3),
    outcomes: [
      [[A, 3]],
      [
        [A, 3],
        [B, 2],
      ],
    ],
  },
  {
    name: "set, and another unlinks its block before it is reaped",
    setup: formatWith([A, 1]),
    life: (a) => mapOf(a).set(B, 2),
    before: (a) => void mapOf(a).set(A, 3),
    outcomes: [
      [[A, 3]],
      [
        [A, 3],
        [B, 2],
      ],
    ],
  },
  {
    name: "set, while another unlinks its block",
    setup: formatWith([A, 1]),
    life: (a) => mapOf(a).set(B, 2),
    meanwhile: (a) => void mapOf(a).set(A, 3),
    outcomes: [
      [[A, 3]],
      [
        [A, 3],
        [B, 2],
      ],
    ],
  },
  { name: "moving a bucket", setup: splitting, life: (a) => moveBucket(a, P), outcomes: [BOTH] },
  { name: "ending a growth", setup: nearlyGrown, life: moveAll, afterwards: (a) => void mapOf(a).set(A, 3), outcomes: [[[A, 3]]] },
  {
    name: "beginning a growth",
    setup: formatWith([A, 1]),
    life: (a) => beginMove(a, 3),
    outcomes: [[[A, 1]]],
  },
  {
    name: "clear",
    setup: formatWith([A, 1], [E, 5]),
    life: (a) => mapOf(a).clear(),
    isMended: true,
    outcomes: [
      [
        [A, 1],
        [E, 5],
      ],
      [],
    ],
  },
];

const isOneOf = (entries: readonly Entry[], outcomes: readonly (readonly Entry[])[]): boolean => {
  const text = (some: readonly Entry[]): string => JSON.stringify([...some].sort(([x], [y]) => x - y));
  return outcomes.some((outcome) => text(outcome) === text(entries));
};

export const mapDeaths: readonly Scenario[] = [
  ...DEATHS.map(({ name, setup, life, before, afterwards, meanwhile, isMended, outcomes }) =>
    inArena({
      name: `map: killed in ${name}`,
      ...(setup && { setup }),
      ...(isMended === true && { slots: 3 }),
      threads: [
        (a) => mortal(a, life, meanwhile && PUBLISHING),
        (a) => {
          meanwhile?.(a);
          kill(a, 0);
          before?.(a);
          reap(a, 0);
          afterwards?.(a);
        },
      ],
      verify: (a) => {
        const map = mapOf(a);
        assert.deepEqual(map.check(), []);
        assert.ok(isOneOf([...map], outcomes), JSON.stringify([...map]));
        verifyMap(a, map, [...map]);
      },
    }),
  ),
];
