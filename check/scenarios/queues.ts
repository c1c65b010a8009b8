/** Queue and stack: nothing comes twice, nothing is lost, in order, whoever is killed. */

import assert from "node:assert/strict";
import { type Address, NULL } from "../../src/memory/address.js";
import { LfStack } from "../../src/structures/queues/lfstack.js";
import { WfcQueue } from "../../src/structures/queues/wfcqueue.js";
import type { Scenario } from "../scenario.js";
import { afterDeath, mortal } from "./death.js";
import { type Actor, inArena, onEachFlavor, user, whole } from "./support.js";

const NODES = 5;
/** Addresses of what the setup made; immutable. */
const FIRST_NODE = 20;
export const QUEUES: readonly [Address, Address] = [user(12), user(13)];
export const STACK: Address = user(14);

const node = (a: Actor, i: number): Address => a.memory.read(user(FIRST_NODE + i)) as Address;
const queue = (a: Actor, i: 0 | 1 = 0): WfcQueue => new WfcQueue(a.domain, a.memory.read(QUEUES[i]) as Address);
const stack = (a: Actor): LfStack => new LfStack(a.domain, a.memory.read(STACK) as Address);

/** The number of a node, undefined for none: what threads give back. */
function numberOf(a: Actor, address: Address): number | undefined {
  if (address === NULL) return undefined;
  const numbers = Array.from({ length: NODES }, (_, i) => i);
  const found = numbers.find((i) => node(a, i) === address);
  assert.notEqual(found, undefined, `${address} is no node`);
  return found;
}

/** A second queue, nodes, and some of them in the queues. */
const format =
  (...contents: readonly (readonly number[])[]) =>
  (maker: Actor | undefined): void => {
    const a = maker as Actor;
    for (const word of QUEUES) a.memory.write(word, WfcQueue.create(a.domain).address);
    for (let i = 0; i < NODES; i++) a.memory.write(user(FIRST_NODE + i), a.heap.kmalloc(8));
    for (const [i, numbers] of contents.entries()) for (const number of numbers) queue(a, i as 0 | 1).enqueue(node(a, number));
  };

const formatStack =
  (...numbers: readonly number[]) =>
  (maker: Actor | undefined): void => {
    const a = maker as Actor;
    a.memory.write(STACK, LfStack.create(a.domain).address);
    for (let i = 0; i < NODES; i++) a.memory.write(user(FIRST_NODE + i), a.heap.kmalloc(8));
    for (const number of numbers) stack(a).push(node(a, number));
  };

const enqueue = (a: Actor, i: number, to: 0 | 1 = 0): boolean => queue(a, to).enqueue(node(a, i));
const dequeue = (a: Actor, from: 0 | 1 = 0): number | undefined => numberOf(a, queue(a, from).dequeue());

/** A thread that may die in the splice of the first queue to the second. */
const splicing = (a: Actor): void => mortal(a, (victim) => void queue(victim, 1).splice(queue(victim, 0)));

/** What a queue holds, in order, until it is seen empty. */
function take(a: Actor, from: 0 | 1 = 0): number[] {
  const got: number[] = [];
  for (let next = dequeue(a, from); next !== undefined; next = dequeue(a, from)) got.push(next);
  return got;
}

/** As `take`, and it is whole; nobody else is about. */
function drain(a: Actor, from: 0 | 1 = 0): number[] {
  const view = queue(a, from);
  assert.deepEqual(view.check(), []);
  const got = take(a, from);
  assert.ok(view.empty());
  assert.deepEqual(view.check(), []);
  return got;
}

const flat = (...results: readonly unknown[]): number[] => results.flat().filter((one): one is number => typeof one === "number");

/** Each of them once. */
function once(got: readonly number[], ...numbers: readonly number[]): void {
  assert.deepEqual([...got].sort(), numbers, "each node once");
}

/** In this order among themselves. */
function inOrder(got: readonly number[], ...numbers: readonly number[]): void {
  assert.deepEqual(
    got.filter((one) => numbers.includes(one)),
    numbers.filter((one) => got.includes(one)),
    "in the order in which they were enqueued",
  );
}

const pop = (a: Actor): number | undefined =>
  numberOf(
    a,
    a.domain.read(() => stack(a).popInSection()),
  );

/** All that a stack holds, newest first. */
function popAll(a: Actor): number[] {
  const view = stack(a);
  const got: number[] = [];
  view.forEach(view.popAll(), (address) => void got.push(numberOf(a, address) as number));
  return got;
}

