/** The writer of ip-lookup: 1,000 updates a second while it is told so; control[0] is 1 to write, 0 to rest, -1 to end. */

import { parentPort, workerData } from "node:worker_threads";
import { Shared, type SharedHandle, struct, u16, u32 } from "../src/index.js";

const RATE = 1000;
const { handle, control } = workerData as { handle: SharedHandle; control: Int32Array };
const shared = Shared.attach(handle);
const map = shared.intervalMap("ipv4", { bounds: "u32", value: struct({ country: u16, version: u32 }) });
const ranges = [...map.entries(0, 0x3fffffff)].filter(([lo, hi]) => hi > lo);
parentPort?.postMessage("ready");

let version = 0;
for (let state = 0; state >= 0; state = Atomics.load(control, 0)) {
  if (state === 0) {
    // Nothing here holds a reference, and this thread may rest as long as it likes.
    shared.domain.offline(() => Atomics.wait(control, 0, 0, 100));
    continue;
  }
  const due = performance.now() + 10;
  for (let i = 0; i < RATE / 100; i++) {
    const [lo, hi, { country }] = ranges[Math.floor(Math.random() * ranges.length)] as (typeof ranges)[number];
    version++;
    // Splits a range in two, or makes it one again.
    map.set(lo, version % 2 === 0 ? hi : lo + Math.floor((hi - lo) / 2), { country, version });
    Atomics.add(control, 1, 1);
  }
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
}
shared.close();
