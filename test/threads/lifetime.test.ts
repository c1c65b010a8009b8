/** Who is kept alive by what, and who gives a slot back when. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { drained, settle } from "../../check/support/settle.js";
import { LIMIT, until, within } from "../../check/support/watchdog.js";
import { Shared, u32 } from "../../src/index.js";
import { slotsUsed } from "../../src/memory/slot.js";

const child = fileURLToPath(new URL("./lifetime-child.js", import.meta.url));

/** Run a mode of the child in a process of its own; fails with what it printed when it does not end by itself. */
async function run(mode: string): Promise<{ code: number | null; out: string; seconds: number }> {
  const started = performance.now();
  const process_ = spawn(process.execPath, [child, mode], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  for (const stream of [process_.stdout, process_.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    process_.on("close", resolve);
  });
  try {
    const code = await within(LIMIT, `the process "${mode}" to end by itself`, ended, () => `it printed: ${out}`);
    return { code, out, seconds: (performance.now() - started) / 1000 };
  } finally {
    process_.kill("SIGKILL");
  }
}

test("reading, updating, retiring and callbacks, in two threads, keep no process alive", async () => {
  const { code, out } = await run("quiet");
  assert.equal(out, "");
  assert.equal(code, 0);
});

test("what waits for a grace period that does not end keeps no process alive", async () => {
  const { code, out } = await run("pending");
  assert.equal(out, "waiting 1\n");
  assert.equal(code, 0);
});

test("a pending synchronize() keeps the process alive until it resolves", async () => {
  const { code, out, seconds } = await run("synchronize");
  assert.equal(out, "resolved\n");
  assert.equal(code, 0);
  assert.ok(seconds > 0.3, "not before the section had ended");
});

test("pauses end though nothing else happens in the process", async () => {
  const { code, out } = await run("pause");
  assert.deepEqual([code, out], [7, ""]);
});

/** Workers of one test, terminated at its end. */
async function withShared(
  slots: number,
  test_: (shared: Shared, start: (mode: string) => Promise<{ worker: Worker; said: string }>) => Promise<Shared>,
): Promise<void> {
  let shared = Shared.create({ bytes: 8 * 2 ** 20, slots });
  shared.intervalMap("map", { bounds: "u32", value: u32 }).set(0, 9, 1);
  const workers: Worker[] = [];
  const start = async (mode: string): Promise<{ worker: Worker; said: string }> => {
    const worker = new Worker(new URL("./lifetime-worker.js", import.meta.url), { workerData: { handle: shared.handle, mode } });
    workers.push(worker);
    shared.watch(worker);
    const said = new Promise<string>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    return { worker, said: await within(LIMIT, `a worker (${mode}) to say something`, said) };
  };
  try {
    shared = await test_(shared, start);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    shared.close();
  }
}

test("close() in a worker frees its slot while the worker lives on", async () => {
  await withShared(4, async (shared, start) => {
    const { said } = await start("closeAndStay");
    assert.equal(said, "closed");
    assert.equal(shared.stats().threads, 1);
    return shared;
  });
});

test("when all slots are taken, attach says so; a watched worker's death frees one", async () => {
  await withShared(3, async (shared, start) => {
    assert.equal((await start("stay")).said, "attached");
    const { worker, said } = await start("hang");
    assert.equal(said, "attached");
    assert.equal((await start("stay")).said, "ERR_TOO_MANY_THREADS");
    assert.equal(shared.stats().threads, 3);
    void worker.terminate();
    await until(LIMIT, "the dead worker's slot to be free", () => shared.stats().threads === 2);
    await within(LIMIT, "a grace period after its death in a section", shared.domain.synchronize());
    assert.equal((await start("stay")).said, "attached");
    return shared;
  });
});

test("1000 cycles of attach and close use the same slots and leave nothing", async () => {
  await withShared(8, async (shared, start) => {
    const map = () => shared.intervalMap("map", { bounds: "u32", value: u32 });
    shared = await settle(shared, [map()]);
    const baseline = drained(shared);
    map().set(0, 9, 1);
    const { worker, said } = await start("cycles");
    assert.equal(said, "done");
    await within(LIMIT, "the worker to end", new Promise((resolve) => worker.once("exit", resolve)));
    assert.ok(slotsUsed(shared.domain.arena.memory) <= 8);
    shared = await settle(shared, [map()]);
    assert.deepEqual(drained(shared), baseline);
    return shared;
  });
});
