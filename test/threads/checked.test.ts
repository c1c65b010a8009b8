/** The shipped code in real threads, over a memory that reports every race and every misused word (check/real/). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CheckedArena } from "../../check/real/checked-arena.js";
import { CheckedCrew } from "../../check/real/checked-crew.js";
import type { Hand } from "../../check/support/crew.js";
import { seedOf } from "../../check/support/seed.js";
import { LIMIT, sleep } from "../../check/support/watchdog.js";
import { type Address, field } from "../../src/memory/address.js";
import { type CheckedJob, COMMON_BYTES, COUNTERS, type Work } from "./checked-job.js";

const RUN = 700;
/** What each thread must have done, besides. */
const LEAST = 30;
const file = new URL("./checked-worker.js", import.meta.url);

interface Plan {
  readonly name: string;
  readonly work: Work;
  /** One for each thread: whether it writes. */
  readonly writes: readonly boolean[];
  /** What must have been checked at least, and how many words by several threads. */
  readonly checks: number;
  readonly sharedWords: number;
  /** Call sites are kept of one check in so many: where there are many checks, their stacks are nearly all of the cost. */
  readonly sites: number;
}

const plans: readonly Plan[] = [
  {
    name: "sections read published blocks while writers replace and retire them",
    work: "blocks",
    writes: [false, true, true],
    checks: 2000,
    sharedWords: 50,
    sites: 1,
  },
  { name: "readers and writers of maps that grow and shrink", work: "map", writes: [false, true, true], checks: 2000, sharedWords: 200, sites: 8 },
  { name: "readers and writers of interval maps", work: "intervalMap", writes: [false, true, true], checks: 2000, sharedWords: 200, sites: 8 },
  { name: "the allocator, with remote frees", work: "allocator", writes: [true, true, true], checks: 2000, sharedWords: 200, sites: 8 },
  { name: "plain words under a robust mutex", work: "mutex", writes: [true, true, true], checks: 2000, sharedWords: 5, sites: 1 },
  { name: "threads attach and detach in storms", work: "storms", writes: [true, true, true], checks: 2000, sharedWords: 50, sites: 4 },
];

/** Words that all threads share, and the threads. */
function begin(arena: CheckedArena, crew: CheckedCrew, work: Work, writes: readonly boolean[], busted: boolean): { common: Address; hands: Hand<number>[] } {
  const seed = seedOf(`checked ${work}`);
  const { memory } = arena.thread;
  const common = arena.domain.arena.heap.kmalloc(COMMON_BYTES);
  for (let word = 0; word < COMMON_BYTES / 4; word++) {
    if (word >= COUNTERS && word < COUNTERS + 4) memory.write(field(common, word), 0);
    else memory.store(field(common, word), 0);
  }
  const hands = writes.map((writes, index) => crew.start<CheckedJob, number>(file, `${work} ${index}`, { work, index, writes, common, seed, busted }));
  return { common, hands };
}

for (const { name, work, writes, checks, sharedWords, sites } of plans) {
  test(`no race and no misused word: ${name}`, async () => {
    const arena = CheckedArena.create({ threads: writes.length + 1, extraPages: 64, sampling: { sites } });
    const crew = new CheckedCrew(arena);
    await crew.run(async () => {
      const { common, hands } = begin(arena, crew, work, writes, false);
      await crew.within(LIMIT, "all to begin", Promise.all(hands.map(({ begun }) => begun)));
      const ends = performance.now() + RUN;
      const isEnough = (): boolean => performance.now() >= ends && hands.every(({ beats }) => beats() > LEAST);
      const enough = (async () => {
        for (; !isEnough(); await sleep(20)) await crew.within(LIMIT, "a grace period while all are busy", arena.domain.synchronize());
      })();
      await crew.within(LIMIT, "enough to be checked", enough);
      const done = await crew.finish(LIMIT, hands);
      assert.deepEqual(crew.failures, []);
      if (work === "mutex")
        assert.equal(
          arena.thread.memory.read(field(common, COUNTERS)),
          done.reduce((sum, times) => sum + times, 0),
        );
      assert.deepEqual(arena.domain.arena.check(), []);
      arena.close();
      const saw = arena.thread.work();
      assert.ok(saw.checks >= checks, `only ${saw.checks} words were checked`);
      assert.ok(saw.sharedWords >= sharedWords, `only ${saw.sharedWords} words were touched by several threads`);
      console.log(`checked ${work}: ${done.join(", ")} done, ${saw.checks} checks, ${saw.sharedWords} words shared`);
    });
  });
}

test("when grace periods wait for nobody, it is found", async () => {
  const arena = CheckedArena.create({ threads: 4 });
  const crew = new CheckedCrew(arena);
  const found = crew.run(async () => {
    begin(arena, crew, "blocks", [false, true, true], true);
    await crew.within(LIMIT, "something to be found", new Promise(() => {}));
  });
  await assert.rejects(found, /^Error: the checker found:/);
  const { kind, message, stacks } = crew.report ?? assert.fail("no report");
  assert.ok(kind === "race" || kind === "use-after-free", message);
  assert.equal(stacks.length, 2);
  assert.match(stacks.join("\n"), /readBlock/);
});
