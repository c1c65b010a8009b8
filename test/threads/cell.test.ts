/** Threads commit to one cell all at once, each merging with what the others did, and are killed: no commit is lost, or counted twice. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { sleep } from "../../check/support/watchdog.js";
import { Shared } from "../../src/index.js";
import { type CellJob, counts } from "./cell-job.js";

const THREADS = 3;
const ROUNDS = 8;
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
  const seen: number[] = [];
  const abort = new AbortController();
  const watching = (async () => {
    for await (const value of cell.watch({ signal: abort.signal })) seen.push(Object.values(value).reduce((sum, n) => sum + n, 0));
  })().catch((error: Error) => error.name);

  const workers = await Promise.all(Array.from({ length: THREADS }, (_, index) => start(index)));
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(60);
    const index = round % THREADS;
    await workers[index]?.terminate();
    // One that died between its commit and its note has committed one more.
    const noted = Atomics.load(new Int32Array(done), index);
    const count = cell.get()[index] as number;
    assert.ok(count === noted || count === noted + 1, `thread ${index} noted ${noted} commits, the cell has ${count}`);
    workers[index] = await start(index);
  }
  for (const worker of workers) await worker.terminate();
  await sleep(50);
  const total = Object.values(cell.get()).reduce((sum, n) => sum + n, 0);
  assert.equal(cell.version, total + 1, "each commit made one version");
  assert.ok(total > 100, `${total} commits are too few to mean anything`);
  await sleep(50);
  abort.abort();
  assert.equal(await watching, "AbortError");
  assert.equal(seen.at(-1), total, "the watcher saw the last");
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
  await shared.domain.synchronize();
  assert.deepEqual(shared.check(), []);
  shared.close();
});
