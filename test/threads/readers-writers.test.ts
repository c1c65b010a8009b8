/**
 * Readers verify every answer while writers update the same maps, with real threads. What readers and writers check is in
 * readers-writers-worker.ts; here: nobody's update is lost, grace periods go on, and all memory comes back.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crew } from "../../check/support/crew.js";
import { u32Map, u128Map, versionOf, wideKey } from "../../check/support/maps.js";
import { seedOf } from "../../check/support/seed.js";
import { drained, settle } from "../../check/support/settle.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { OWNED, type RwJob, type RwResult } from "./readers-writers-job.js";

const RUN = 2_000;
/** Reads, or updates, of each thread. */
const LEAST = 100;
const file = new URL("./readers-writers-worker.js", import.meta.url);

for (const [readers, writers] of [
  [3, 1],
  [2, 2],
] as const) {
  test(`${readers} readers see whole, current answers while ${writers} writer(s) update`, async () => {
    const seed = seedOf(`readers-writers ${readers}+${writers}`);
    let shared = Shared.create({ bytes: 32 * 2 ** 20 });
    const maps = () => ({ narrow: u32Map(shared, "narrow"), wide: u128Map(shared, "wide") });
    const begin = (): void => {
      maps().narrow.set(0, OWNED - 1, versionOf(0));
      maps().wide.set(0n, wideKey(OWNED) - 1n, versionOf(0));
    };
    begin();
    shared = await settle(shared, Object.values(maps()));
    const baseline = drained(shared);
    begin();
    const crew = new Crew(shared);
    try {
      const start = (role: RwJob["role"], index: number) => crew.start<RwJob, RwResult>(file, `${role} ${index}`, { role, index, writers, seed });
      const reading = Array.from({ length: readers }, (_, index) => start("reader", index));
      const writing = Array.from({ length: writers }, (_, index) => start("writer", index));
      const all = [...reading, ...writing];
      await crew.within(LIMIT, "all to begin", Promise.all(all.map(({ begun }) => begun)));

      let awaited = 0;
      const before = shared.stats().gracePeriods;
      for (const ends = performance.now() + RUN; performance.now() < ends; awaited++) {
        await crew.within(LIMIT, "a grace period while all are busy", shared.domain.synchronize());
        await sleep(5);
      }
      assert.ok(shared.stats().gracePeriods > before, "grace periods went on");
      const busy = until(LIMIT, "all to have done something", () => all.every(({ beats }) => beats() > LEAST));
      await crew.within(LIMIT, "all to have done something", busy);

      const results = await crew.finish(LIMIT, all);
      assert.deepEqual(crew.failures, []);
      for (const [i, { done }] of results.entries()) assert.ok(done > LEAST, `${all[i]?.name} did only ${done}`);
      const { narrow, wide } = maps();
      const written = results.slice(readers);
      for (let key = 0; key < OWNED; key++) {
        // Each key has one writer that counts its versions; the others gave it none.
        const version = Math.max(...written.map(({ versions }) => versions[key] as number));
        assert.deepEqual(narrow.get(key), versionOf(version), `narrow: an update of key ${key} was lost`);
        assert.deepEqual(wide.get(wideKey(key)), versionOf(version), `wide: an update of key ${key} was lost`);
      }
      assert.deepEqual(shared.check(), []);
      shared = await settle(shared, Object.values(maps()));
      assert.deepEqual(drained(shared), baseline, "all memory came back");
      console.log(`readers-writers ${readers}+${writers}: ${results.map(({ done }) => done).join(", ")} done; ${awaited} grace periods awaited`);
    } finally {
      await crew.end();
      shared.close();
    }
  });
}
