/**
 * Sections against grace periods.
 *
 * The kernel's tests are cycles of accesses that a weak processor may turn round. ECMAScript's atomics are sequentially consistent, so
 * a cycle along program order is forbidden without any RCU (those tests say so); what is left to RCU is that a section is not cut in
 * two by a grace period: the cycle runs through a section against program order, from its last store to its first.
 *
 *   reader   [ x = 1 ......... y = 1 ]
 *   updater          r1 = x, grace period, r2 = y       never r1 = 1 and r2 = 0
 */

import type { Address } from "../../src/memory/address.js";
import { FLAVORS } from "../../src/rcu/flavors/flavor.js";
import type { Actor } from "../scenarios/support.js";
import { bringOn } from "../scenarios/tree.js";
import { type Litmus, type LitmusSpec, litmus, type Verdict, X, Y, Z } from "./litmus.js";

type Run = (a: Actor) => unknown;

export const set = (a: Actor, word: Address): void => a.memory.store(word, 1);
export const get = (a: Actor, word: Address): number => a.memory.load(word);

/** A section of a turn of its own. */
const sectionOf =
  (body: Run): Run =>
  (a) =>
    a.turn(() => a.domain.read(() => body(a)));

/** Load, wait for a grace period, load. */
export const loadsAround: Run = (a) => {
  const first = get(a, X);
  a.domain.synchronizeSync();
  return [first, get(a, Y)];
};

/** The section was cut in two: its first store was there before the grace period, its last one not after it. */
export const cut = (results: readonly unknown[]): boolean => {
  const [first, second] = results[1] as number[];
  return first === 1 && second === 0;
};

export const CUT = "x before the grace period, and no y after it";

interface Cut extends Pick<LitmusSpec, "name" | "verdict" | "why" | "on"> {
  readonly reader: Run;
  readonly updater?: Run;
}

const cuts: readonly Cut[] = [
  {
    name: "RCU+sync+read",
    verdict: "Never",
    reader: sectionOf((a) => {
      set(a, X);
      set(a, Y);
    }),
  },
  {
    name: "RCU+sync+read, first store before the section",
    verdict: "Allowed",
    reader: (a) =>
      a.turn(() => {
        set(a, X);
        a.domain.read(() => set(a, Y));
      }),
  },
  {
    name: "RCU+sync+read, second store after the section, next turn",
    verdict: "Allowed",
    reader: (a) => {
      sectionOf(() => set(a, X))(a);
      set(a, Y);
    },
  },
  {
    name: "RCU+sync+read, second store after quiescent()",
    verdict: "Allowed",
    reader: (a) =>
      a.turn(() => {
        a.domain.read(() => set(a, X));
        a.domain.quiescent();
        set(a, Y);
      }),
  },
  {
    name: "RCU+sync+read, second store after the section, same turn",
    verdict: "Never",
    why: "more than RCU promises: this flavor waits for the turn, or for 32 sections",
    on: { phase: { verdict: "Allowed", why: "this flavor waits for sections, and not for turns" } },
    reader: (a) =>
      a.turn(() => {
        a.domain.read(() => set(a, X));
        set(a, Y);
      }),
  },
  {
    name: "RCU+sync+read, first load after the grace period",
    verdict: "Allowed",
    reader: sectionOf((a) => {
      set(a, X);
      set(a, Y);
    }),
    updater: (a) => {
      a.domain.synchronizeSync();
      return [get(a, X), get(a, Y)];
    },
  },
  {
    name: "RCU+sync+read, second load before the grace period",
    verdict: "Allowed",
    reader: sectionOf((a) => {
      set(a, X);
      set(a, Y);
    }),
    updater: (a) => {
      const loads = [get(a, X), get(a, Y)];
      a.domain.synchronizeSync();
      return loads;
    },
  },
];

const SC = "sequential consistency forbids it, with or without RCU";
const MORE = `${SC}; the kernel allows it`;

