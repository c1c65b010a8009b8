import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "../../check/explore.js";
import type { Scenario, Thread } from "../../check/scenario.js";
import type { Address } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";

const X = 1 as Address;
const Y = 2 as Address;

test("microtasks run at the end of their turn, in their run; clocks and chance are the same in each", () => {
  const real = [globalThis.queueMicrotask, performance.now, Date.now, Math.random];
  const thread: Thread = (m, { turn }) => {
    const seen: unknown[] = [Math.random(), performance.now(), Date.now()];
    turn(() => {
      queueMicrotask(() => seen.push(`task ${m.add(X, 1)}`));
      seen.push(`turn ${m.load(Y)}`);
    });
    queueMicrotask(() => m.add(X, 1));
    return seen.slice(3).join();
  };
  const outcomes = new Set<unknown>();
  const result = explore({
    name: "sandbox",
    threads: [thread, (m) => m.store(Y, 1)],
    verify: (m, [seen]) => {
      outcomes.add(seen);
      assert.equal(m.load(X), 2);
    },
  });
  assert.equal(result.failure, undefined);
  assert.deepEqual([...outcomes].sort(), ["turn 0,task 0", "turn 1,task 0"]);
  assert.deepEqual([globalThis.queueMicrotask, performance.now, Date.now, Math.random], real);
});

test("a wait that times out takes its time", () => {
  const patient: Thread = (m) => {
    const deadline = performance.now() + 100;
    let waits = 0;
    while (m.load(X) === 0 && performance.now() < deadline) {
      m.wait(X, 0, Math.min(40, deadline - performance.now()));
      waits++;
    }
    return waits;
  };
  const seen = new Set<unknown>();
  const result = explore({ name: "deadline", threads: [patient], verify: (_, [waits]) => void seen.add(waits) });
  assert.equal(result.complete, true);
  assert.deepEqual([...seen], [3]);
});

// A mutex as libraries write it: spins, then says that it sleeps, then sleeps.
function lock(m: Memory): void {
  for (let tries = 0; ; tries++) {
    const word = m.load(X);
    if (word === 0 && m.compareExchange(X, 0, 1) === 0) return;
    if (tries < 100 || word === 0) continue;
    if (word === 1 && m.compareExchange(X, 1, 2) !== 1) continue;
    m.wait(X, 2, 5000);
  }
}

function mutex(threads: number, forgetful: boolean): Scenario {
  const thread: Thread = (m) => {
    lock(m);
    m.write(Y, m.read(Y) + 1);
    // Forgetful: looks whether someone sleeps, and lets go in a second step.
    const old = forgetful ? m.load(X) : m.exchange(X, 0);
    if (forgetful) m.store(X, 0);
    if (old === 2) m.notify(X);
  };
  return { name: "mutex", threads: new Array<Thread>(threads).fill(thread), verify: (m) => assert.equal(m.read(Y), threads) };
}

test("a lock that spins a hundred times and then sleeps is explored completely", () => {
  const result = explore(mutex(2, false));
  assert.equal(result.failure, undefined);
  assert.equal(result.complete, true);
  assert.ok(result.executions < 100);
  // The one sleeper with the bit lost is woken by nobody, but for its timeout.
  assert.equal(explore(mutex(2, true)).failure, undefined);
  const infinite = mutex(2, true);
  const forEver = (m: Memory): Memory =>
    new Proxy(m, {
      get: (target, key) =>
        key === "wait"
          ? (a: Address, e: number) => target.wait(a, e, Infinity)
          : ((target[key as keyof Memory] as () => unknown).bind?.(target) ?? target[key as keyof Memory]),
    });
  const result2 = explore({ ...infinite, threads: infinite.threads.map((thread) => (m, tools) => thread(forEver(m), tools)) });
  assert.equal(result2.failure?.kind, "deadlock");
});
