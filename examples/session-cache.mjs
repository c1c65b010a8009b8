// A session cache: entries that expire, and a map that is never fuller than it may be; what is read stays. Run: node examples/session-cache.mjs
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { jsonOf, Shared, u32, utf8 } from "quiesce";

const WORKERS = 3;
const MEMBERS = 100; // who are there all the time
const VISITORS = 3000; // who come once, in each worker
const MOST = 1000; // sessions held at most
const SHORT = 2000; // ms

const shared = isMainThread ? Shared.create({ bytes: 8 * 2 ** 20 }) : Shared.attach(workerData);
const sessions = shared.map("sessions", { key: utf8, value: jsonOf(), ttl: 3_600_000, maxEntries: MOST });
const views = shared.map("views", { key: utf8, value: u32 });

/** The session of a member; who is not in the cache is looked up elsewhere, and put in by one of those who miss it. */
function sessionOf(member, onMiss) {
  const session = sessions.get(member);
  if (session !== undefined) return session;
  onMiss();
  sessions.setIfAbsent(member, { name: member });
  return sessions.get(member);
}

if (!isMainThread) {
  let reads = 0;
  let misses = 0;
  for (let i = 0; i < VISITORS; i++) {
    sessions.set(`visitor ${workerData.worker}.${i}`, { page: "/" }); // when the map is full, one that nobody has read of late goes
    views.update("/", (count = 0) => count + 1); // read, changed and written as one, whoever else does the same
    if (i % 20 !== 0) continue;
    for (let j = 0; j < MEMBERS; j++, reads++) sessionOf(`member ${j}`, () => misses++); // read by somebody: stays
    await new Promise(setImmediate); // a turn ends: what was replaced can be given back
  }
  parentPort.postMessage({ reads, misses });
  shared.close();
} else {
  sessions.setMany(Array.from({ length: MEMBERS }, (_, i) => [`member ${i}`, { name: `member ${i}` }]));

  const workers = Array.from({ length: WORKERS }, (_, i) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { ...shared.handle, worker: i } });
    shared.watch(worker);
    return worker;
  });
  const ended = workers.map((worker) => once(worker, "exit"));
  const results = await Promise.all(workers.map((worker) => once(worker, "message")));
  const sum = (field) => results.reduce((sum, [result]) => sum + result[field], 0);
  await Promise.all(ended);

  console.log(`${MEMBERS} members and ${WORKERS * VISITORS} visitors; the map holds at most ${MOST}: ${sessions.size <= MOST + WORKERS}`);
  console.log(`of ${sum("reads")} reads of members' sessions at least 99 % found them: ${sum("misses") < 0.01 * sum("reads")} (${sum("misses")} did not)`);
  console.log("page views, counted by all workers:", views.get("/"), "of", WORKERS * VISITORS);

  // The same object until the session changes: a lookup, and no JSON is parsed again. It is frozen; getCopy gives one of your own.
  const [before, again] = [sessionOf("member 1", () => {}), sessions.get("member 1")];
  console.log("decoded once:", before === again, "- frozen:", Object.isFrozen(before));

  // A time of its own for one entry. Using it makes it last.
  sessions.set("guest idle", {}, { ttl: SHORT });
  sessions.set("guest busy", {}, { ttl: SHORT });
  const both = sessions.has("guest idle") && sessions.has("guest busy");
  for (let ms = 0; ms < 1.3 * SHORT; ms += 100) {
    await sleep(100);
    sessions.update("guest busy", (session) => session, { ttl: SHORT });
  }
  console.log(`both guests were there: ${both}; ${SHORT} ms later the idle one: ${sessions.has("guest idle")}, the busy one: ${sessions.has("guest busy")}`);

  console.log("logged out:", sessions.delete("member 1"), "- and again:", sessions.delete("member 1"));
  console.log("violated invariants:", shared.check().length);
  shared.close();
}
