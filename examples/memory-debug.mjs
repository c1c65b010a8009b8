// Debug mode of the allocators: a write after free, and a leak (L11). Run: node examples/memory-debug.mjs
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Shared } from "quiesce";
import { field } from "quiesce/memory";

const onMemoryReport = ({ fault, offset, object }) => {
  console.log(`${fault}, ${offset} bytes into a block of ${object.bytes}`);
  console.log(`  allocated by "${object.allocated.name}"${object.allocated.stack.split("\n")[0]}`);
  console.log(`  freed by "${object.freed.name}"${object.freed.stack.split("\n")[0]}`);
};
const options = { name: isMainThread ? "main" : "importer", onMemoryReport };
const shared = isMainThread ? Shared.create({ ...options, bytes: 8 * 2 ** 20, debugMemory: true }) : Shared.attach(workerData, options);
const { heap, memory } = shared.domain.arena;
heap.debug.warns = false; // each report is a process warning too

function writeAfterFree() {
  const block = heap.kmalloc(40);
  heap.kfree(block);
  memory.write(field(block, 3), 1); // the block is poisoned and in quarantine
  heap.withArenaLock(() => heap.shrink()); // ends the quarantine, as time or a shortage of memory would
}

function forget() {
  for (let i = 0; i < 3; i++) heap.kmalloc(100);
}

if (isMainThread) {
  writeAfterFree();
  const worker = new Worker(new URL(import.meta.url), { workerData: shared.handle });
  shared.watch(worker);
  worker.on("exit", () => {
    console.log(`leaks of threads that are gone:\n${heap.debug.leakTable({ gone: true })}`);
    shared.close();
  });
} else {
  forget();
  shared.close();
}
