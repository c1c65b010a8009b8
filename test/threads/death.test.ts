/**
 * Workers are terminated at random instants, inside lookups, updates, allocations, sections, attaching and leaving. Survivors must stay right,
 * grace periods must go on, and in the end not one page may be missing.
 *
 * The main thread is the watcher. It must not wait for a lock whose owner's exit event it has still to be told, so it leaves the maps alone
 * until all are dead. QUIESCE_KILLS raises the number of kills, QUIESCE_DEBUG_MEMORY=1 kills in a debug arena, QUIESCE_SEED repeats a run (threads make no two runs equal).
 */

import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { Crew } from "../../check/support/crew.js";
import { fill, textMap, textOf, u32Map, u128Map, versionOf, wideKey } from "../../check/support/maps.js";
import { Random, seedOf } from "../../check/support/seed.js";
import { drained, settle } from "../../check/support/settle.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { field } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import { heldLocks, kindOf, SlotKind, SlotWord, slotAddress, slotsUsed, threadOf } from "../../src/memory/slot.js";
import { ReaderWord, readerWord } from "../../src/rcu/layout.js";
import { exitComesEarly } from "../support/early-exit.js";
import { type DeathJob, KINDS, type Kind, type SurvivorJob, type SurvivorResult } from "./death-jobs.js";

const KILLS = Number(process.env.QUIESCE_KILLS ?? 300);
/** Victims at a time. */
const ALIVE = 6;
/** Kills between two looks at the survivors. */
const BATCH = 30;
const LEDGER_KEYS = 1024;
const FIRST_TAG = 0x100_0000;
/** Owner's part of a robust mutex (robust-mutex.ts): its thread's number and one. */
const OWNER = 0x1fff_ffff;

const victim = new URL("./death-worker.js", import.meta.url);
const survivor = new URL("./death-survivor.js", import.meta.url);

function openAll(shared: Shared) {
  return { ledger: u32Map(shared, "ledger"), wide: u128Map(shared, "wide"), numbers: u32Map(shared, "numbers"), texts: textMap(shared, "texts") };
}

function fillAll(shared: Shared, random: Random): void {
  const { ledger, wide, numbers, texts } = openAll(shared);
  ledger.set(0, LEDGER_KEYS - 1, versionOf(0));
  wide.set(0n, wideKey(LEDGER_KEYS), versionOf(0));
  fill({ map: numbers, encode: versionOf }, random);
  fill({ map: texts, encode: textOf }, random);
}

/** What the dead were in the middle of. */
const diedWith = { "arena lock": 0, "map lock": 0, "about a lock": 0, online: 0, transfer: 0, refill: 0, "no slot": 0 };

function autopsy(shared: Shared, threadId: number): void {
  const { memory, layout } = shared.domain.arena;
  const index = slotsOf(shared, SlotKind.LIVE).find((slot) => threadOf(memory.load(slotAddress(layout, slot))) === threadId);
  if (index === undefined) {
    diedWith["no slot"]++;
    return;
  }
  const slot = slotAddress(layout, index);
  for (const lock of heldLocks(memory, slot)) {
    const isHeld = (memory.load(lock) & OWNER) === threadId + 1;
    if (isHeld) diedWith[lock === Header.ARENA_LOCK ? "arena lock" : "map lock"]++;
    else diedWith["about a lock"]++;
  }
  if (memory.load(readerWord(layout, index, 0, ReaderWord.SEEN)) !== 0) diedWith.online++;
  if (memory.read(field(slot, SlotWord.INTENT)) !== 0) diedWith.transfer++;
}

function slotsOf(shared: Shared, kind: number): number[] {
  const { memory, layout } = shared.domain.arena;
  return Array.from({ length: slotsUsed(memory) }, (_, index) => index).filter((index) => kindOf(memory.load(slotAddress(layout, index))) === kind);
}

