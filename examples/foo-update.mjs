// foo_update_a() and foo_get_a() as the slides have them (S3), on real threads: two update, two read. Run: node examples/foo-update.mjs
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { i32, offsetOf, Shared, struct, u16 } from "quiesce";
import { field, SpinLock } from "quiesce/memory";

// struct foo { int a; char b; long c; };  struct foo *gbl_foo;  DEFINE_SPINLOCK(foo_mutex);
const foo = struct({ a: i32, b: u16, c: i32 });
const BYTES = foo.words * 4;

const shared = isMainThread ? Shared.create({ bytes: 2 ** 21 }) : Shared.attach(workerData);
const { domain } = shared;
const { heap, memory } = domain.arena;
const gbl_foo = isMainThread ? heap.kmalloc(4) : workerData.gbl_foo;
const foo_mutex = new SpinLock(memory, isMainThread ? heap.kmalloc(4) : workerData.foo_mutex, heap.slot);

function foo_update_a(new_a) {
  const new_fp = heap.kmalloc(BYTES);
  foo_mutex.lock();
  const old_fp = domain.accessPointer(gbl_foo); // with the lock held nobody else changes it
  memory.copy(new_fp, old_fp, foo.words); //        *new_fp = *old_fp;
  memory.write(field(new_fp, offsetOf(foo, "a")), new_a); // private until it is published: a plain write
  domain.assignPointer(gbl_foo, new_fp);
  foo_mutex.unlock();
  domain.synchronizeSync();
  heap.kfree(old_fp);
}

function foo_get_a() {
  const index = domain.readLock();
  const retval = memory.read(field(domain.dereference(gbl_foo), offsetOf(foo, "a")));
  domain.readUnlock(index);
  return retval;
}

if (!isMainThread) {
  const { role, first } = workerData;
  if (role === "update") {
    for (let i = 0; i < 500; i++) foo_update_a(first + i);
    parentPort.postMessage({ role, text: `500 updates, the last one a = ${first + 499}` });
  } else {
    let strange = 0;
    const seen = new Set();
    for (let i = 0; i < 300_000; i++) {
      const a = foo_get_a();
      seen.add(a);
      if (a !== 0 && !(a >= 1000 && a < 1500) && !(a >= 2000 && a < 2500)) strange++;
    }
    parentPort.postMessage({ role, text: `300,000 reads, ${strange} of them wrong`, values: seen.size });
  }
  shared.close();
} else {
  memory.store(foo_mutex.address, 0);
  const first = heap.kmalloc(BYTES);
  foo.write(memory, first, { a: 0, b: 98, c: 99 });
  domain.assignPointer(gbl_foo, first);

  const jobs = [{ role: "read" }, { role: "read" }, { role: "update", first: 1000 }, { role: "update", first: 2000 }];
  await Promise.all(
    jobs.map((job) => {
      const handle = { ...shared.handle, gbl_foo, foo_mutex: foo_mutex.address, ...job };
      const worker = new Worker(new URL(import.meta.url), { workerData: handle });
      shared.watch(worker);
      worker.on("message", ({ role, text }) => console.log(`${role}: ${text}`));
      return new Promise((resolve, reject) => worker.on("exit", resolve).on("error", reject));
    }),
  );

  const { b, c } = domain.read(() => foo.read(memory, domain.dereference(gbl_foo)));
  console.log(`the fields that nobody updated are still b = ${b}, c = ${c}`);
  console.log("last a:", [1499, 2499].includes(foo_get_a()) ? "one updater's last" : "something else");
  console.log("violated invariants:", shared.check().length);
  shared.close();
}
