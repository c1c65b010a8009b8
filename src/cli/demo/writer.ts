/**
 * The writer thread: a timer each 10 ms makes the updates that are due by then.
 */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Shared } from "../../index.js";
import { Changer } from "./changes.js";
import { Control } from "./control.js";
import { family4, family6, openMaps } from "./maps.js";
import { MAX_VERSION } from "./plan.js";
import type { FromWorker, WorkerInput } from "./protocol.js";
import { Random } from "./random.js";
import { DESCRIBED } from "./wrong.js";

/** Milliseconds between two ticks, and the most a tick may take before stop is looked at. */
const TICK = 10;
/** A writer that was held up makes up for at most so many milliseconds; the rest is lost. */
const CATCH_UP = 100;

const port = parentPort as MessagePort;
const input = workerData as WorkerInput;
const { seed, thread, updates: rate } = input;
const say = (message: FromWorker): void => port.postMessage(message);

const shared = Shared.attach(input.handle);
const maps = openMaps(shared);
const control = Control.attach(input.control);
const random = new Random(seed, 2000 + thread);
const changer4 = new Changer(family4(maps.v4), input.ipv4, seed, random, control, thread);
const changer6 = new Changer(family6(maps.v6), input.ipv6, seed, random, control, thread);

/** Updates made, which is also the last version given out. */
let made = 0;
/** Updates due but not made yet, as a fraction. */
let due = 0;
let last = 0;
let described = 0;

function tick(): void {
  const now = performance.now();
  due = Math.min(due + ((now - last) * rate) / 1000, Math.max(1, (CATCH_UP * rate) / 1000));
  last = now;
  while (due >= 1 && made < MAX_VERSION && !control.stopping) {
    due--;
    update();
    if ((made & 15) === 0 && performance.now() - now > TICK) break;
  }
}

function update(): void {
  const version = ++made;
  const changer = random.below(changer4.touched + changer6.touched) < changer4.touched ? changer4 : changer6;
  const problem = changer.update(version);
  if (problem === undefined) return;
  control.addWrong(thread);
  if (described++ < DESCRIBED) say({ type: "wrong", text: problem });
}

function run(): void {
  last = performance.now();
  const timer = setInterval(() => {
    // With --updates 0, or nothing that may be touched, this thread only waits for the end.
    if (rate > 0 && changer4.touched + changer6.touched > 0) tick();
    if (!control.stopping) return;
    clearInterval(timer);
    shared.close();
    say({ type: "done" });
  }, TICK);
}

port.once("message", run);
say({ type: "ready" });
