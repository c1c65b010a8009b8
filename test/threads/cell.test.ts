/** Threads commit to one cell all at once, each merging with what the others did, and are killed: no commit is lost, or counted twice. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Random, seedOf } from "../../check/support/seed.js";
import { LIMIT, sleep, until } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { type CellJob, counts } from "./cell-job.js";

const THREADS = 3;
const ROUNDS = 8;
/** Commits of a thread, at least, before it is killed. */
const COMMITS = 20;
const file = new URL("./cell-worker.js", import.meta.url);

test("commits of three threads, which are killed and replaced", async () => {
  const shared = Shared.create({ bytes: 2 ** 23 });
  const cell = shared.cell("counts", counts, { initial: Object.fromEntries(Array.from({ length: THREADS }, (_, i) => [i, 0])) });
  const done = new SharedArrayBuffer(4 * THREADS);
  const start = async (index: number): Promise<Worker> => {
    const workerData: CellJob = { ...shared.handle, index, done };
    const worker = new Worker(file, { workerData });
    shared.watch(worker);
    await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    return worker;
  };
  const random = new Random(seedOf("commits with kills"));
  const noted = (index: number): number => Atomics.load(new Int32Array(done), index);
  const seen: number[] = [];
  const abort = new AbortController();
  const watching = (async () => {
    for await (const value of cell.watch({ signal: abort.signal })) seen.push(Object.values(value).reduce((sum, n) => sum + n, 0));
  })().catch((error: Error) => error.name);

  const workers = await Promise.all(Array.from({ length: THREADS }, (_, index) => start(index)));
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const index = round % THREADS;
      const before = noted(index);
      await until(LIMIT, `thread ${index} to commit`, () => noted(index) >= before + COMMITS);
      await sleep(random.below(40)); // to be in the middle of whatever it is
      await workers[index]?.terminate();
      // One that died between its commit and its note has committed one more.
      const count = cell.get()[index] as number;
      assert.ok(count === noted(index) || count === noted(index) + 1, `thread ${index} noted ${noted(index)} commits, the cell has ${count}`);
      workers[index] = await start(index);
    }
  } finally {
    for (const worker of workers) await worker.terminate();
  }
  const total = Object.values(cell.get()).reduce((sum, n) => sum + n, 0);
  assert.equal(cell.version, total + 1, "each commit made one version");
  assert.ok(total >= ROUNDS * COMMITS, `${total} commits are too few to mean anything`);
  await until(LIMIT, "the watcher to see the last", () => seen.at(-1) === total);
  abort.abort();
  assert.equal(await watching, "AbortError");
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  await shared.domain.synchronize();
  assert.deepEqual(shared.check(), []);
  shared.close();
});
