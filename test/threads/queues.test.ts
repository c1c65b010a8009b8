/** Queue and stack with real threads: two produce, one moves and consumes; one is killed on the way. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew } from "../../check/support/crew.js";
import { Random, seedOf } from "../../check/support/seed.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { LfStack } from "../../src/structures/queues/lfstack.js";
import { WfcQueue } from "../../src/structures/queues/wfcqueue.js";
import { type QueuesJob, TAG } from "./queues-job.js";

const file = new URL("./queues-worker.js", import.meta.url);

async function run(counts: readonly [number, number], victim?: { role: QueuesJob["role"]; after: number }): Promise<void> {
  const shared = Shared.create({ bytes: 8 * 2 ** 20 });
  const { domain } = shared;
  const [source, dest] = [WfcQueue.create(domain), WfcQueue.create(domain)];
  const stack = LfStack.create(domain);
  const crew = new Crew(shared);
  const job = (role: QueuesJob["role"], index: number): QueuesJob => ({
    role,
    index,
    queues: [source.address, dest.address],
    spare: stack.address,
    count: counts[index] ?? 0,
  });
  try {
    const producers = [0, 1].map((index) => crew.start<QueuesJob, number>(file, `producer ${index}`, job("produce", index)));
    const first = crew.start<QueuesJob, number[]>(file, "consumer", job("consume", 0));
    await crew.within(LIMIT, "all to begin", Promise.all([...producers, first].map(({ begun }) => begun)));
    if (victim !== undefined) {
      const hand = victim.role === "produce" ? producers[0] : first;
      await until(LIMIT, "the victim to be under way", () => (hand as typeof first).beats() > 100);
      await sleep(victim.after);
      void hand?.worker.terminate();
      await crew.within(LIMIT, "the victim to be gone", (hand as typeof first).gone);
    }
    const living = victim?.role === "produce" ? producers.slice(1) : producers;
    await crew.within(LIMIT, "all to be produced", Promise.all(living.map(({ result }) => result)));
    crew.stop();
    if (victim?.role === "consume") {
      // What the dead one had moved or not is all there, but for what it had in its hands.
      assert.deepEqual([source.check(), dest.check()], [[], []]);
      dest.splice(source);
    } else {
      const got = await crew.within(LIMIT, "all to be consumed", first.result);
      assert.equal(got[1], counts[1]);
      if (victim === undefined) assert.equal(got[0], counts[0]);
      assert.ok(source.empty() && dest.empty());
    }
    const found = new Set<number>();
    for (const queue of [source, dest]) queue.forEach((node) => void found.add(node));
    stack.forEach(stack.popAll(), (node) => void found.add(node));
    const lost = domain.arena.heap.ownedBy(TAG).filter((node) => !found.has(node));
    assert.ok(lost.length <= (victim === undefined ? 0 : 1), `${lost.length} nodes are nowhere`);
    assert.deepEqual([source.check(), dest.check(), shared.check()], [[], [], []]);
    assert.deepEqual(crew.failures, []);
  } finally {
    await crew.end();
    shared.close();
  }
}

test("queues: two threads produce and one consumes; every node comes once, in its producer's order", () => run([30_000, 30_000]));

test("queues: a producer or the consumer is terminated, and at most the node it had in its hands is missing", async () => {
  const random = new Random(seedOf("queues with kills"));
  for (let round = 0; round < 4; round++)
    await run(round % 2 === 0 ? [1_000_000, 10_000] : [8000, 8000], { role: round % 2 === 0 ? "produce" : "consume", after: random.below(30) });
});