test(`${KILLS} threads die at random instants, and nobody else is harmed`, async (t) => {
  if (await exitComesEarly()) return t.skip("terminate() here does not tell when the thread has stopped: see README, Requirements");
  const seed = seedOf("death");
  const random = new Random(seed);
  const started = performance.now();
  let shared = Shared.create({ bytes: 48 * 2 ** 20, slots: 24, debugMemory: process.env.QUIESCE_DEBUG_MEMORY === "1" });

  // Warm up: all that stays for ever is made before the baseline is taken.
  fillAll(shared, random);
  shared = await settle(shared, Object.values(openAll(shared)));
  const baseline = drained(shared);
  fillAll(shared, random);

  const crew = new Crew(shared);
  const stalls = monitorEventLoopDelay({ resolution: 1 });
  const killed = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
  try {
    const graves = new Int32Array(new SharedArrayBuffer(4 * (KILLS + 2)));
    const live = (role: SurvivorJob["role"]) =>
      crew.start<SurvivorJob, SurvivorResult>(survivor, `surviving ${role}`, { role, seed, graves: graves.buffer as SharedArrayBuffer });
    const survivors = [live("reader"), live("writer")];
    await crew.within(LIMIT, "survivors to begin", Promise.all(survivors.map(({ begun }) => begun)));
    stalls.enable();

    let born = 0;
    let dead = 0;
    let longestGrace = 0;
    const liveAndDie = async (): Promise<void> => {
      while (born < KILLS) {
        const number = born++;
        const kind = KINDS[number % KINDS.length] as Kind;
        const job: DeathJob = { kind, seed, number: number + 1, tag: FIRST_TAG + number };
        const hand = crew.start(victim, `victim ${number} (${kind})`, job, (threadId) => autopsy(shared, threadId));
        await crew.within(LIMIT, `${hand.name} to begin`, hand.begun);
        await sleep(random.from(5, 80));
        // Some die together with others.
        if (random.below(3) === 0) await sleep(25 - (performance.now() % 25));
        void hand.worker.terminate();
        await crew.within(LIMIT, `${hand.name} to end`, hand.gone);
        killed[kind]++;
        graves[1 + dead++] = job.tag;
        Atomics.store(graves, 0, dead);
      }
    };
    const watchSurvivors = async (): Promise<void> => {
      for (let next = BATCH; dead < KILLS; next += BATCH) {
        const before = survivors.map(({ beats }) => beats());
        await until(
          4 * LIMIT, // for thirty of them
          `${next} victims to die`,
          () => dead >= Math.min(next, KILLS) || crew.failures.length > 0,
          () => crew.describe(),
        );
        assert.deepEqual(crew.failures, []);
        const asked = performance.now();
        await crew.within(LIMIT, `a grace period after ${dead} deaths`, shared.domain.synchronize());
        longestGrace = Math.max(longestGrace, performance.now() - asked);
        for (const [i, { name, beats }] of survivors.entries()) {
          const goesOn = until(LIMIT, `the ${name} to do something`, () => beats() !== before[i]);
          await crew.within(LIMIT, `the ${name} to do something`, goesOn);
        }
      }
    };
    await Promise.all([...Array.from({ length: ALIVE }, liveAndDie), watchSurvivors()]);
    stalls.disable();

    const done = await crew.finish(LIMIT, survivors);
    assert.deepEqual(crew.failures, []);
    assert.equal(crew.size, 0);

    await until(LIMIT, "the dead to be reaped", () => slotsOf(shared, SlotKind.DEAD).length === 0 && slotsOf(shared, SlotKind.LIVE).length === 1);
    assert.deepEqual(slotsOf(shared, SlotKind.LIVE), [shared.domain.arena.heap.slot.index], "only the watcher is still attached");
    assert.deepEqual(shared.check(), []);
    shared = await settle(shared, Object.values(openAll(shared)));
    assert.deepEqual(drained(shared), baseline, "bytes used and free blocks by order are exactly as before the first worker");

    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`death: ${dead} kills in ${seconds} s: ${JSON.stringify(killed)}`);
    console.log(`death: they died with ${JSON.stringify(diedWith)}; ${done[1]?.freed} live blocks were found by their tags`);
    console.log(
      `death: survivors did ${done[0]?.done} verified reads and ${done[1]?.done} updates; ${shared.stats().gracePeriods} grace periods, ` +
        `the longest awaited ${longestGrace.toFixed(0)} ms; the watcher's longest stall ${(stalls.max / 1e6).toFixed(0)} ms`,
    );
  } finally {
    stalls.disable();
    await crew.end();
    shared.close();
  }
});
