// Publishing, as the kernel book shows it (K1): readers see the whole old structure, or the whole new one. And writers are protected from each other by
// a lock of their own (K2). Run: node examples/super-duper.mjs
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { i32, Shared, struct } from "quiesce";
import { SpinLock } from "quiesce/memory";

// struct super_duper { int meaning, of, life; };  struct super_duper *ptr;
const superDuper = struct({ meaning: i32, of: i32, life: i32 });

const shared = isMainThread ? Shared.create({ bytes: 2 ** 21 }) : Shared.attach(workerData);
const { domain } = shared;
const { heap, memory } = domain.arena;

if (!isMainThread) {
  const { ptr } = workerData;
  let [torn, seen, last] = [0, 0, -1];
  const look = () =>
    domain.read(() => {
      // if ((p = rcu_dereference(ptr)) != NULL) ... p->meaning, p->of, p->life
      const { meaning, of, life } = superDuper.read(memory, domain.dereference(ptr));
      if (of !== meaning + 42 || life !== meaning + 23) torn++;
      if (meaning !== last) seen++;
      last = meaning;
    });
  look();
  parentPort.postMessage("ready");
  while (last < 20_000) look();
  parentPort.postMessage({ torn, seen });
  shared.close();
} else {
  const ptr = heap.kmalloc(4);
  const lock = new SpinLock(memory, heap.kmalloc(4), heap.slot);
  memory.store(lock.address, 0);

  const publish = (meaning) => {
    const new_ptr = heap.kmalloc(superDuper.words * 4);
    superDuper.write(memory, new_ptr, { meaning, of: meaning + 42, life: meaning + 23 }); // before it is published
    const old = lock.withLock(() => domain.replacePointer(ptr, new_ptr)); // rcu_assign_pointer(ptr, new_ptr)
    if (old !== 0) domain.retire(old); // freed when the last reader is gone
    domain.afterUpdate();
  };
  memory.store(ptr, 0);
  publish(0);

  const worker = new Worker(new URL(import.meta.url), { workerData: { ...shared.handle, ptr } });
  shared.watch(worker);
  await new Promise((resolve) => worker.once("message", resolve));
  const result = new Promise((resolve) => worker.once("message", resolve));
  for (let meaning = 1; meaning <= 20_000; meaning++) publish(meaning);
  const { torn, seen } = await result;
  console.log(`20,000 structures published; the reader saw ${seen > 1 ? "many" : "one"} of them, and ${torn} torn ones`);
  await domain.synchronize();
  domain.flushSync(1000);
  console.log("structures not yet given back:", domain.stats().waiting);
  shared.close();
}
