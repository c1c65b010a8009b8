/** Floods: memory and callbacks without end, while others read. What waits stays bounded, and the event loop keeps turning. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew } from "../../check/support/crew.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { HURRY_AT } from "../../src/rcu/driver.js";
import { FLAVORS } from "../../src/rcu/flavors/flavor.js";
import { withSlowClock } from "../support/each-flavor.js";
import type { FloodJob } from "./flood-job.js";

/** Callbacks run, at most, before events get their turn, while not too many wait (driver.ts: BATCH). */
const BATCH = 1000;
const OBJECT = 1024;
/** Figures take longer than retiring. */
const LOOK_EVERY = 8;
const RETIRE_LIMIT = 256 * 1024;
const file = new URL("./flood-worker.js", import.meta.url);

for (const flavor of FLAVORS) {
  test(`${flavor}: whoever retires without end waits when too much is waiting, in one turn and in many`, async () => {
    const shared = Shared.create({ bytes: 4 * 2 ** 20, flavor, fanOut: 2, retireLimit: RETIRE_LIMIT });
    const crew = new Crew(shared);
    try {
      const hands = [0, 1].map((i) => crew.start<FloodJob, boolean>(file, `reader ${i}`, { milliseconds: i + 1 }));
      await crew.within(LIMIT, "the readers to begin", Promise.all(hands.map(({ begun }) => begun)));
      const { domain } = shared;
      const { heap } = domain.arena;
      let mostWaiting = 0;
      let mostUsed = 0;
      const retire = (): void => {
        const object = heap.kmalloc(OBJECT);
        assert.notEqual(object, 0, `there is memory: ${domain.stats().waitingBytes} bytes wait`);
        domain.retire(object);
      };
      const look = (): void => {
        mostWaiting = Math.max(mostWaiting, domain.stats().waitingBytes);
        mostUsed = Math.max(mostUsed, shared.stats().bytes.used);
      };
      const before = shared.stats().bytes.used;
      // Three times what the arena has.
      for (let i = 0; i < (3 * 4 * 2 ** 20) / OBJECT; i++) {
        retire();
        if (i % LOOK_EVERY === 0) look();
      }
      const pressed = domain.stats().backPressure;
      assert.ok(pressed > 0, "it had to wait");
      for (let turns = 0; turns < 50; turns++) {
        for (let i = 0; i < 200; i++) retire();
        look();
        await new Promise(setImmediate);
      }
      assert.ok(mostWaiting > RETIRE_LIMIT / 2 && mostWaiting <= 2 * RETIRE_LIMIT, `${mostWaiting} bytes waited at most`);
      assert.ok(mostUsed - before <= 4 * RETIRE_LIMIT, `${mostUsed - before} bytes were in use for it at most`);
      await crew.finish(LIMIT, hands);
      await until(LIMIT, "all of it to be given back", () => domain.stats().waiting === 0);
      assert.deepEqual(shared.check(), []);
      console.log(`${flavor}: waited ${pressed} times; ${mostWaiting} bytes waited at most, the limit is ${RETIRE_LIMIT}`);
    } finally {
      await crew.end();
      shared.close();
    }
  });

  test(`${flavor}: a flood of callbacks is run in batches, then in a hurry; a barrier sees its end, whatever requeues itself`, async () => {
    const shared = Shared.create({ bytes: 8 * 2 ** 20, flavor, fanOut: 2 });
    const crew = new Crew(shared);
    let stop = false;
    try {
      const hand = crew.start<FloodJob, boolean>(file, "reader", { milliseconds: 1 });
      await crew.within(LIMIT, "the reader to begin", hand.begun);
      const { domain } = shared;
      let ran = 0;
      let mostInATurn = 0;
      let turns = 0;
      let inThisTurn = 0;
      const one = (): void => {
        ran++;
        inThisTurn++;
      };
      const turn = (): void => {
        mostInATurn = Math.max(mostInATurn, inThisTurn);
        inThisTurn = 0;
        turns++;
        if (!stop) setImmediate(turn);
      };
      turn();

      for (let i = 0; i < HURRY_AT - 100; i++) domain.call(one);
      assert.deepEqual(await crew.within(LIMIT, "the barrier", domain.barrier()), { lost: [] });
      assert.equal(ran, HURRY_AT - 100, "all have run");
      // Two batches at most: one before this counter's immediate in one round of the event loop, one after it in the round before.
      assert.ok(mostInATurn > 0 && mostInATurn <= 2 * BATCH, `at most ${BATCH} before events get their turn; there were ${mostInATurn}`);

      // Some that call themselves again for ever, and a flood that would be late, were it not one.
      let again = 0;
      const requeue = (): void => {
        again++;
        if (!stop) domain.call(requeue);
      };
      for (let i = 0; i < 3; i++) domain.call(requeue);
      ran = 0;
      const [before, flood] = [turns, 3 * HURRY_AT];
      for (let i = 0; i < flood; i++) domain.call(one, i % 3 === 0 ? { hurry: true } : {});
      const { done, next, nextReady, wait } = domain.stats().callbacks;
      assert.ok(done + next + nextReady + wait >= flood, "none runs within the call");
      assert.deepEqual(await crew.within(LIMIT, "the barrier", domain.barrier()), { lost: [] });
      assert.equal(ran, flood);
      assert.ok(turns > before, "the event loop turned meanwhile");
      const [seen, ticks] = [again, turns];
      await crew.within(
        LIMIT,
        "more of those",
        until(LIMIT, "more of those", () => again > seen + 10),
      );
      assert.ok(turns > ticks, "and goes on turning beside those that call themselves again");
    } finally {
      stop = true;
      await sleep(20);
      await crew.end();
      shared.close();
    }
  });
}

test("lazy callbacks hurry when there are too many of them", async () => {
  const shared = Shared.create({ bytes: 2 ** 20 });
  try {
    await sleep(20); // what there is to do when a thread attaches would take them along
    await withSlowClock(async () => {
      let ran = 0;
      for (let i = 0; i < 10; i++) shared.domain.call(() => ran++, { lazy: true });
      await sleep(100);
      assert.equal(ran, 0, "these may be late");
      for (let i = 10; i < HURRY_AT; i++) shared.domain.call(() => ran++, { lazy: true });
      await until(LIMIT, "all to run", () => ran === HURRY_AT);
    });
  } finally {
    shared.close();
  }
});