export const queues: readonly Scenario[] = [
  ...[
    inArena({
      name: "wfcqueue: two enqueuers and a dequeuer",
      setup: format([]),
      threads: [(a) => [enqueue(a, 0), enqueue(a, 1)], (a) => enqueue(a, 2), (a) => [dequeue(a), dequeue(a)]],
      verify: (a, [mine, theirs, taken]) => {
        const rest = drain(a);
        const got = [...flat(taken), ...rest];
        once(got, 0, 1, 2);
        inOrder(got, 0, 1);
        const nonEmpty = [...(mine as boolean[]), theirs as boolean];
        assert.ok(nonEmpty.includes(false), "somebody was the first");
        if (flat(taken).length === 0) assert.equal(nonEmpty.filter((was) => !was).length, 1, "nobody took any: only one was the first");
      },
    }),
    inArena({
      name: "wfcqueue: the last node leaves while others come",
      setup: format([0]),
      threads: [
        (a) => enqueue(a, 1),
        (a) => {
          const { node: taken, last } = queue(a).dequeueWithState();
          return { taken: numberOf(a, taken), last };
        },
        (a) => enqueue(a, 2),
      ],
      verify: (a, [one, dequeued, two]) => {
        const { taken, last } = dequeued as { taken: number; last: boolean };
        assert.equal(taken, 0);
        assert.equal([one, two].filter((nonEmpty) => nonEmpty === false).length, last ? 1 : 0, "it left the queue empty, or none came to an empty one");
        once(drain(a), 1, 2);
      },
    }),
    inArena({
      name: "wfcqueue: two consumers",
      setup: format([0, 1]),
      threads: [(a) => dequeue(a), (a) => dequeue(a), (a) => enqueue(a, 2)],
      verify: (a, [one, two]) => {
        once(flat(one, two), 0, 1);
        assert.deepEqual(drain(a), [2]);
      },
    }),
    inArena({
      name: "wfcqueue: a node is used again at once",
      setup: format([0, 1]),
      threads: [
        (a) => {
          const first = queue(a).dequeue();
          queue(a).enqueue(first);
        },
        (a) => enqueue(a, 2),
      ],
      verify: (a) => {
        const got = drain(a);
        once(got, 0, 1, 2);
        assert.equal(got[0], 1);
      },
    }),
    inArena({
      name: "wfcqueue: forEach against enqueue",
      setup: format([0]),
      threads: [
        (a) => {
          const seen: (number | undefined)[] = [];
          queue(a).forEach((address) => void seen.push(numberOf(a, address)));
          return seen;
        },
        (a) => [enqueue(a, 1), enqueue(a, 2)],
      ],
      verify: (a, [seen]) => {
        assert.deepEqual(seen, [0, 1, 2].slice(0, (seen as number[]).length));
        assert.deepEqual(drain(a), [0, 1, 2]);
      },
    }),
    inArena({
      name: "wfcqueue: splice against enqueue",
      setup: format([0]),
      threads: [(a) => queue(a, 1).splice(queue(a, 0)), (a) => [enqueue(a, 1), enqueue(a, 2)], (a) => enqueue(a, 3, 1)],
      verify: (a, [result, , nonEmpty]) => {
        const [moved, stayed] = [drain(a, 1), drain(a, 0)];
        once([...moved, ...stayed], 0, 1, 2, 3);
        assert.ok(moved.includes(0));
        inOrder(moved, 0, 1, 2);
        inOrder(stayed, 1, 2);
        assert.equal(result === "dest-empty", nonEmpty, "who came first found it empty");
      },
    }),
    inArena({
      name: "wfcqueue: two splices crosswise",
      setup: format([0], [1]),
      threads: [(a) => queue(a, 1).splice(queue(a, 0)), (a) => queue(a, 0).splice(queue(a, 1))],
      verify: (a) => {
        const [left, right] = [drain(a, 0), drain(a, 1)];
        once([...left, ...right], 0, 1);
        assert.ok(left.length === 0 || right.length === 0, "whoever came last took all");
      },
    }),
    inArena({
      name: "wfcqueue: killed in enqueue",
      setup: format([]),
      threads: [(a) => mortal(a, (victim) => void enqueue(victim, 0)), afterDeath(take), (a) => enqueue(a, 1)],
      verify: (a, [, taken]) => {
        const got = [...flat(taken), ...drain(a)];
        once(got, ...(got.includes(0) ? [0, 1] : [1]));
        whole(a);
      },
    }),
    ...([[0], [0, 1]] as const).map((contents) =>
      inArena({
        name: `wfcqueue: killed in dequeue, of ${contents.length}`,
        setup: format(contents),
        threads: [(a) => mortal(a, (victim) => void dequeue(victim)), afterDeath(dequeue), (a) => enqueue(a, 2)],
        verify: (a, [, taken]) => {
          const got = [...flat(taken), ...drain(a)];
          const last = contents.length - 1;
          // What the dead one had taken is its own.
          once(got, ...(got.includes(0) ? [0, ...contents.slice(1), 2] : [...contents.slice(1), 2]));
          inOrder(got, 0, 1, 2);
          assert.ok(last === 0 || got.includes(1));
          whole(a);
        },
      }),
    ),
    inArena({
      name: "wfcqueue: killed in a splice, and who comes next takes from the source",
      setup: format([0, 1], [3]),
      threads: [splicing, afterDeath((a) => drain(a, 0))],
      verify: (a, [, stayed]) => splicedOrNot(a, stayed as number[], drain(a, 1)),
    }),
    inArena({
      name: "wfcqueue: killed in a splice, and who comes next takes from the destination",
      setup: format([0, 1], [3]),
      threads: [splicing, afterDeath((a) => drain(a, 1))],
      verify: (a, [, moved]) => splicedOrNot(a, drain(a, 0), moved as number[]),
    }),
    inArena({
      name: "wfcqueue: killed in a splice, while others enqueue to both",
      setup: format([0]),
      threads: [splicing, afterDeath((a) => take(a, 1)), (a) => [enqueue(a, 1, 0), enqueue(a, 2, 1)]],
      verify: (a, [, moved]) => {
        const there = [...(moved as number[]), ...drain(a, 1)];
        const here = drain(a, 0);
        once([...there, ...here], 0, 1, 2);
        inOrder(there, 0, 1);
        inOrder(here, 0, 1);
        assert.ok(there.includes(2));
        whole(a);
      },
    }),
  ],
  inArena({
    name: "lfstack: two pushers and a popAll",
    setup: formatStack(0),
    threads: [(a) => [stack(a).push(node(a, 1)), stack(a).push(node(a, 2))], (a) => stack(a).push(node(a, 3)), popAll],
    verify: (a, [mine, theirs, taken]) => {
      const rest = popAll(a);
      once([...(taken as number[]), ...rest], 0, 1, 2, 3);
      for (const chain of [taken as number[], rest]) inOrder(chain, 2, 1, 0);
      const first = [...(mine as boolean[]), theirs as boolean].filter((nonEmpty) => !nonEmpty).length;
      assert.equal(first, rest.length > 0 ? 1 : 0, "who came first after all was taken, found it empty");
    },
  }),
  ...onEachFlavor([
    {
      name: "lfstack: two pop in sections, and one pushes again after a grace period",
      setup: formatStack(0, 1, 2),
      threads: [
        (a) => a.turn(() => pop(a)),
        (a) => {
          const first = pop(a) as number;
          const second = pop(a);
          a.domain.synchronizeSync();
          stack(a).push(node(a, first));
          return second;
        },
      ],
      verify: (a, [one, two]) => {
        const rest = popAll(a);
        const got = flat(one, two, rest);
        once(got, ...Array.from({ length: got.length }, (_, i) => i));
        assert.ok(got.length >= 2);
      },
    },
  ]),
  inArena({
    name: "lfstack: two pop by the lock, and one pushes again at once",
    setup: formatStack(0, 1, 2),
    threads: [
      (a) => numberOf(a, stack(a).popBlocking()),
      (a) => {
        const view = stack(a);
        const first = view.popBlocking();
        const second = numberOf(a, view.popBlocking());
        view.push(first);
        return second;
      },
    ],
    verify: (a, [one, two]) => once(flat(one, two, popAll(a)), 0, 1, 2),
  }),
  inArena({
    name: "lfstack: killed in push and pop",
    setup: formatStack(0),
    threads: [
      (a) =>
        mortal(a, (victim) => {
          stack(victim).push(node(victim, 1));
          stack(victim).popBlocking();
        }),
      afterDeath((a) => {
        stack(a).push(node(a, 2));
        return numberOf(a, stack(a).popBlocking());
      }),
    ],
    verify: (a, [, taken]) => {
      assert.equal(taken, 2);
      const rest = popAll(a);
      assert.deepEqual(rest, rest.includes(1) ? [1, 0] : [0]);
      whole(a);
    },
  }),
];

/** After a death in the splice of 0 and 1 to behind 3. */
function splicedOrNot(a: Actor, stayed: readonly number[], there: readonly number[]): void {
  assert.deepEqual([stayed, there], stayed.length > 0 ? [[0, 1], [3]] : [[], [3, 0, 1]], "all or none");
  whole(a);
}
