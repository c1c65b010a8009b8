/**
 * A process of its own for lifetime.test.ts: what keeps it alive, and what must not. It prints what happened; when it ends is the test.
 */

import { Worker } from "node:worker_threads";
import { Shared, u32 } from "../../src/index.js";
import { Arena } from "../../src/memory/arena.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { Domain } from "../../src/rcu/domain.js";
import { pause } from "../../src/rcu/pause.js";

process.removeAllListeners("warning"); // of sections left open over a turn, on purpose

const shared = Shared.create({ bytes: 4 * 2 ** 20 });
const map = shared.intervalMap("map", { bounds: "u32", value: u32 });
map.set(0, 9, 1);

/** A second reader in this thread, whose section is open until `end` is called. */
function openSection(): () => void {
  const domain = new Domain(new Arena(new SharedMemory(shared.handle.buffer), 999_999));
  domain.readLock();
  return () => domain.readUnlock();
}

const modes: Record<string, () => void> = {
  /** Everything in use, nothing closed, in two threads. */
  quiet() {
    shared.watch(new Worker(new URL("./lifetime-worker.js", import.meta.url), { workerData: { handle: shared.handle, mode: "use" } }));
    map.get(3);
    map.set(4, 5, 2);
    shared.domain.retire(shared.domain.arena.heap.kmalloc(64, 1));
    shared.domain.call(() => {});
  },
  /** What is retired and called waits for a grace period that does not end. */
  pending() {
    openSection();
    shared.domain.retire(shared.domain.arena.heap.kmalloc(64, 1));
    shared.domain.call(() => console.log("called"));
    setTimeout(() => console.log(`waiting ${shared.stats().retired.waiting}`), 50);
  },
  /** A promise of the user is pending: nothing else keeps the process alive, not even what will end the section. */
  synchronize() {
    const end = openSection();
    setTimeout(end, 300).unref();
    void shared.domain.synchronize().then(() => console.log("resolved"));
  },
  /** Pauses end though nothing else happens in the process. Only a timer far away keeps it alive. */
  pause() {
    setInterval(() => {}, 2 ** 30);
    const some = async (): Promise<void> => {
      // A single one may be helped by some event of the process's start. After 8 s V8's own housekeeping would come to help.
      for (let i = 0; i < 100; i++) {
        const began = performance.now();
        await pause(1);
        if (performance.now() - began > 6000) console.log(`pause ${i} took ${performance.now() - began} ms`);
      }
      process.exit(7);
    };
    void some();
  },
};

(modes[process.argv[2] as string] as () => void)();
