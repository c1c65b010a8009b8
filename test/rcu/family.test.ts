/** A thread that blocks in one of its domains holds up a grace period in none: else whoever sleeps in a section of the one, for a grace period of the other, would sleep for ever. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMIT } from "../../check/support/watchdog.js";
import { Arena } from "../../src/memory/arena.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { Domain } from "../../src/rcu/domain.js";
import { FLAVORS } from "../../src/rcu/flavors/flavor.js";
import { Shared } from "../../src/shared/shared.js";

for (const flavor of FLAVORS) {
  test(`${flavor}: blocking in a phase domain beside it holds up no grace period of the main one`, () => {
    const shared = Shared.create({ bytes: 2 ** 20, flavor, fanOut: 2 });
    const side = shared.phaseDomain("side");
    const other = new Domain(new Arena(new SharedMemory(shared.handle.buffer), 4711));
    const otherSide = other.open(side.index);
    const section = otherSide.readLock();
    const blocking: Record<string, () => void> = {
      "synchronizeSync()": () => assert.throws(() => side.synchronizeSync({ timeout: 1 }), { code: "ERR_GRACE_PERIOD_TIMEOUT" }),
      "offline()": () => side.offline(() => other.synchronizeSync({ timeout: LIMIT })),
      "retire() with too much waiting": () => side.flushSync(1),
    };
    // While it blocks, and however soon its time is up: a thread that loses its processor before it blocks finds that it need not.
    const { memory } = shared.domain.arena;
    const wait = memory.wait.bind(memory);
    let blocked = 0;
    let heldUp: unknown;
    memory.wait = (...asked) => {
      blocked++;
      try {
        other.synchronizeSync({ timeout: LIMIT });
      } catch (error) {
        heldUp ??= error; // not thrown here, where one like it is expected
      }
      return wait(...asked);
    };
    for (const [what, block] of Object.entries(blocking)) {
      side.retire(shared.domain.arena.heap.kmalloc(64));
      shared.domain.read(() => {}); // online until this turn ends, in the flavors that go by the turn
      blocked = 0;
      for (let tries = 0; tries === 0 || (blocked === 0 && tries < 1000 && !what.startsWith("offline")); tries++) block();
      assert.equal(heldUp, undefined, what);
      assert.ok(blocked > 0 || what.startsWith("offline"), "it blocked");
    }
    otherSide.readUnlock(section);
    other.detach();
    shared.close();
  });
}
