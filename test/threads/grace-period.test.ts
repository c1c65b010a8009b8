/**
 * Grace periods with real threads: none ends before the sections that it waits for, over the wrap of the counter too; and which threads
 * hold one up, and which do not.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew, type Hand } from "../../check/support/crew.js";
import { u32Map, versionOf } from "../../check/support/maps.js";
import { seedOf } from "../../check/support/seed.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { type Address, field } from "../../src/memory/address.js";
import { ARRIVED, LEFT, LET_GO, type PositionJob } from "./position-job.js";
import { ELEMENT_WORDS, POINTERS, type TortureJob } from "./torture-job.js";

const RUN = 1_200;
/** Reads, or updates, of each thread. */
const LEAST = 50;

for (const [name, firstSequence, wrapped] of [
  ["2^31", 0x7fffffff - 60, (sequence: number) => sequence >= 2 ** 31],
  ["2^32", -61, (sequence: number) => sequence < 2 ** 31],
] as const) {
  test(`no reader ever holds what was wiped after its grace period, while the counter passes ${name}`, async () => {
    const seed = seedOf(`torture ${name}`);
    const shared = Shared.create({ bytes: 16 * 2 ** 20, firstSequence });
    const { memory, heap } = shared.domain.arena;
    const pointers = heap.kmalloc(POINTERS * 4);
    for (let i = 0; i < POINTERS; i++) {
      const element = heap.kmalloc(ELEMENT_WORDS * 4);
      for (let word = 0; word < ELEMENT_WORDS; word++) memory.store(field(element, word), 1);
      memory.store(field(pointers, i), element);
    }
    const crew = new Crew(shared);
    try {
      const start = (role: TortureJob["role"], index: number): Hand<number> =>
        crew.start<TortureJob, number>(new URL("./torture-worker.js", import.meta.url), `${role} ${index}`, { role, index, pointers, seed });
      const hands = [start("reader", 0), start("reader", 1), start("writer", 2)];
      await crew.within(LIMIT, "all to begin", Promise.all(hands.map(({ begun }) => begun)));
      await crew.within(LIMIT, "the run", sleep(RUN));
      const busy = until(LIMIT, "all to have done something", () => hands.every(({ beats }) => beats() > LEAST));
      await crew.within(LIMIT, "all to have done something", busy);
      const passed = until(LIMIT, `the sequence to pass ${name}`, () => wrapped(shared.stats().domain.sequence));
      await crew.within(LIMIT, "the wrap", passed);
      const done = await crew.finish(LIMIT, hands);
      const { sequence, gracePeriods } = shared.stats().domain;
      assert.ok(wrapped(sequence), `the sequence stays past ${name}; it is ${sequence}`);
      for (const [i, count] of done.entries()) assert.ok(count > LEAST, `${hands[i]?.name} did only ${count}`);
      assert.deepEqual(shared.check(), []);
      console.log(`torture ${name}: ${done.join(", ")} done, ${gracePeriods} grace periods`);
    } finally {
      await crew.end();
      shared.close();
    }
  });
}

/** A thread in a position. */
class Posted {
  readonly hand: Hand<unknown>;
  readonly #gate = new Int32Array(new SharedArrayBuffer(12));
  readonly #crew: Crew;

  constructor(crew: Crew, position: PositionJob["position"], lock: number) {
    this.#crew = crew;
    const gate = this.#gate.buffer as SharedArrayBuffer;
    this.hand = crew.start<PositionJob>(new URL("./position-worker.js", import.meta.url), position, { position, gate, lock });
  }

  async arrived(): Promise<void> {
    const arrived = until(LIMIT, `${this.hand.name}: to get into position`, () => this.#gate[ARRIVED] === 1);
    await this.#crew.within(LIMIT, `${this.hand.name}: to get into position`, arrived);
    await sleep(30); // it says so just before it is there
  }

  get left(): boolean {
    return Atomics.load(this.#gate, LEFT) === 1;
  }

  async letGo(): Promise<void> {
    Atomics.store(this.#gate, LET_GO, 1);
    Atomics.notify(this.#gate, LET_GO);
    await this.#crew.within(LIMIT, `${this.hand.name}: to end`, this.hand.result);
    await this.#crew.within(LIMIT, `${this.hand.name}: to be gone`, this.hand.gone);
  }
}

async function withThreads(run: (shared: Shared, crew: Crew, lock: Address) => Promise<void>): Promise<void> {
  const shared = Shared.create({ bytes: 8 * 2 ** 20 });
  u32Map(shared, "map").set(0, 9, versionOf(1));
  const { memory, heap } = shared.domain.arena;
  const lock = heap.kmalloc(64);
  memory.store(lock, 0);
  const crew = new Crew(shared);
  try {
    await run(shared, crew, lock);
    assert.deepEqual(crew.failures, []);
    assert.deepEqual(shared.check(), []);
  } finally {
    await crew.end();
    shared.close();
  }
}

/** Both kinds of waiting, while the threads stay in position. */
async function graceEnds(shared: Shared, crew: Crew, posted: readonly Posted[], times = 20): Promise<void> {
  for (let i = 0; i < times; i++)
    await crew.within(LIMIT, `synchronize() with ${posted.map(({ hand }) => hand.name).join(" and ")}`, shared.domain.synchronize());
  shared.domain.synchronizeSync();
  for (const { hand, left } of posted) assert.equal(left, false, `${hand.name}: was in position all the while`);
}

for (const position of ["idle", "offline", "lookups", "views"] as const) {
  test(`a thread in this position holds up no grace period: ${position}`, async () => {
    await withThreads(async (shared, crew, lock) => {
      const posted = new Posted(crew, position, lock);
      await posted.arrived();
      await graceEnds(shared, crew, [posted]);
      await posted.letGo();
    });
  });
}

test("a thread that sleeps for a lock holds up no grace period", async () => {
  await withThreads(async (shared, crew, lock) => {
    const holder = new Posted(crew, "holder", lock);
    await holder.arrived();
    const waiter = new Posted(crew, "waiting for a lock", lock);
    await waiter.arrived();
    await graceEnds(shared, crew, [holder, waiter]);
    await holder.letGo();
    await waiter.letGo();
  });
});

for (const position of ["section", "section in at"] as const) {
  test(`a section holds up every grace period until it ends: ${position}`, async () => {
    await withThreads(async (shared, crew, lock) => {
      const posted = new Posted(crew, position, lock);
      await posted.arrived();
      let over = false;
      let called = false;
      const object = shared.domain.arena.heap.kmalloc(64, 5);
      shared.domain.retire(object);
      shared.domain.call(() => {
        called = true;
      });
      const grace = shared.domain.synchronize().then(() => {
        over = true;
      });
      await sleep(300);
      assert.equal(over, false, "synchronize() resolved while a section was open");
      assert.equal(called, false, "a callback ran while a section was open");
      assert.equal(shared.stats().retired.waiting, 1, "memory was given back while a section was open");
      await posted.letGo();
      await crew.within(LIMIT, "the grace period after the section's end", grace);
      await until(LIMIT, "the callback and the memory", () => called && shared.stats().retired.waiting === 0);
    });
  });
}
