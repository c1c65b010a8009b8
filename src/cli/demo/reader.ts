/**
 * A reader thread: looks addresses up and checks every answer, for 10 ms at a time, then lets
 * its event loop turn.
 */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Shared } from "../../index.js";
import type { CheckerOptions } from "./checker.js";
import { Checker4 } from "./checker4.js";
import { Checker6 } from "./checker6.js";
import { Control } from "./control.js";
import { openMaps } from "./maps.js";
import type { FromWorker, Tables, WorkerInput } from "./protocol.js";
import { Random } from "./random.js";

const TURN = 10;
/** Lookups between two looks at the clock. */
const BATCH = 256;

const port = parentPort as MessagePort;
const input = workerData as WorkerInput;
const { seed, thread } = input;
const say = (message: FromWorker): void => port.postMessage(message);

const shared = Shared.attach(input.handle);
const maps = openMaps(shared);
const control = Control.attach(input.control);
const options = ({ base, gaps }: Tables): CheckerOptions => ({
  base,
  gaps,
  control,
  seed,
  thread,
  onWrong: (text) => say({ type: "wrong", text }),
});
const checker4 = new Checker4(maps.v4, options(input.ipv4));
const checker6 = new Checker6(maps.v6, options(input.ipv6));
const count4 = input.ipv4.base.count;
const count6 = input.ipv6.base.count;
const gaps4 = input.ipv4.gaps.count;
const gaps6 = input.ipv6.gaps.count;
const hot4 = checker4.hot;
const hot6 = checker6.hot;
const random = new Random(seed, 1000 + thread);

/**
 * Both families in proportion to their ranges. One lookup in 16 goes where there is nothing,
 * one where the writer is busiest, the rest anywhere at all.
 */
function batch(): void {
  for (let lookup = 0; lookup < BATCH; lookup++) {
    const choice = random.bits() & 15;
    if (choice === 0) {
      const index = random.below(gaps4 + gaps6);
      if (index < gaps4) checker4.gap(index);
      else checker6.gap(index - gaps4);
    } else if (choice === 1 && hot4.length + hot6.length > 0) {
      const index = random.below(hot4.length + hot6.length);
      if (index < hot4.length) checker4.covered(hot4[index] as number);
      else checker6.covered(hot6[index - hot4.length] as number);
    } else {
      const index = random.below(count4 + count6);
      if (index < count4) checker4.covered(index);
      else checker6.covered(index - count4);
    }
  }
}

function turn(): void {
  const ends = performance.now() + TURN;
  do batch();
  while (performance.now() < ends && !control.stopping);
  control.setLookups(thread, checker4.lookups + checker6.lookups);
  if (!control.stopping) {
    setImmediate(turn);
    return;
  }
  shared.close();
  say({ type: "done" });
}

// `once`: when the listener is gone, the port no longer keeps this thread alive.
port.once("message", turn);
say({ type: "ready" });
