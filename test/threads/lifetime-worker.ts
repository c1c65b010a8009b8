/** Workers of lifetime.test.ts. They never call process.exit: when nothing keeps them alive they end. */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { QuiesceError, Shared, type SharedHandle, u32 } from "../../src/index.js";

interface LifetimeJob {
  readonly handle: SharedHandle;
  readonly mode: "use" | "stay" | "closeAndStay" | "cycles" | "hang";
}

const { handle, mode } = workerData as LifetimeJob;
const port = parentPort as MessagePort;

function open(): Shared {
  const shared = Shared.attach(handle);
  shared.intervalMap("map", { bounds: "u32", value: u32 });
  return shared;
}

function use(shared: Shared): void {
  const map = shared.intervalMap("map", { bounds: "u32", value: u32 });
  if (map.get(3) === undefined) throw new Error("the map lost an entry");
  map.set(100, 110, Math.trunc(performance.now()));
  shared.domain.retire(shared.domain.arena.heap.kmalloc(64, 1));
}

const modes: Record<LifetimeJob["mode"], () => void> = {
  use() {
    const shared = open();
    use(shared);
    shared.domain.call(() => {});
  },
  stay() {
    try {
      open();
      port.postMessage("attached");
      port.on("message", () => {}); // keeps it alive
    } catch (error) {
      port.postMessage(error instanceof QuiesceError ? error.code : String(error));
    }
  },
  closeAndStay() {
    const shared = open();
    use(shared);
    shared.close();
    shared.close();
    port.postMessage("closed");
    port.on("message", () => {});
  },
  cycles() {
    for (let cycle = 0; cycle < 1000; cycle++) {
      const shared = open();
      if (cycle % 10 === 0) use(shared);
      else shared.intervalMap("map", { bounds: "u32", value: u32 }).get(3);
      shared.close();
    }
    port.postMessage("done");
  },
  hang() {
    const { domain } = open();
    // In a later turn: Deno ends no thread that hangs in the turn that attached it.
    setTimeout(() => {
      domain.readLock();
      port.postMessage("attached");
      for (;;);
    }, 20);
  },
};

modes[mode]();
