/**
 * A thread dies at every single access of an operation of a queue or a stack; another reaps it and goes on: what is in them is as before the call or
 * as after it, in order, and what is in neither is what the dead one had taken for itself.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, NULL } from "../../src/memory/address.js";
import { FLAVORS } from "../../src/rcu/flavors/flavor.js";
import { LfStack } from "../../src/structures/queues/lfstack.js";
import { WfcQueue } from "../../src/structures/queues/wfcqueue.js";
import { reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

interface Things {
  readonly queue: WfcQueue;
  readonly other: WfcQueue;
  readonly stack: LfStack;
  readonly nodes: readonly Address[];
}

interface Shape {
  readonly name: string;
  /** Numbers of nodes in the queue, of which the first `turned` were linked forwards. */
  readonly queue: readonly number[];
  readonly turned: number;
  readonly other: readonly number[];
  readonly stack: readonly number[];
  readonly update: (things: Things) => void;
}

const none = { queue: [], turned: 0, other: [], stack: [] } as const;
const shapes: readonly Shape[] = [
  { ...none, name: "enqueue", update: ({ queue, nodes }) => queue.enqueue(nodes[7] as Address) },
  { ...none, name: "enqueue behind others", queue: [0, 1], turned: 1, update: ({ queue, nodes }) => queue.enqueue(nodes[7] as Address) },
  { ...none, name: "dequeue of the last", queue: [0], update: ({ queue }) => queue.dequeue() },
  { ...none, name: "dequeue of the last, turned", queue: [0], turned: 1, update: ({ queue }) => queue.dequeue() },
  { ...none, name: "dequeue that turns many", queue: [0, 1, 2, 3], update: ({ queue }) => queue.dequeue() },
  { ...none, name: "dequeue that turns at the end", queue: [0, 1, 2, 3], turned: 1, update: ({ queue }) => queue.dequeue() },
  { ...none, name: "a walk", queue: [0, 1, 2, 3], turned: 2, update: ({ queue }) => queue.forEach(() => {}) },
  { ...none, name: "splice to an empty queue", queue: [0, 1, 2], turned: 1, update: ({ queue, other }) => other.splice(queue) },
  { ...none, name: "splice to a queue", queue: [0, 1, 2], turned: 3, other: [4, 5], update: ({ queue, other }) => other.splice(queue) },
  { ...none, name: "splice from the queue that comes second", queue: [0, 1], other: [4, 5], update: ({ queue, other }) => queue.splice(other) },
  { ...none, name: "push", stack: [0], update: ({ stack, nodes }) => stack.push(nodes[7] as Address) },
  { ...none, name: "popBlocking", stack: [0, 1], update: ({ stack }) => stack.popBlocking() },
  { ...none, name: "popAllBlocking", stack: [0, 1], update: ({ stack }) => stack.popAllBlocking() },
];

const listed = (queue: WfcQueue): Address[] => {
  const seen: Address[] = [];
  queue.forEach((node) => void seen.push(node));
  return seen;
};

/** What stands where. */
function contents({ queue, other, stack }: Things): { queue: Address[]; other: Address[]; stack: Address[] } {
  const stacked: Address[] = [];
  stack.forEach(stack.popAllBlocking(), (node) => void stacked.push(node));
  for (const node of [...stacked].reverse()) stack.push(node);
  return { queue: listed(queue), other: listed(other), stack: stacked };
}

for (const flavor of FLAVORS) {
  for (const shape of shapes) {
    test(`${flavor}: a thread dies at each access: ${shape.name}`, async () => {
      const world = new World(16, {}, { flavor });
      const builder = world.domain(SURVIVOR);
      const made = { queue: WfcQueue.create(builder), other: WfcQueue.create(builder), stack: LfStack.create(builder) };
      const nodes = Array.from({ length: 8 }, () => builder.arena.heap.kmalloc(8));
      const view = (domain: ReturnType<World["domain"]>): Things => ({
        queue: new WfcQueue(domain, made.queue.address),
        other: new WfcQueue(domain, made.other.address),
        stack: new LfStack(domain, made.stack.address),
        nodes,
      });
      const put = (numbers: readonly number[], to: (node: Address) => unknown): void => {
        for (const number of numbers) to(nodes[number] as Address);
      };
      put(shape.queue.slice(0, shape.turned), (node) => made.queue.enqueue(node));
      made.queue.forEach(() => {});
      put(shape.queue.slice(shape.turned), (node) => made.queue.enqueue(node));
      put(shape.other, (node) => made.other.enqueue(node));
      put(shape.stack, (node) => made.stack.push(node));
      builder.detach();
      world.snapshot();
      const look = (update: (things: Things) => unknown): ReturnType<typeof contents> => {
        const domain = world.domain(SURVIVOR);
        update(view(domain));
        const now = contents(view(domain));
        domain.detach();
        world.restore();
        return now;
      };
      const [before, after] = [look(() => {}), look(shape.update)];

      let deaths = 0;
      for (const second of [false, true]) {
        for (let access = 1; ; access++) {
          world.restore();
          const memory = world.dying();
          const things = view(world.domain(VICTIM, memory));
          memory.arm(access);
          const died = memory.run(() => shape.update(things));
          let when = `death before access ${access} (${memory.last})`;
          memory.kill();
          const dead: number[] = [VICTIM];
          if (second) {
            // Who mends it dies too, at an access that goes with the first.
            const memory2 = world.dying();
            memory2.run(() => {
              const next = world.domain(THIRD, memory2);
              next.reap(VICTIM, 0);
              memory2.arm(1 + ((access * 7) % 40));
              listed(view(next).other);
              listed(view(next).queue);
            });
            when += `, then before ${memory2.last}`;
            memory2.kill();
            dead.unshift(THIRD);
          }
          const survivor = world.domain(SURVIVOR);
          reapAll(dead, (thread, timeout) => survivor.reap(thread, timeout));
          const now = contents(view(survivor));
          assert.deepEqual(
            [before, after].some((state) => JSON.stringify(state) === JSON.stringify(now)),
            true,
            `${when}: ${JSON.stringify({ before, after, now })}`,
          );
          const all = view(survivor);
          for (const queue of [all.queue, all.other]) {
            assert.deepEqual(queue.check(), [], when);
            queue.enqueue(nodes[6] as Address);
            let last: Address = NULL;
            for (let node = queue.dequeue(); node !== NULL; node = queue.dequeue()) last = node;
            assert.equal(last, nodes[6], when);
            assert.deepEqual(queue.check(), [], when);
          }
          assert.deepEqual(survivor.arena.check(), [], when);
          survivor.detach();
          deaths++;
          if (deaths % 100 === 0) await turn();
          if (!died) break;
        }
      }
      assert.ok(deaths > 5, `${deaths}`);
    });
  }
}
