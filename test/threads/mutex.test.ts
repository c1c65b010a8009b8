/** The robust mutex and the spin lock with real threads: one at a time, nobody sleeps for ever, and the next owner is told of a death. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew, type Hand } from "../../check/support/crew.js";
import { seedOf } from "../../check/support/seed.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { type Address, field } from "../../src/memory/address.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { COUNTER, GO, type MutexJob, type NextOwner, PARKED } from "./mutex-job.js";

const ROUNDS = 60_000;
const file = new URL("./mutex-worker.js", import.meta.url);

async function withBlock(run: (shared: Shared, crew: Crew, block: Address) => Promise<void>): Promise<void> {
  const shared = Shared.create({ bytes: 8 * 2 ** 20 });
  const { memory, heap } = shared.domain.arena;
  const block = heap.kmalloc(64);
  memory.fill(block, 16, 0);
  const crew = new Crew(shared);
  try {
    await run(shared, crew, block);
    assert.deepEqual(crew.failures, []);
    assert.deepEqual(shared.check(), []);
  } finally {
    await crew.end();
    shared.close();
  }
}

async function count(kind: MutexJob["kind"], rounds: number): Promise<void> {
  const seed = seedOf(kind);
  await withBlock(async (shared, crew, block) => {
    const hands = [0, 1, 2].map((index) => crew.start<MutexJob>(file, `counter ${index}`, { kind, role: "count", index, block, rounds, seed }));
    await crew.within(LIMIT, "all to begin", Promise.all(hands.map(({ begun }) => begun)));
    const { memory } = shared.domain.arena;
    memory.store(field(block, GO), 1);
    memory.notify(field(block, GO));
    await crew.within(LIMIT, "all to have counted", Promise.all(hands.map(({ result }) => result)));
    assert.equal(memory.read(field(block, COUNTER)), 3 * rounds);
    assert.equal(memory.load(block), 0, "the lock is free");
  });
}

async function outlive(kind: MutexJob["kind"]): Promise<void> {
  await withBlock(async (shared, crew, block) => {
    const { memory, heap } = shared.domain.arena;
    const start = <R>(role: MutexJob["role"], index: number): Hand<R> =>
      crew.start<MutexJob, R>(file, `${role} ${index}`, { kind, role, index, block, rounds: 0, seed: 0 });
    const victim = start("die", 0);
    await until(LIMIT, "the victim to hold the lock", () => memory.load(field(block, PARKED)) === 1);
    const next = [start<NextOwner>("takeOver", 1), start<NextOwner>("takeOver", 2)];
    await crew.within(LIMIT, "the next owners to begin", Promise.all(next.map(({ begun }) => begun)));
    await sleep(100); // they are asleep by now
    assert.equal(memory.read(field(block, COUNTER)), 0, "nobody got the lock while its owner lived");
    void victim.worker.terminate();
    // They would wait for longer: only being woken gets them here in time.
    const saw = await crew.within(LIMIT, "the next owners to be woken", Promise.all(next.map(({ result }) => result)));
    assert.deepEqual(
      saw.sort((a, b) => a.order - b.order),
      [
        { ownerDied: true, order: 0 },
        { ownerDied: true, order: 1 },
      ],
    );
    const lock = new RobustMutex(memory, block, heap.slot);
    assert.equal(lock.lock(), false, "the second said that all is mended");
    lock.unlock();
  });
}

for (const [kind, rounds] of [
  ["mutex", ROUNDS],
  ["spin", ROUNDS / 4],
] as const) {
  test(`${kind}: three threads that count under the lock lose no count`, () => count(kind, rounds));
  test(`${kind}: when the owner is terminated, who waits gets it, and owners are told until one has mended`, () => outlive(kind));
}
