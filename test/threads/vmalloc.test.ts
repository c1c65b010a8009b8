/** vmalloc and mempool with real threads: pages swapped under those who touch them, elements that go from hand to hand, and threads that are terminated. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Crew, type Hand } from "../../check/support/crew.js";
import { Random, seedOf } from "../../check/support/seed.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { type Address, field, NULL, PAGE_BYTES } from "../../src/memory/address.js";
import { createMempool, type Mempool } from "../../src/memory/mempool.js";
import { FileStore } from "../../src/memory/vmalloc/store.js";
import { type VirtualAddress, virtualField } from "../../src/memory/vmalloc/virtual.js";
import { Vmalloc } from "../../src/memory/vmalloc/vmalloc.js";
import { isWordOf, type Job, type PoolJob, type PoolResult, type SwapJob, type SwapResult, WORDS } from "./vmalloc-job.js";

const MILLISECONDS = 1200;
const THREADS = 3;
/** Turns of each, of 50 touches: then each page has been touched by somebody. */
const TURNS = 50;
const file = new URL("./vmalloc-worker.js", import.meta.url);

async function swapping(kills: number): Promise<string> {
  const seed = seedOf("swap threads");
  const random = new Random(seed);
  const directory = mkdtempSync(join(tmpdir(), "quiesce-"));
  const path = join(directory, "swap");
  const shared = Shared.create({ bytes: 4 * 2 ** 20 });
  const crew = new Crew(shared);
  const store = new FileStore(path);
  try {
    const { heap } = shared.domain.arena;
    const vm = new Vmalloc(heap, { store });
    const free = heap.withArenaLock(() => heap.pages.free);
    const room = 120; // pages left for swappable ones
    const taken = heap.allocPagesBulk(free - room) as Address[];
    const pages = 3 * room;
    const area = vm.vmalloc(pages * PAGE_BYTES, { swap: true });
    assert.notEqual(area, 0);
    const start = (index: number): Hand<SwapResult> =>
      crew.start<SwapJob, SwapResult>(file, `toucher ${index}`, { role: "swap", area, pages, path, index: index % THREADS, of: THREADS, seed: seed + index });
    const hands = Array.from({ length: THREADS }, (_, index) => start(index));
    await crew.within(LIMIT, "all to begin", Promise.all(hands.map(({ begun }) => begun)));
    let killed = 0;
    for (const ends = performance.now() + MILLISECONDS; performance.now() < ends || killed < kills; ) {
      await sleep(20 + random.below(40));
      if (killed >= kills) continue;
      // The next that has its pages begins without knowing their rounds, so pages are written by one thread all the while.
      const victim = hands.shift() as Hand<SwapResult>;
      await victim.worker.terminate();
      await crew.within(LIMIT, "its reaping", victim.gone);
      const next = start(Number(victim.name.split(" ")[1]) + THREADS);
      hands.push(next);
      await crew.within(LIMIT, "the next to begin", next.begun);
      killed++;
    }
    const turns = until(LIMIT, "all to have had turns enough", () => hands.every(({ beats }) => beats() > TURNS));
    await crew.within(LIMIT, "all to have had turns enough", turns);
    const results = await crew.finish(LIMIT, hands);
    assert.deepEqual(crew.failures, []);
    assert.deepEqual(vm.check(), []);
    let written = 0;
    for (let page = 0; page < pages; page++) {
      for (const word of WORDS) {
        const value = vm.read(virtualField(area, page * 1024 + word));
        assert.ok(isWordOf(value, page, word), `word ${word} of page ${page} is ${value}`);
        if (value !== 0) written++;
      }
    }
    assert.ok(written > pages, `${written} words written`);
    const swapped = vm.info()[0]?.swapped ?? 0;
    assert.ok(swapped > pages / 3, `${swapped} of ${pages} pages are out`);
    for (const { address, state } of vm.info()) if (state === "live") vm.vfree(address as VirtualAddress); // the dead may have left some
    for (const page of taken) heap.freePages(page);
    assert.deepEqual(vm.info(), []);
    assert.deepEqual(vm.check(), []);
    await until(LIMIT, "what the dead left to be given back", () => shared.check().length === 0);
    assert.deepEqual(shared.check(), []);
    return `${results.reduce((sum, { touches }) => sum + touches, 0)} touches by those who lived, ${killed} killed`;
  } finally {
    await crew.end();
    shared.close();
    store.close();
    rmSync(directory, { recursive: true });
  }
}

