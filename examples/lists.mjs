// Lists under RCU (K4): the kernel's list_*_rcu on a struct of one's own, a hash list, and the friendly list. Run: node examples/lists.mjs
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { hlistHead, hlistNode, listHead, offsetOf, Shared, struct, u32, utf8 } from "quiesce";
import { field, RobustMutex } from "quiesce/memory";
import { RcuHlist, RcuList } from "quiesce/structures";

// struct route { u32 net, metric; struct list_head list; struct hlist_node hash; };
const route = struct({ net: u32, metric: u32, list: listHead, hash: hlistNode });
const [LIST, HASH] = [offsetOf(route, "list"), offsetOf(route, "hash")];
// struct table { struct mutex lock; struct list_head routes; struct hlist_head bucket; };
const table = struct({ lock: u32, routes: listHead, bucket: hlistHead });

const shared = isMainThread ? Shared.create({ bytes: 2 ** 22, debug: true }) : Shared.attach(workerData);
const { domain } = shared;
const { heap, memory } = domain.arena;
const at = isMainThread ? heap.kmalloc(table.words * 4) : workerData.at;
const [routes, bucket] = [field(at, offsetOf(table, "routes")), field(at, offsetOf(table, "bucket"))];
const lock = new RobustMutex(memory, at, heap.slot); // the list owns it: its writers take it, its readers do not
const list = new RcuList(domain, { lock, name: "routes" });
const hash = new RcuHlist(domain, { lock, name: "by net" });

/** list_for_each_entry_rcu: in a section, and what it copies it may keep. */
function copyOfAll() {
  const copy = [];
  domain.read(() => list.forEachEntryRcu(routes, LIST, (entry) => void copy.push(`${memory.read(entry)}:${memory.read(field(entry, 1))}`)));
  return copy.join(" ");
}

if (!isMainThread) {
  // A reader: whatever is being done, it sees every route once, with one of its metrics.
  const wrong = new Set();
  let reads = 0;
  for (const until = performance.now() + 300; performance.now() < until || reads <= 100; reads++) {
    const nets = copyOfAll().split(" ").map((text) => text.split(":")[0]).join(" ");
    if (nets !== "10 20 30") wrong.add(nets);
  }
  parentPort.postMessage({ wrong: [...wrong], many: reads > 100 });
  shared.close();
} else {
  table.write(memory, at, { lock: 0, routes: 0, bucket: 0 });
  lock.lock();
  list.initHead(routes);
  for (const net of [30, 20, 10]) {
    const entry = heap.kmalloc(route.words * 4);
    route.write(memory, entry, { net, metric: 0, list: 0, hash: 0 });
    list.addRcu(field(entry, LIST), routes);
    hash.addHeadRcu(field(entry, HASH), bucket);
  }
  lock.unlock();
  console.log("routes:", copyOfAll());

  const worker = new Worker(new URL(import.meta.url), { workerData: { ...shared.handle, at } });
  shared.watch(worker);
  const told = new Promise((resolve) => worker.once("message", resolve));

  // The writer: copies a route, changes the copy, puts it in the old one's place, and frees that after a grace period.
  for (let metric = 1; metric <= 500; metric++) {
    lock.lock();
    const old = list.nextOrNullRcu(routes, list.nextRcu(routes), LIST); // the second; with the lock held no section is needed
    const entry = heap.kmalloc(route.words * 4);
    route.write(memory, entry, { net: memory.read(old), metric, list: 0, hash: 0 });
    list.replaceRcu(field(old, LIST), field(entry, LIST));
    hash.replaceRcu(field(old, HASH), field(entry, HASH));
    lock.unlock();
    domain.retire(old);
  }
  console.log("after 500 replacements:", copyOfAll());
  const { wrong, many } = await told;
  console.log(`the reader walked it many times: ${many}; saw anything else than its three routes: ${wrong.length}`);

  // Forgetting the lock is reported in debug mode; deleting twice always.
  const first = list.entryLockless(routes, LIST);
  const refused = (fn) => {
    try {
      fn();
    } catch (error) {
      console.log("refused:", error.code);
    }
  };
  refused(() => list.delRcu(field(first, LIST)));
  lock.lock();
  list.delRcu(field(first, LIST));
  hash.delRcu(field(first, HASH));
  refused(() => list.delRcu(field(first, LIST)));
  // Splicing takes a grace period: a reader on his way through must come to the end of the list he began in.
  const attic = heap.kmalloc(listHead.words * 4);
  list.initHead(attic);
  list.spliceInitRcu(routes, attic);
  lock.unlock();
  domain.retire(first);
  console.log(`spliced away: "${copyOfAll()}" is left`);

  // The friendly list: no addresses, no locks to think of.
  const jobs = shared.list("jobs", utf8);
  const build = jobs.push("build");
  jobs.push("deploy");
  const test = jobs.insertAfter(build, "test");
  jobs.unshift("fetch");
  jobs.replace(test, "test twice");
  console.log("jobs:", [...jobs].join(", "));
  console.log("removed:", jobs.remove(test), "and again:", jobs.remove(test));
  for (const [ref, job] of jobs.entries()) if (job !== "deploy") jobs.remove(ref); // while it is walked
  console.log("jobs left:", [...jobs].join(", "), "- last:", jobs.last());
  console.log("violated invariants:", jobs.check().length);
  shared.close();
}
