/** The stall detector: whoever holds a grace period up is named, in every flavor, by everyone who waits; and a thread that died unseen is found so. */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Crew, HAND_WORDS, type Hand, type Orders } from "../../check/support/crew.js";
import { LIMIT, until, within } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import type { StallReport } from "../../src/rcu/stall.js";
import { canTell } from "../../src/shared/liveness.js";
import { ARRIVED, LET_GO, type StallJob } from "./stall-job.js";

/** ms after which a wait is reported. */
const TIMEOUT = 40;
const CHANNEL = "quiesce:rcu:stall";
const file = new URL("./stall-worker.js", import.meta.url);

/** Everything that the detector says in one test. */
class Ears {
  readonly told: StallReport[] = [];
  readonly warned: string[] = [];
  readonly published: StallReport[] = [];
  readonly onStall = (report: StallReport): void => void this.told.push(report);
  readonly #onWarning = ({ name, message }: Error): void => {
    if (name === "QuiesceStallWarning") this.warned.push(message);
  };
  readonly #onMessage = (message: unknown): void => void this.published.push((message as { report: StallReport }).report);

  constructor() {
    process.on("warning", this.#onWarning);
    subscribe(CHANNEL, this.#onMessage);
  }

  /** When all is said: warnings come a tick later, and are not to be the next test's. */
  async close(): Promise<void> {
    await until(LIMIT, "the warnings", () => this.warned.length >= this.told.length);
    process.off("warning", this.#onWarning);
    unsubscribe(CHANNEL, this.#onMessage);
  }
}

class Gate {
  readonly buffer = new SharedArrayBuffer(8);
  readonly #words = new Int32Array(this.buffer);

  arrived(): Promise<void> {
    return until(LIMIT, "the reader to be in its section", () => Atomics.load(this.#words, ARRIVED) === 1);
  }

  letGo(): void {
    Atomics.store(this.#words, LET_GO, 1);
    Atomics.notify(this.#words, LET_GO);
  }
}

interface Given {
  readonly shared: Shared;
  readonly ears: Ears;
  readonly crew: Crew;
  readonly gate: Gate;
}

async function world(flavor: FlavorName, debug: boolean, run: (given: Given) => Promise<void>): Promise<void> {
  const ears = new Ears();
  const shared = Shared.create({ bytes: 4 * 2 ** 20, flavor, fanOut: 2, debug, stallTimeout: TIMEOUT, onStall: ears.onStall });
  const crew = new Crew(shared);
  const gate = new Gate();
  try {
    await run({ shared, ears, crew, gate });
  } finally {
    gate.letGo();
    await crew.end();
    shared.close();
    await ears.close();
  }
}

/** What waits for a grace period, and how it comes to know that it is over. */
const WAITS: Record<string, (shared: Shared) => Promise<void>> = {
  "synchronize()": ({ domain }) => domain.synchronize(),
  "call()": ({ domain }) => new Promise((resolve) => domain.call(resolve)),
  "retire()": async ({ domain }) => {
    domain.retire(domain.arena.heap.kmalloc(64));
    await until(LIMIT, "what was retired to be given back", () => domain.stats().waiting === 0);
  },
};

for (const flavor of FLAVORS) {
  for (const section of flavor === "phase" ? (["blocking", "left open", "awaiting"] as const) : (["blocking", "left open"] as const)) {
    test(`${flavor}: a reader that stays in a section (${section}) is named, and where it began, by all who wait`, async () => {
      await world(flavor, true, async ({ shared, ears, crew, gate }) => {
        const hand = crew.start<StallJob>(file, "staller", { gate: gate.buffer, section });
        await crew.within(LIMIT, "its section", gate.arrived());
        const waits = Object.values(WAITS).map((wait) => wait(shared));
        await crew.within(
          LIMIT,
          "reports",
          until(LIMIT, "reports of each", () => ears.told.length >= 2 * Object.keys(WAITS).length),
        );
        assert.throws(() => shared.domain.synchronizeSync({ timeout: 5 }), {
          code: "ERR_GRACE_PERIOD_TIMEOUT",
          message: new RegExp(`thread ${hand.threadId} "sleepy reader"`),
        });
        const reports = [...ears.told]; // one that is made once it is let go may find nobody
        gate.letGo();
        await crew.within(LIMIT, "the grace periods", Promise.all(waits));
        await check(shared, ears, hand, flavor, reports);
      });
    });
  }

  test(`${flavor}: a wait that goes on is reported again, each time after twice as long, and no more when it is over`, async () => {
    await world(flavor, false, async ({ shared, ears, crew, gate }) => {
      crew.start<StallJob>(file, "staller", { gate: gate.buffer, section: "blocking" });
      await crew.within(LIMIT, "its section", gate.arrived());
      const over = shared.domain.synchronize();
      await crew.within(
        LIMIT,
        "reports",
        until(LIMIT, "reports", () => ears.told.length >= 4),
      );
      gate.letGo();
      await crew.within(LIMIT, "the grace period", over);
      const waited = ears.told.map((report) => report.waited);
      const { sequence } = ears.told[0] as StallReport;
      const reports = (): number => ears.told.filter((report) => report.sequence === sequence).length;
      assert.equal(reports(), waited.length, "there was one wait");
      assert.ok((waited[0] as number) >= TIMEOUT, `${waited}`);
      for (const [i, time] of waited.entries()) assert.ok(i === 0 || time >= 2 * (waited[i - 1] as number), `${waited}`);
      await shared.domain.synchronize(); // which a busy machine may hold up for long enough to be reported too
      assert.equal(reports(), waited.length);
    });
  });

  test(`${flavor}: a reader that died in its section, and that nobody watches, is named until it is reaped`, async () => {
    await world(flavor, false, async ({ shared, ears, gate }) => {
      const job: StallJob = { gate: gate.buffer, section: "blocking" };
      const control = new SharedArrayBuffer(8 * HAND_WORDS);
      const worker = new Worker(file, { workerData: { handle: shared.handle, control, words: HAND_WORDS, name: "unwatched", job } satisfies Orders<StallJob> });
      const { threadId } = worker;
      await within(LIMIT, "its section", gate.arrived());
      await worker.terminate();
      const over = shared.domain.synchronize();
      if (!canTell()) {
        await until(LIMIT, "a report", () => ears.told.length > 0);
        assert.deepEqual(
          ears.told[0]?.slots.map(({ thread, name }) => [thread, name]),
          [[threadId, "sleepy reader"]],
        );
        assert.equal(shared.domain.reap(threadId), true);
      }
      await within(LIMIT, "the grace period", over);
      assert.equal(shared.domain.reap(threadId), false, "it is known to be dead");
      assert.equal(shared.stats().threads, 1);
    });
  });
}

async function check(shared: Shared, ears: Ears, hand: Hand<unknown>, flavor: FlavorName, reports: readonly StallReport[]): Promise<void> {
  assert.equal(shared.domain.stats().stalls, ears.told.length, "counted");
  await until(LIMIT, "the warnings, which come a tick later", () => ears.warned.length >= ears.told.length);
  assert.deepEqual(
    ears.warned,
    ears.told.map(({ message }) => message),
    "each is a warning too",
  );
  assert.deepEqual(ears.published, ears.told, "and on its channel");
  for (const report of reports) {
    assert.deepEqual([report.domain, report.flavor], [0, flavor]);
    assert.deepEqual(
      report.slots.map(({ thread, name }) => [thread, name]),
      [[hand.threadId, "sleepy reader"]],
    );
    const [staller] = report.slots;
    assert.ok(
      staller !== undefined && staller.lasted >= TIMEOUT - 10, // the phase flavor times a section from its turn's end
      `lasted ${staller?.lasted} ms`,
    );
    assert.match(staller.began ?? "nothing", /stall-worker\.[jt]s:\d+/, "where its section began");
    assert.ok(report.message.includes(staller.began ?? "nothing") && report.message.includes(`thread ${hand.threadId} "sleepy reader"`), report.message);
  }
}
