/**
 * A thread dies at every single access of a splice, and who comes next only splices: any two of three queues, in either direction. It comes to an end, with
 * what was there before the dead one's splice or after it; and takes no lock that comes before one which it holds.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, field, NULL } from "../../src/memory/address.js";
import type { Domain } from "../../src/rcu/domain.js";
import { WfcQueue } from "../../src/structures/queues/wfcqueue.js";
import { SURVIVOR, turn, VICTIM, World } from "../support/world.js";

/** Where a queue's lock stands. */
const LOCK = 16;

/** Numbers of two queues: what is moved, and to where. */
type Way = readonly [src: number, dest: number];
const ways: readonly Way[] = [0, 1, 2].flatMap((src) => [0, 1, 2].filter((dest) => dest !== src).map((dest): Way => [src, dest]));

function spliced(contents: readonly (readonly Address[])[], [src, dest]: Way): Address[][] {
  const after = contents.map((nodes) => [...nodes]);
  (after[dest] as Address[]).push(...(after[src] as Address[]).splice(0));
  return after;
}

for (const victimWay of ways) {
  test(`a thread dies at each access of a splice from queue ${victimWay[0]} to ${victimWay[1]}, and the next one only splices`, async () => {
    const world = new World(16);
    const builder = world.domain(SURVIVOR);
    const queues = Array.from({ length: 3 }, () => WfcQueue.create(builder).address).sort((a, b) => a - b);
    const before = queues.map((address) => {
      const nodes = Array.from({ length: 2 }, () => builder.arena.heap.kmalloc(8));
      for (const node of nodes) new WfcQueue(builder, address).enqueue(node);
      return nodes;
    });
    builder.detach();
    world.snapshot();
    const open = (domain: Domain, i: number): WfcQueue => new WfcQueue(domain, queues[i] as Address);
    const splice = (domain: Domain, [src, dest]: Way): unknown => open(domain, dest).splice(open(domain, src));

    let deaths = 0;
    for (const way of ways) {
      for (let access = 1, died = true; died; access++) {
        world.restore();
        const memory = world.dying();
        const victim = world.domain(VICTIM, memory);
        memory.arm(access);
        died = memory.run(() => void splice(victim, victimWay));
        const when = `death before access ${access} (${memory.last}), then a splice from ${way[0]} to ${way[1]}`;
        memory.kill();

        const watched = world.dying();
        const survivor = world.domain(SURVIVOR, watched);
        survivor.reap(VICTIM, 0);
        const isHeld = (queue: Address): boolean => world.memory.load(field(queue, LOCK)) === SURVIVOR + 1;
        watched.hook = () => {
          const taken = queues.find((queue) => watched.last === `compareExchange ${field(queue, LOCK)}`) ?? Number.POSITIVE_INFINITY;
          assert.ok(!queues.some((queue) => queue > taken && isHeld(queue)), `${when}: a lock is taken out of order`);
        };
        splice(survivor, way);
        splice(survivor, [way[1], way[0]]);
        watched.hook = undefined;
        const now = queues.map((_, i) => {
          const nodes: Address[] = [];
          assert.deepEqual(open(survivor, i).check(), [], when);
          for (let node = open(survivor, i).dequeue(); node !== NULL; node = open(survivor, i).dequeue()) nodes.push(node);
          return nodes;
        });
        // A source that was empty has taken nothing from the other.
        const expected = [before, spliced(before, victimWay)].map((from) => JSON.stringify(spliced(spliced(from, way), [way[1], way[0]])));
        assert.ok(expected.includes(JSON.stringify(now)), `${when}: ${JSON.stringify({ expected, now })}`);
        assert.deepEqual(survivor.arena.check(), [], when);
        survivor.detach();
        if (++deaths % 100 === 0) await turn();
      }
    }
    assert.ok(deaths > 100, `${deaths}`);
  });
}
