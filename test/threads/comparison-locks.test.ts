/** The reader-writer lock and the sequence lock with real threads; a writer is terminated inside. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew } from "../../check/support/crew.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { type Address, field } from "../../src/memory/address.js";
import { GO, type LocksJob, PAIR } from "./comparison-locks-job.js";

const BYTES = 128;
const file = new URL("./comparison-locks-worker.js", import.meta.url);

async function run(kind: LocksJob["kind"], roles: readonly LocksJob["role"][], rounds: number): Promise<void> {
  const shared = Shared.create({ bytes: 8 * 2 ** 20 });
  const { memory, heap } = shared.domain.arena;
  const block = heap.kmalloc(BYTES);
  memory.fill(block, BYTES / 4, 0);
  const word = (offset: number): Address => field(block, offset);
  const crew = new Crew(shared);
  const start = (role: LocksJob["role"], i: number) => crew.start<LocksJob>(file, `${role} ${i}`, { kind, role, block, rounds });
  const go = (): void => {
    memory.store(word(GO), 1);
    memory.notify(word(GO));
  };
  try {
    const dies = roles.includes("die");
    const victim = dies ? start("die", 0) : undefined;
    if (victim !== undefined) await until(LIMIT, "the victim to be inside", () => victim.beats() > 0);
    const hands = roles.filter((role) => role !== "die").map(start);
    await crew.within(LIMIT, "all to begin", Promise.all(hands.map(({ begun }) => begun)));
    if (victim !== undefined) {
      go();
      await sleep(100); // they wait for it by now
      assert.deepEqual(
        hands.map(({ beats }) => beats()),
        hands.map(() => 0),
        "nobody comes in while it lives",
      );
      void victim.worker.terminate();
    } else go();
    await crew.within(LIMIT, "all to be done", Promise.all(hands.map(({ result }) => result)));
    const writers = roles.filter((role) => role === "write").length;
    for (const offset of PAIR) assert.equal(memory.load(word(offset)), writers * rounds);
    assert.deepEqual([memory.load(block), crew.failures, shared.check()], [0, [], []]);
  } finally {
    await crew.end();
    shared.close();
  }
}

for (const kind of ["rw", "seq"] as const) {
  test(`${kind} lock: two writers lose no update, and a reader sees none half done`, () => run(kind, ["write", "write", "look"], 10_000));
  test(`${kind} lock: a writer and two readers`, () => run(kind, ["write", "look", "look"], 10_000));
  test(`${kind} lock: a writer is terminated inside, and readers and writers go on`, () => run(kind, ["die", "look", "write"], 500));
}