test("three threads touch three times what there is memory for, and each finds what it wrote", async (t) => t.diagnostic(await swapping(0)));

test("so they do when some are terminated", async (t) => t.diagnostic(await swapping(Number(process.env.QUIESCE_KILLS ?? 12))));

/** Tag of what is taken so that a pool's reserve is all there is. */
const REST = -77;

test("a mempool's elements go from hand to hand, none to two, and come back from the dead", async (t) => {
  const seed = seedOf("mempool threads");
  const random = new Random(seed);
  const MIN = 2;
  const shared = Shared.create({ bytes: 4 * 2 ** 20 });
  const crew = new Crew(shared);
  try {
    const { heap, memory } = shared.domain.arena;
    const pool = createMempool(heap, { min: MIN, bytes: 4096 }) as Mempool;
    const holders = heap.kmalloc(4 * MIN);
    memory.fill(holders, MIN, 0);
    const taken: Address[] = [];
    // A pool takes from the caches of kmalloc with a tag: nothing is left in them, nor for a slab of them.
    for (const tag of [0, REST]) for (let block = heap.kmalloc(4096, tag); block !== NULL; block = heap.kmalloc(4096, tag)) taken.push(block);
    const elements = Array.from({ length: MIN }, () => pool.allocNow());
    for (const [i, element] of elements.entries()) memory.write(element, i);
    for (const element of elements) pool.free(element);
    const start = (index: number): Hand<PoolResult> =>
      crew.start<Job, PoolResult>(file, `taker ${index}`, { role: "pool", pool: pool.address, holders, index, seed } satisfies PoolJob);
    const hands = Array.from({ length: THREADS }, (_, index) => start(index));
    await crew.within(LIMIT, "all to begin", Promise.all(hands.map(({ begun }) => begun)));
    let kills = 0;
    for (let next = THREADS; kills < 12; kills++, next++) {
      await sleep(20 + random.below(40));
      const victim = hands.shift() as Hand<PoolResult>;
      await victim.worker.terminate();
      await crew.within(LIMIT, "its reaping", victim.gone);
      const me = Number(victim.name.split(" ")[1]) + 1;
      for (let i = 0; i < MIN; i++) memory.compareExchange(field(holders, i), me, 0);
      const lost = pool.ownedBy(-me);
      assert.ok(lost.length <= 1, "more than it held");
      for (const element of lost) pool.free(element);
      hands.push(start(next));
    }
    await crew.within(LIMIT, "all to begin", Promise.all(hands.map(({ begun }) => begun)));
    const before = hands.map(({ beats }) => beats());
    await until(LIMIT, "everyone to have had an element", () => hands.every(({ beats }, i) => beats() > (before[i] as number)));
    const results = await crew.finish(LIMIT, hands);
    assert.deepEqual(crew.failures, []);
    assert.equal(pool.reserve, MIN, "none is missing");
    assert.deepEqual(pool.check(), []);
    t.diagnostic(`${results.reduce((sum, result) => sum + result.taken, 0)} taken by those who lived, ${kills} killed`);
    for (const block of [...taken, holders]) heap.kfree(block);
    pool.destroy();
    await until(LIMIT, "what the dead left to be given back", () => shared.check().length === 0);
    assert.deepEqual(shared.check(), []);
  } finally {
    await crew.end();
    shared.close();
  }
});
