// A trace of a short run, of two threads, for https://ui.perfetto.dev or chrome://tracing. Run: node examples/trace.mjs [file]
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Shared, u32 } from "quiesce";
import { mergeTraces, Trace } from "quiesce/rcu";

const shared = isMainThread ? Shared.create({ bytes: 4 * 2 ** 20 }) : Shared.attach(workerData);
const map = shared.intervalMap("map", { bounds: "u32", value: u32 });
const trace = isMainThread ? new Trace(1, "writer") : new Trace(2, "reader"); // each thread records itself

if (!isMainThread) {
  const end = performance.now() + 60;
  const turn = () => {
    for (let key = 0; key < 2000; key++) map.get(key);
    if (performance.now() < end) setImmediate(turn);
    else {
      parentPort.postMessage(trace.stop());
      shared.close();
    }
  };
  turn();
} else {
  const worker = new Worker(new URL(import.meta.url), { workerData: shared.handle });
  shared.watch(worker);
  const ended = new Promise((resolve) => worker.once("message", resolve));
  for (let i = 0; i < 20; i++) {
    map.set(i * 50, i * 50 + 80, i);
    shared.domain.call(() => {});
    await shared.domain.synchronize();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await shared.domain.barrier();
  const merged = mergeTraces([trace.stop(), await ended]);

  const file = process.argv[2] ?? join(tmpdir(), "quiesce-trace.json");
  writeFileSync(file, JSON.stringify(merged));
  const count = (ph) => merged.traceEvents.filter((event) => event.ph === ph).length;
  console.log(`${count("b")} grace periods began, ${count("e")} ended; ${count("X")} batches of callbacks`);
  console.log("open it in https://ui.perfetto.dev:", file);
  shared.close();
}
