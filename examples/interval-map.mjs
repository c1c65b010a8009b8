// Ranges that every thread reads and one changes. Run: node examples/interval-map.mjs
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Shared, u16 } from "quiesce";

const schema = { bounds: "u32", value: u16 };

if (isMainThread) {
  const shared = Shared.create({ bytes: 16 * 2 ** 20 });
  const ranges = shared.intervalMap("ranges", schema);
  ranges.load([
    [10, 39, 1],
    [50, 69, 2],
  ]);

  const worker = new Worker(new URL(import.meta.url), { workerData: shared.handle });
  shared.watch(worker); // if it dies, what it held is given back

  worker.once("message", (before) => {
    console.log("the worker found", before, "at 25");
    ranges.set(20, 49, 2); // trims the first range, joins the second: one step for every reader
    console.log([...ranges]);
    worker.once("message", (after) => {
      console.log("now it finds", after);
      shared.close();
    });
    worker.postMessage("look again");
  });
} else {
  const shared = Shared.attach(workerData);
  const ranges = shared.intervalMap("ranges", schema);
  parentPort.postMessage(ranges.get(25)); // no lock, no copy, no message for the data
  parentPort.once("message", () => {
    parentPort.postMessage(ranges.get(25));
    shared.close();
  });
}
