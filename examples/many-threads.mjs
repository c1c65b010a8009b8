// Many threads (B4): in the tree flavor each reports its quiescent states to a leaf, and the last one out goes up. Here 8 workers read while the main
// thread updates, in a tree of fan-out 2, four levels high, to have something to climb. Run: node examples/many-threads.mjs
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Shared, u32 } from "quiesce";

const WORKERS = 8;
const UPDATES = 10;

const shared = isMainThread ? Shared.create({ bytes: 8 * 2 ** 20, flavor: "tree", slots: 16, fanOut: 2 }) : Shared.attach(workerData);
const map = shared.intervalMap("map", { bounds: "u32", value: u32 });

if (!isMainThread) {
  let reads = 0;
  let missing = 0;
  const round = () => {
    for (let key = 0; key < 1000; key++) if (map.get(key) === undefined) missing++;
    reads += 1000;
    if (map.get(0) < UPDATES) setImmediate(round); // a turn of the event loop ends: a quiescent state
    else {
      parentPort.postMessage({ reads, missing });
      shared.close();
    }
  };
  parentPort.postMessage("ready");
  round();
} else {
  map.set(0, 999, 0);
  const workers = Array.from({ length: WORKERS }, () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: shared.handle });
    shared.watch(worker);
    return worker;
  });
  const ended = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
  const message = (worker) => new Promise((resolve) => worker.once("message", resolve));
  await Promise.all(workers.map(message));
  console.log(`${shared.domain.stats().slots.length} threads in a ${shared.domain.flavor} of 16 slots`);

  const results = workers.map(message);
  const interval = shared.domain.measure();
  for (let i = 1; i <= UPDATES; i++) {
    map.set(0, 999, i);
    await shared.domain.synchronize(); // all of them have passed a quiescent state
  }
  const { gracePeriods, gpMicros } = interval.stats();
  console.log(`${UPDATES} updates, each waited for: at least ${Math.min(gracePeriods, UPDATES)} grace periods`);
  console.log(`a grace period took ${gpMicros.p50} us (median), with all of them busy`);
  const missing = (await Promise.all(results)).reduce((sum, result) => sum + result.missing, 0);
  console.log("lookups that missed a key that was there all the while:", missing);
  await Promise.all(ended);
  console.log("violated invariants:", shared.check().length);
  shared.close();
}
