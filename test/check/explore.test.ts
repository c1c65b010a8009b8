import assert from "node:assert/strict";
import { test } from "node:test";
import { explore, replay } from "../../check/explore.js";
import type { Scenario, Thread } from "../../check/scenario.js";
import type { Address } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";

const X = 1 as Address;
const Y = 2 as Address;
const Z = 3 as Address;
const label = (address: Address): string => ["null", "x", "y", "z"][address] ?? `[${address}]`;

/** Every distinct outcome of the threads, as text. */
function outcomes(name: string, threads: Thread[], more: Partial<Scenario> = {}) {
  const seen = new Set<string>();
  const verify = (_: Memory, results: readonly unknown[]): void => void seen.add(results.join(" "));
  const result = explore({ name, threads, label, verify, ...more });
  return { result, seen: [...seen].sort() };
}

test("store buffering has three outcomes of four", () => {
  const { result, seen } = outcomes("SB", [(m) => (m.store(X, 1), m.load(Y)), (m) => (m.store(Y, 1), m.load(X))]);
  assert.deepEqual(seen, ["0 1", "1 0", "1 1"]);
  assert.equal(result.complete, true);
  assert.equal(result.executions, 3);
});

test("message passing by atomics: the flag never without the data, and no race", () => {
  const { result, seen } = outcomes("MP", [(m) => (m.write(X, 1), m.store(Y, 1)), (m) => (m.load(Y) === 1 ? m.read(X) : "none")]);
  assert.deepEqual(seen, [" 1", " none"]);
  assert.equal(result.complete, true);
});

test("message passing by a plain flag is a race, reported with both stacks", () => {
  const { result } = outcomes("MP plain", [(m) => (m.write(X, 1), m.write(Y, 1)), (m) => (m.read(Y) === 1 ? m.read(X) : "none")]);
  assert.equal(result.failure?.kind, "race");
  assert.equal(result.complete, false);
  assert.match(result.failure?.text ?? "", /b: y: plain read races with an unordered plain write by a/);
  assert.equal(result.failure?.text.match(/explore\.test/g)?.length, 2);
});

const increment: Thread = (m) => m.store(X, m.load(X) + 1);

test("two increments by load and store lose one, and the schedule replays", () => {
  const scenario: Scenario = {
    name: "lost update",
    threads: [increment, increment],
    label,
    verify: (m) => assert.equal(m.load(X), 2),
  };
  const { failure } = explore(scenario);
  assert.equal(failure?.kind, "verify");
  assert.deepEqual(failure?.steps, ["a load x -> 0", "b load x -> 0", "b store x = 1", "a store x = 1"]);
  assert.equal(failure?.schedule, "ab2a");
  assert.deepEqual(replay(scenario, "ab2a").failure?.steps, failure?.steps);
  assert.equal(replay(scenario, "a2b2").failure, undefined);
  assert.throws(() => replay(scenario, "a9"), /at step 3 thread a cannot run/);
});

test("increments by compareExchange are never lost", () => {
  const cas: Thread = (m) => {
    for (let old = m.load(X); ; ) {
      const found = m.compareExchange(X, old, old + 1);
      if (found === old) return;
      old = found;
    }
  };
  const result = explore({ name: "CAS", threads: [cas, cas, cas], verify: (m) => assert.equal(m.load(X), 3) });
  assert.equal(result.failure, undefined);
  assert.equal(result.complete, true);
});

test("check, then wait for another word: the lost wake-up is a deadlock", () => {
  const wake: Thread = (m) => (m.store(X, 1), m.store(Y, 1), m.notify(Y));
  const right: Thread = (m) => {
    while (m.load(X) === 0) m.wait(X, 0, Infinity);
  };
  // The check reads x and the wait compares y, which stays as it is: the notify may come in between.
  const wrong: Thread = (m) => {
    while (m.load(X) === 0) m.wait(Z, 0, Infinity);
  };
  const lost = explore({ name: "lost wake-up", label, threads: [(m) => (m.store(X, 1), m.notify(Z)), wrong] });
  assert.equal(lost.failure?.kind, "deadlock");
  assert.match(lost.failure?.message ?? "", /b sleeps on z/);
  const good = explore({ name: "wake-up", label, threads: [(m) => (m.store(X, 1), m.notify(X)), right] });
  assert.equal(good.failure, undefined);
  assert.equal(good.complete, true);
  const other = explore({ name: "notify of another word", label, threads: [wake, right] });
  assert.equal(other.failure?.kind, "deadlock");
});

test("a finite timeout is a last resort, or may fire at any time", () => {
  const scenario = (seen: Set<unknown>): Scenario => ({
    name: "timeout",
    threads: [(m) => m.wait(X, 0, 10), (m) => (m.store(X, 1), m.notify(X))],
    verify: (_, results) => void seen.add(results[0]),
  });
  const lastResort = new Set<unknown>();
  assert.equal(explore(scenario(lastResort)).complete, true);
  assert.deepEqual([...lastResort].sort(), ["not-equal", "ok"]);
  const any = new Set<unknown>();
  assert.equal(explore(scenario(any), { timeouts: "any" }).complete, true);
  assert.deepEqual([...any].sort(), ["not-equal", "ok", "timed-out"]);
  const alone = outcomes("alone", [(m) => m.wait(X, 0, 10)]);
  assert.deepEqual(alone.seen, ["timed-out"]);
  assert.deepEqual(outcomes("zero", [(m) => m.wait(X, 0, 0), (m) => m.store(X, 1)]).seen, ["not-equal ", "timed-out "]);
});

