/** Waiting for a grace period on each flavor: with a signal, a time limit, expedited, without blocking. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { getActiveResourcesInfo } from "node:process";
import { LIMIT } from "../../check/support/watchdog.js";
import type { Memory } from "../../src/memory/memory.js";
import { GracePeriodTimeoutError } from "../../src/rcu/errors.js";
import { tracepoints } from "../../src/rcu/tracepoints.js";
import { end, onEach, settle, until } from "../support/each-flavor.js";

const timers = (): number => getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

onEach("synchronize() resolves after the sections that were open, and not before", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const index = reader.readLock();
  let over = false;
  const waiting = updater.synchronize().then(() => {
    over = true;
  });
  await settle(30);
  assert.equal(over, false);
  end(reader, index);
  await waiting;
  assert.equal(updater.stats().gpMicros.count, 1);
});

onEach("a signal that was aborted before rejects at once, with its reason", async ({ attach }) => {
  const updater = attach();
  const reason = new RangeError("mine");
  for (const expedited of [false, true]) await assert.rejects(updater.synchronize({ signal: AbortSignal.abort(reason), expedited }), reason);
});

onEach("a signal aborted meanwhile ends the wait, and nothing of it is left behind", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const index = reader.readLock();
  const cookie = updater.getState();
  const before = timers();
  const abort = new AbortController();
  const waits = [
    updater.synchronize({ signal: abort.signal }),
    updater.condSynchronize(cookie, { signal: abort.signal }),
    updater.barrier({ signal: abort.signal }),
  ];
  const ended = Promise.allSettled(waits);
  await settle(10);
  const reason = new RangeError("enough");
  abort.abort(reason);
  const outcomes = await ended;
  assert.deepEqual(
    outcomes.slice(0, 2).map((outcome) => (outcome as PromiseRejectedResult).reason),
    [reason, reason],
  );
  assert.equal(outcomes[2]?.status, "fulfilled", "no callback was waited for");
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  await until(() => timers() <= before, "no timer keeps the process alive, when the last sleep has run out");
  end(reader, index);
  assert.equal(updater.pollState(updater.startPoll()), true, "and the next one is none the worse");
});

onEach("a signal that is never aborted keeps no listener", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const { signal } = new AbortController();
  const index = reader.readLock();
  const waiting = updater.synchronize({ signal });
  await settle(10);
  assert.equal(getEventListeners(signal, "abort").length, 1);
  end(reader, index);
  await waiting;
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

onEach("expedited ones wait for the same sections, and say that they are expedited", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const said: unknown[] = [];
  const listener = (message: unknown): void => void said.push(message);
  tracepoints.expedited.subscribe(listener);
  try {
    const index = reader.readLock();
    let over = false;
    const waiting = updater.synchronizeExpedited().then(() => {
      over = true;
    });
    await settle(30);
    assert.equal(over, false);
    end(reader, index);
    await waiting;
    updater.synchronizeSync({ expedited: true });
    updater.synchronizeSync();
  } finally {
    tracepoints.expedited.unsubscribe(listener);
  }
  assert.deepEqual(
    said.map((message) => (message as { domain: number }).domain),
    [0, 0],
  );
});

onEach("synchronizeSync() gives up after its time, and names who holds it up", ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  reader.nameThread("a slow reader");
  const index = reader.readLock();
  assert.throws(
    () => updater.synchronizeSync({ timeout: 15 }),
    (error: unknown) => {
      assert.ok(error instanceof GracePeriodTimeoutError);
      assert.equal(error.code, "ERR_GRACE_PERIOD_TIMEOUT");
      assert.match(error.message, /not over after 15 ms; it waits for thread 1 "a slow reader" in slot 0, in a section or a turn for \d+ ms/);
      return true;
    },
  );
  assert.throws(() => updater.condSynchronizeSync(updater.getState(), { timeout: 5 }), GracePeriodTimeoutError);
  end(reader, index);
  updater.synchronizeSync({ timeout: LIMIT });
});

onEach(
  "in debug mode it says where the section began, too",
  ({ attach }) => {
    const [reader, updater] = [attach(), attach()];
    const index = (() => {
      return reader.readLock();
    })();
    assert.throws(() => updater.synchronizeSync({ timeout: 5 }), /which began\n.*synchronize\.test/);
    end(reader, index);
  },
  { arena: { debugWords: 256 } },
);

onEach("a thread that may not block is refused only when it would have to", async ({ attach, world }) => {
  const reader = attach();
  const mayNot: Memory = Object.create(world.memory, { canBlock: { value: false } });
  // The methods use private fields of the real one.
  for (const name of [
    "load",
    "store",
    "exchange",
    "compareExchange",
    "add",
    "and",
    "or",
    "read",
    "write",
    "fill",
    "copy",
    "readBytes",
    "writeBytes",
    "wait",
    "waitAsync",
    "notify",
  ] as const)
    Object.defineProperty(mayNot, name, { value: (world.memory[name] as (...args: never[]) => unknown).bind(world.memory) });
  const updater = attach({}, mayNot);
  updater.synchronizeSync(); // nobody is in a section
  const index = reader.readLock();
  assert.throws(() => updater.synchronizeSync(), { code: "ERR_CANNOT_BLOCK" });
  const waiting = updater.synchronize();
  end(reader, index);
  await waiting;
});

onEach("an updater that is online itself does not wait for itself", async ({ attach }) => {
  const domain = attach();
  domain.read(() => {});
  domain.synchronizeSync();
  domain.read(() => {});
  await domain.synchronize();
  domain.read(() => {});
  domain.condSynchronizeSync(domain.getState());
});

onEach("many who wait at once are all served", async ({ attach }) => {
  const [reader, ...updaters] = [attach(), attach(), attach()];
  const index = (reader as NonNullable<typeof reader>).readLock();
  const waits = updaters.flatMap((updater) => Array.from({ length: 20 }, () => updater.synchronize()));
  await settle(5);
  end(reader as NonNullable<typeof reader>, index);
  await Promise.all(waits);
  assert.equal(updaters[0]?.stats().gpMicros.count, 40);
});
