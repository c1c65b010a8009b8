/** The event count: no wake-up is lost, and none is needed for what came before. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Address } from "../../src/memory/address.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { EventCount } from "../../src/rcu/event-count.js";

const WORD = 3 as Address;

// A sleep keeps no event loop alive.
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

function two(): { memory: SharedMemory; sleeper: EventCount; waker: EventCount } {
  const memory = new SharedMemory(new SharedArrayBuffer(64));
  return { memory, sleeper: new EventCount(memory, WORD), waker: new EventCount(memory, WORD) };
}

test("a wake between announcement and sleep is not lost", async () => {
  const { sleeper, waker } = two();
  const ticket = sleeper.announceSleep();
  waker.wake();
  assert.equal(sleeper.sleep(ticket, 60_000), false);
  assert.equal(await sleeper.sleepAsync(ticket, 60_000), false);
});

test("without a wake the time runs out, and that is told", async () => {
  const { sleeper } = two();
  assert.equal(sleeper.sleep(sleeper.announceSleep(), 5), true);
  assert.equal(await sleeper.sleepAsync(sleeper.announceSleep(), 5), true);
});

test("who sleeps is woken", async () => {
  const { sleeper, waker } = two();
  const asleep = [0, 1, 2].map(() => sleeper.sleepAsync(sleeper.announceSleep(), 60_000));
  waker.wake();
  assert.deepEqual(await Promise.all(asleep), [false, false, false], "all of them");
});

test("a wake that nobody asked for writes nothing", () => {
  const { memory, waker } = two();
  waker.wake();
  assert.equal(memory.load(WORD), 0);
  const ticket = waker.announceSleep();
  waker.wake();
  const after = memory.load(WORD);
  assert.notEqual(after, ticket);
  waker.wake();
  assert.equal(memory.load(WORD), after);
});

test("an old ticket is none for a later announcement: it does not fall asleep on somebody else's", () => {
  const { sleeper, waker } = two();
  const old = sleeper.announceSleep();
  waker.wake();
  sleeper.announceSleep(); // another one's, whom nobody has woken
  assert.equal(sleeper.sleep(old, 60_000), false);
});

test("a reaper wakes those whom the dead waker had counted and not notified", async () => {
  const { memory, sleeper, waker } = two();
  const asleep = sleeper.sleepAsync(sleeper.announceSleep(), 60_000);
  memory.add(WORD, 1); // and died
  waker.wakeAll();
  assert.equal(await asleep, false);
});

test("it counts on through the wrap", () => {
  const { memory, sleeper, waker } = two();
  memory.store(WORD, -2);
  for (let i = 0; i < 4; i++) {
    const ticket = sleeper.announceSleep();
    waker.wake();
    assert.equal(sleeper.sleep(ticket, 60_000), false);
  }
});