test("a spin lock is explored completely, and excludes", () => {
  const locked: Thread = (m) => {
    while (m.compareExchange(X, 0, 1) !== 0);
    const old = m.read(Y);
    m.write(Y, old + 1);
    m.store(X, 0);
    return old;
  };
  for (const threads of [
    [locked, locked],
    [locked, locked, locked],
  ]) {
    const seen = new Set<string>();
    const result = explore({
      name: "spin lock",
      threads,
      verify: (m, results) => {
        assert.equal(m.read(Y), threads.length);
        seen.add(results.join(""));
      },
    });
    assert.equal(result.failure, undefined);
    assert.equal(result.complete, true);
    assert.ok(result.spins > 0);
    assert.equal(seen.size, threads.length === 2 ? 2 : 6);
  }
  const test: Thread = (m) => {
    do while (m.load(X) !== 0);
    while (m.exchange(X, 1) !== 0);
    m.write(Y, m.read(Y) + 1);
    m.store(X, 0);
  };
  const result = explore({ name: "test and set", threads: [test, test, test], verify: (m) => assert.equal(m.read(Y), 3) });
  assert.equal(result.failure, undefined);
  assert.equal(result.complete, true);
});

test("a lock that does not lock is a race", () => {
  const broken: Thread = (m) => {
    while (m.load(X) !== 0);
    m.store(X, 1);
    m.write(Y, m.read(Y) + 1);
    m.store(X, 0);
  };
  assert.equal(explore({ name: "broken lock", threads: [broken, broken] }).failure?.kind, "race");
});

test("a spin on a word that nobody writes is a livelock; two locks in two orders deadlock", () => {
  const spin: Thread = (m) => {
    while (m.load(X) === 0);
  };
  assert.equal(explore({ name: "spin", threads: [spin, (m) => m.store(Y, 1)] }, { maxSteps: 200 }).failure?.kind, "livelock");
  const lock = (m: Memory, word: Address): void => {
    while (m.exchange(word, 1) !== 0) m.wait(word, 1, Infinity);
  };
  const unlock = (m: Memory, word: Address): void => {
    m.store(word, 0);
    m.notify(word);
  };
  const both =
    (first: Address, second: Address): Thread =>
    (m) => {
      lock(m, first);
      lock(m, second);
      unlock(m, second);
      unlock(m, first);
    };
  assert.equal(explore({ name: "AB BA", threads: [both(X, Y), both(Y, X)] }).failure?.kind, "deadlock");
  assert.equal(explore({ name: "AB AB", threads: [both(X, Y), both(X, Y)] }).complete, true);
});

test("a loop that gives up after some tries is no pure spin", () => {
  const tries =
    (n: number): Thread =>
    (m) => {
      for (let i = 0; i < n; i++) if (m.load(X) === 1) return i;
      return "gave up";
    };
  const { result, seen } = outcomes("gives up", [tries(3), (m) => m.store(X, 1)]);
  assert.equal(result.complete, true);
  assert.deepEqual(seen, ["0 ", "1 ", "2 ", "gave up "]);
});

test("a thread that is not deterministic, throws or catches everything is reported or survived", () => {
  let runs = 0;
  const random = explore({ name: "random", threads: [(m) => (m.load(((runs++ & 1) + 1) as Address), m.load(X)), (m) => m.store(X, 1)] });
  assert.equal(random.failure?.kind, "nondeterminism");
  const thrown = explore({
    name: "throws",
    threads: [
      (m) => {
        if (m.load(X) === 1) throw new TypeError("seen");
      },
      (m) => m.store(X, 1),
    ],
  });
  assert.equal(thrown.failure?.kind, "thread");
  assert.match(thrown.failure?.message ?? "", /a threw: seen/);
  const outside = explore({ name: "outside", threads: [(m) => m.load(-1 as Address)] });
  assert.match(outside.failure?.message ?? "", /out of a memory of 1024 words/);
  const stubborn: Thread = (m) => {
    let seen = 0;
    try {
      seen = m.load(X);
    } finally {
      while (m.compareExchange(Y, 0, 1) !== 0);
      m.store(Y, 0);
    }
    return seen;
  };
  const result = explore({ name: "finally", threads: [stubborn, stubborn, (m) => m.store(X, 1)] });
  assert.equal(result.failure, undefined);
  assert.equal(result.complete, true);
});

test("bytes, fills and copies are replayed", () => {
  const { result, seen } = outcomes("bulk", [
    (m) => {
      m.writeBytes(20 as Address, Uint8Array.of(1, 2, 3, 4, 5));
      m.fill(30 as Address, 4, 7);
      m.copy(32 as Address, 20 as Address, 2);
      m.store(X, 1);
      const bytes = new Uint8Array(6);
      m.readBytes(32 as Address, bytes);
      m.store(Y, 1);
      return bytes.join();
    },
    (m) => (m.load(X), m.load(Y), "b"),
  ]);
  assert.deepEqual(seen, ["1,2,3,4,5,0 b"]);
  assert.equal(result.complete, true);
});

test("a preemption bound finds what needs few preemptions", () => {
  const scenario: Scenario = { name: "bound", threads: [increment, increment], verify: (m) => assert.equal(m.load(X), 2) };
  const none = explore(scenario, { preemptions: 0 });
  assert.equal(none.failure, undefined);
  assert.equal(none.complete, false);
  assert.equal(none.executions, 2);
  assert.equal(explore(scenario, { preemptions: 1 }).failure?.kind, "verify");
  assert.equal(explore(scenario, { maxExecutions: 1 }).complete, false);
});

test("deferred tasks run at the end of the turn", () => {
  const { seen } = outcomes("turns", [
    (m, { turn, defer }) => {
      const at: number[] = [];
      turn(() => {
        defer(() => at.push(m.add(X, 1)));
        at.push(m.add(X, 1));
      });
      at.push(m.add(X, 1));
      return at.join();
    },
  ]);
  assert.deepEqual(seen, ["0,1,2"]);
});