/** Store buffering: each stores, then loads what the other stores. `inside`: which of the four accesses are where they belong. */
function storeBuffering(name: string, inside: { store: boolean; load: boolean; publish: boolean; look: boolean }): Litmus[] {
  const whole = inside.store && inside.load && inside.publish && inside.look;
  return litmus({
    name,
    verdict: "Never",
    outcome: "neither sees the other's store",
    why: whole ? SC : MORE,
    threads: [
      (a) => {
        if (!inside.store) set(a, X);
        const seen = sectionOf(() => {
          if (inside.store) set(a, X);
          return inside.load ? get(a, Y) : undefined;
        })(a);
        return seen ?? get(a, Y);
      },
      (a) => {
        if (inside.publish) set(a, Y);
        const early = inside.look ? undefined : get(a, X);
        a.domain.synchronizeSync();
        if (!inside.publish) set(a, Y);
        return early ?? get(a, X);
      },
    ],
    happened: ([reader, updater]) => reader === 0 && updater === 0,
  });
}

const ALL = { store: true, load: true, publish: true, look: true };

/** One look for the end of a grace period; sleeping for it, which the other tests do, would multiply the executions of three threads. */
export function isOverAtOnce(a: Actor): boolean {
  const { periods } = a.domain;
  return periods.isOver(periods.start());
}

/** Ask for a grace period, and look what other threads have made of it. */
export function isOverByOther({ domain }: Actor): boolean {
  const cookie = domain.startPoll();
  return domain.getCompleted() === cookie;
}

const setsBoth = sectionOf((a) => {
  set(a, Z);
  set(a, Y);
});
const setsAndLooks = sectionOf((a) => {
  set(a, X);
  return get(a, Z);
});

/** The first reader hands on to the second, and the grace period lies between the second's x and the first's y. */
const twoReaders = (name: string, verdict: Verdict, periods: number): Litmus[] =>
  litmus({
    name,
    verdict,
    outcome: "x before, no y after, and the reader of x saw the z of that of y",
    threads: [
      setsBoth,
      (a) => {
        const first = get(a, X);
        for (let i = 0; i < periods; i++) if (!isOverAtOnce(a)) return [];
        return [first, get(a, Y)];
      },
      setsAndLooks,
    ],
    // On the tree a grace period is so many accesses that only one thread may work on it, the second reader; the updater asks for it, and looks what has become of it.
    flavors: periods === 1 ? FLAVORS : ["event-loop", "phase"], // two of the tree's are more than can be explored
    on: {
      tree: {
        threads: [
          setsBoth,
          (a) => {
            const first = get(a, X);
            for (let i = 0; i < periods; i++) {
              if (!isOverByOther(a)) return [];
            }
            return [first, get(a, Y)];
          },
          (a) =>
            a.turn(() => {
              const seen = a.domain.read(() => {
                set(a, X);
                return get(a, Z);
              });
              for (let i = 0; i < periods; i++) bringOn(a);
              return seen;
            }),
        ],
      },
    },
    happened: (results) => cut(results) && results[2] === 1,
  });

export const gracePeriod: readonly Litmus[] = [
  ...cuts.flatMap(({ reader, updater = loadsAround, ...rest }) => litmus({ ...rest, outcome: CUT, threads: [reader, updater], happened: cut })),
  storeBuffering("SB with synchronize", ALL),
  storeBuffering("SB, the reader's store before its section", { ...ALL, store: false }),
  storeBuffering("SB, the reader's load after its section", { ...ALL, load: false }),
  storeBuffering("SB, the updater's store after the grace period", { ...ALL, publish: false }),
  storeBuffering("SB, the updater's load before the grace period", { ...ALL, look: false }),
  twoReaders("two grace periods, two readers", "Never", 2),
  twoReaders("one grace period, two readers", "Allowed", 1),
  litmus({
    name: "LB of two sections",
    verdict: "Never",
    outcome: "each loads what the other stores after its load",
    why: MORE,
    threads: [
      [X, Y],
      [Y, X],
    ].map(([load, store]) =>
      sectionOf((a) => {
        const seen = get(a, load as Address);
        set(a, store as Address);
        return seen;
      }),
    ),
    happened: (results) => results.every((seen) => seen === 1),
  }),
  litmus({
    name: "two sections and no grace period",
    verdict: "Allowed",
    outcome: "each sees the other half done",
    why: "readers alone order nothing",
    threads: [
      [X, Y],
      [Y, X],
    ].map(([store, load]) =>
      sectionOf((a) => {
        set(a, store as Address);
        return get(a, load as Address);
      }),
    ),
    happened: (results) => results.every((seen) => seen === 1),
  }),
].flat();
