/**
 * Threads set and delete in an arena that is full to the last byte, and are terminated at random instants: a set may be refused, a deletion never; and in
 * the end every entry can be deleted, and not one page is missing. QUIESCE_FULL_KILLS raises the number of kills.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew } from "../../check/support/crew.js";
import { Random, seedOf } from "../../check/support/seed.js";
import { drained, settle } from "../../check/support/settle.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { OutOfMemoryError, Shared, u16 } from "../../src/index.js";
import { exitComesEarly } from "../support/early-exit.js";
import { type FullJob, KEYS } from "./full-job.js";

const KILLS = Number(process.env.QUIESCE_FULL_KILLS ?? 24);
const SHARES = 3;
/** Sets and deletions of the survivor: every third is a deletion, and finds something in more than one of ten. */
const ENOUGH = 3000;
const worker = new URL("./full-worker.js", import.meta.url);

const open = (shared: Shared) => shared.intervalMap("full", { bounds: "u32", value: u16 });

/** Set what can be set, from `key` on. */
function fill(shared: Shared): void {
  const map = open(shared);
  for (let n = 0; n < KEYS; n++) {
    try {
      map.set(4 * n, 4 * n + 1, (4 * n) % 65536);
    } catch (error) {
      assert.ok(error instanceof OutOfMemoryError, String(error));
      return;
    }
  }
  assert.fail("it never fills");
}

test(`a full arena, and ${KILLS} threads that die in it`, async (t) => {
  if (await exitComesEarly()) return t.skip("terminate() here does not tell when the thread has stopped: see README, Requirements");
  const seed = seedOf("full");
  const random = new Random(seed);
  let shared = Shared.create({ bytes: 2 ** 20, slots: 12 });
  open(shared);
  shared = await settle(shared, [open(shared)]);
  const baseline = drained(shared);
  fill(shared);
  const crew = new Crew(shared);
  try {
    let born = 0;
    const liveAndDie = async (share: number): Promise<void> => {
      while (born < KILLS) {
        const job: FullJob = { seed, number: ++born, share, shares: SHARES };
        const hand = crew.start(worker, `victim ${job.number}`, job);
        await crew.within(LIMIT, `${hand.name} to begin`, hand.begun);
        await sleep(random.from(5, 80));
        void hand.worker.terminate();
        await crew.within(LIMIT, `${hand.name} to end`, hand.gone);
      }
    };
    const survivor = crew.start<FullJob, { refused: number; deleted: number }>(worker, "survivor", { seed, number: 0, share: 0, shares: SHARES });
    await crew.within(LIMIT, "the survivor to begin", survivor.begun);
    await Promise.all([liveAndDie(1), liveAndDie(2)]);
    await crew.within(
      LIMIT,
      "the survivor to do enough",
      until(LIMIT, "the survivor to do enough", () => survivor.beats() > ENOUGH),
    );
    const [done] = await crew.finish(LIMIT, [survivor]);
    assert.deepEqual(crew.failures, []);
    assert.ok(done !== undefined && done.deleted > ENOUGH / 30, `only ${done?.deleted} deletions`);
    t.diagnostic(`the survivor deleted ${done.deleted} entries, and was refused ${done.refused} times`);

    fill(shared);
    const map = open(shared);
    assert.deepEqual(map.check(), []);
    for (const [lo, hi, value] of [...map.entries()]) {
      assert.equal(value, lo % 65536);
      assert.ok(map.delete(lo, hi));
    }
    assert.equal(map.size, 0);
    shared = await settle(shared, [map]);
    assert.deepEqual(drained(shared), baseline);
  } finally {
    await crew.end();
    shared.close();
  }
});
