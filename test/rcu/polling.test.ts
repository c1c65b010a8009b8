/** Polled grace periods on each flavor: cookies, what they promise, and what becomes of them at the wraps. */

import assert from "node:assert/strict";
import { LIMIT } from "../../check/support/watchdog.js";
import type { Domain } from "../../src/rcu/domain.js";
import type { Cookie } from "../../src/rcu/sequence.js";
import { isPast } from "../../src/rcu/sequence.js";
import { tracepoints } from "../../src/rcu/tracepoints.js";
import { end, onEach } from "../support/each-flavor.js";

/** Grace periods that were asked for while `fn` ran. */
function asked(fn: () => void): number {
  let count = 0;
  const listener = (): void => void count++;
  tracepoints.gracePeriodStart.subscribe(listener);
  try {
    fn();
  } finally {
    tracepoints.gracePeriodStart.unsubscribe(listener);
  }
  return count;
}

onEach("getState() starts nothing, startPoll() does", ({ attach }) => {
  const domain = attach();
  const { sequence } = domain.stats();
  assert.equal(
    asked(() => domain.getState()),
    0,
  );
  assert.equal(domain.stats().sequence, sequence);
  assert.equal(
    asked(() => domain.startPoll()),
    1,
  );
});

onEach("a cookie is over after the sections that were open when it was taken", ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const index = reader.readLock();
  const cookies = [updater.getState(), updater.startPoll()];
  assert.deepEqual(
    cookies.map((cookie) => updater.pollState(cookie)),
    [false, false],
  );
  end(reader, index);
  updater.synchronizeSync();
  for (const domain of [updater, reader])
    assert.deepEqual(
      cookies.map((cookie) => domain.pollState(cookie)),
      [true, true],
      "in every thread",
    );
});

onEach("a cookie taken while a grace period is under way needs another one", ({ attach }) => {
  const [first, second, updater] = [attach(), attach(), attach()];
  const ofFirst = first.readLock();
  const under = updater.startPoll();
  assert.equal(updater.pollState(under), false); // under way, waiting for the first reader
  const ofSecond = second.readLock(); // after it began: it need not wait for this one
  const later = updater.startPoll();
  end(first, ofFirst);
  updater.pollState(later);
  assert.equal(updater.pollState(later), false);
  end(second, ofSecond);
  assert.deepEqual([updater.pollState(under), updater.pollState(later)], [true, true]);
});

onEach("startPoll() comes to be over by others' looks too", ({ attach }) => {
  const [a, b] = [attach(), attach()];
  const cookie = a.startPoll();
  b.synchronizeSync();
  assert.equal(a.pollState(cookie), true);
});

onEach("condSynchronize() waits only for what is not over", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const over = updater.startPoll();
  assert.equal(updater.pollState(over), true);
  const index = reader.readLock();
  updater.condSynchronizeSync(over, { timeout: 1 }); // else it would time out
  await updater.condSynchronize(over);
  const open = updater.getState();
  let done = false;
  const waiting = updater.condSynchronize(open).then(() => {
    done = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(done, false);
  end(reader, index);
  await waiting;
  assert.equal(updater.pollState(open), true);
  updater.condSynchronizeSync(updater.getState());
});

onEach("getCompleted() is over, in a section as well", ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  for (let i = 0; i < 3; i++) {
    assert.equal(updater.pollState(updater.getCompleted()), true);
    const index = reader.readLock();
    updater.startPoll();
    assert.equal(updater.pollState(updater.getCompleted()), true);
    end(reader, index);
    updater.synchronizeSync();
  }
});

onEach("sameState(): two cookies of one instant are one, those before and after a grace period are two", ({ attach }) => {
  const domain = attach();
  const [a, b] = [domain.getState(), domain.getState()];
  assert.equal(domain.sameState(a, b), true);
  domain.synchronizeSync();
  assert.equal(domain.sameState(a, domain.getState()), false);
});

/** Grace periods with a reader in each, and what every earlier cookie then says. */
function through(updater: Domain, reader: Domain, rounds: number): void {
  const all: Cookie[] = [];
  for (let round = 0; round < rounds; round++) {
    const index = reader.readLock();
    const cookie = round % 2 === 0 ? updater.startPoll() : updater.getState();
    const name = `round ${round}, sequence ${updater.stats().sequence}, cookie ${cookie}`;
    assert.equal(updater.pollState(cookie), false, name);
    end(reader, index);
    updater.synchronizeSync({ timeout: LIMIT });
    all.push(cookie);
    assert.ok(
      all.every((one) => updater.pollState(one)),
      name,
    );
    assert.equal(updater.pollState(updater.getCompleted()), true, name);
  }
}

for (const [wrap, sequence] of [
  ["2^32", -9],
  ["2^31", 2 ** 31 - 9],
] as const) {
  onEach(
    `cookies hold across ${wrap}`,
    ({ attach }) => {
      const [reader, updater] = [attach(), attach()];
      const before = updater.stats().sequence;
      through(updater, reader, 12);
      const after = updater.stats().sequence;
      assert.ok(wrap === "2^32" ? after < before : after >= 2 ** 31 && before < 2 ** 31, `${before} to ${after}`);
    },
    { sequence },
  );
}

onEach("a cookie that was kept for more than 2^31 is over, and never again open", ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const index = reader.readLock();
  const now = updater.stats().sequence;
  for (const behind of [1, 1000, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 31 + 1000, 2 ** 32 - 1000]) {
    assert.equal(updater.pollState(((now - behind) | 0) as Cookie), true, `${behind} behind`);
  }
  assert.equal(updater.pollState(updater.startPoll()), false);
  end(reader, index);
});

onEach(
  "isPast(): over is what is behind, up to the whole circle less what may be ahead",
  () => {
    for (const sequence of [0, 5, -5, 2 ** 31 - 3, -(2 ** 31) + 3]) {
      for (let ahead = 1; ahead <= 7; ahead++) assert.equal(isPast(sequence, sequence, ((sequence + ahead) | 0) as Cookie, 7), false, `${sequence} + ${ahead}`);
      for (const distance of [0, -1, -7, 8, 1000, 2 ** 31])
        assert.equal(isPast(sequence, sequence, ((sequence + distance) | 0) as Cookie, 7), true, `${sequence} + ${distance}`);
    }
  },
  { flavors: ["event-loop"] },
);
