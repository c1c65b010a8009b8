/** The barrier on each flavor: what it waits for, what it does not, and whose callbacks are lost. */

import assert from "node:assert/strict";
import { LIMIT } from "../../check/support/watchdog.js";
import { end, onEach, settle, until } from "../support/each-flavor.js";

onEach("it waits for the callbacks of every thread, and for those only that were there", async ({ attach }) => {
  const [a, b, c] = [attach(), attach(), attach()];
  const ran: string[] = [];
  a.call(() => {
    ran.push("a");
    a.call(() => void ran.push("later"), { lazy: true });
  });
  b.call(() => void ran.push("b"));
  assert.deepEqual((await c.barrier()).lost, []);
  assert.deepEqual(ran.sort(), ["a", "b"], "and not for what a callback registers");
  await c.barrier();
  assert.ok(ran.includes("later"));
});

onEach("with nothing registered it resolves at once, though a section is open: it is no synchronize()", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const index = reader.readLock();
  const cookie = updater.startPoll();
  await updater.barrier();
  assert.equal(updater.pollState(cookie), false, "no grace period has ended");
  end(reader, index);
});

onEach("a grace period that is over says nothing of callbacks: synchronize() is no barrier()", async ({ attach }) => {
  const updater = attach();
  let ran = false;
  updater.call(() => {
    ran = true;
  });
  updater.synchronizeSync();
  assert.equal(ran, false, "callbacks run from the top of the event loop");
  await updater.barrier();
  assert.equal(ran, true);
});

onEach("callbacks of a thread that left are named, with how many they were", async ({ attach }) => {
  const [reader, leaver, other] = [attach(), attach(), attach()];
  const index = reader.readLock(); // or they would run before
  let ran = 0;
  for (let i = 0; i < 3; i++) leaver.call(() => ran++);
  const barrier = other.barrier();
  await settle(5);
  leaver.detach();
  assert.deepEqual((await barrier).lost, [{ thread: 2, callbacks: 3 }]);
  end(reader, index);
  await settle(20);
  assert.equal(ran, 0);
  assert.deepEqual((await other.barrier()).lost, [], "a later one knows nothing of them");
});

onEach("callbacks of a thread that died are named, with how many they were", async ({ attach, world }) => {
  const reader = attach();
  const memory = world.dying();
  const victim = attach({}, memory);
  const other = attach();
  const index = reader.readLock();
  for (let i = 0; i < 2; i++) victim.call(() => {});
  const barrier = other.barrier();
  await settle(5);
  memory.kill();
  assert.equal(other.reap(2), true);
  assert.deepEqual((await barrier).lost, [{ thread: 2, callbacks: 2 }]);
  end(reader, index);
  other.flushSync(LIMIT);
});

onEach("in a callback it is refused, and the callbacks go on", async ({ attach }) => {
  const domain = attach();
  const codes: unknown[] = [];
  let after = false;
  domain.call(() => {
    try {
      void domain.barrier();
    } catch (error) {
      codes.push((error as { code: string }).code);
    }
  });
  domain.call(() => {
    after = true;
  });
  await until(() => after, "the callbacks");
  assert.deepEqual(codes, ["ERR_IN_CALLBACK"]);
});

onEach("it ends with its signal's reason, and leaves nothing behind", async ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const index = reader.readLock();
  updater.call(() => {});
  const abort = new AbortController();
  const barrier = updater.barrier({ signal: abort.signal });
  const ended = assert.rejects(barrier, /enough/);
  await settle(5);
  abort.abort(new Error("enough"));
  await ended;
  end(reader, index);
  await updater.barrier();
});

onEach("a callback that registers itself again and again does not starve it", async ({ attach }) => {
  const domain = attach();
  let going = true;
  const again = (): void => {
    if (going) domain.call(again);
  };
  again();
  for (let i = 0; i < 5; i++) await domain.barrier();
  going = false;
  await domain.barrier();
});
