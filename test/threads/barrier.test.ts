/** A barrier over real threads, one of which dies with its callbacks: exactly those of the others have run when it resolves, and exactly the dead one's are said to be lost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew } from "../../check/support/crew.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { FLAVORS } from "../../src/rcu/flavors/flavor.js";
import type { BarrierJob } from "./barrier-job.js";
import { ARRIVED, LET_GO, type StallJob } from "./stall-job.js";

const COUNTS = [1, 250, 3000];
const DEAD = 1;

for (const flavor of FLAVORS) {
  test(`${flavor}: a barrier counts the callbacks of all threads, and those of one that is terminated`, async () => {
    const shared = Shared.create({ bytes: 4 * 2 ** 20, flavor, fanOut: 2 });
    const crew = new Crew(shared);
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const ran = new Int32Array(new SharedArrayBuffer(4 * COUNTS.length));
    try {
      // Nothing can run as long as this reader is in its section.
      crew.start<StallJob>(new URL("./stall-worker.js", import.meta.url), "reader", { gate: gate.buffer as SharedArrayBuffer, section: "blocking" });
      await crew.within(
        LIMIT,
        "the section",
        until(LIMIT, "the section", () => Atomics.load(gate, ARRIVED) === 1),
      );
      const hands = COUNTS.map((callbacks, index) =>
        crew.start<BarrierJob>(new URL("./barrier-worker.js", import.meta.url), `thread ${index}`, { callbacks, index, ran: ran.buffer as SharedArrayBuffer }),
      );
      await crew.within(LIMIT, "all callbacks to be registered", Promise.all(hands.map(({ begun }) => begun)));
      let resolved = false;
      const barrier = shared.domain.barrier().then((result) => {
        resolved = true;
        return result;
      });
      const dead = hands[DEAD] as (typeof hands)[number];
      await dead.worker.terminate();
      await sleep(50);
      assert.deepEqual([resolved, ...ran], [false, 0, 0, 0]);
      Atomics.store(gate, LET_GO, 1);
      Atomics.notify(gate, LET_GO);
      const { lost } = await crew.within(LIMIT, "the barrier", barrier);
      assert.deepEqual(lost, [{ thread: dead.threadId, callbacks: COUNTS[DEAD] }]);
      assert.deepEqual(
        [...ran],
        COUNTS.map((count, index) => (index === DEAD ? 0 : count)),
      );
    } finally {
      Atomics.store(gate, LET_GO, 1);
      Atomics.notify(gate, LET_GO);
      await crew.end();
      shared.close();
    }
  });
}
