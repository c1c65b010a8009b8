// Feature flags: a cell that every request of every worker reads, a map of exceptions for single users, and watches that tell. Run: node examples/feature-flags.mjs
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { jsonOf, mergeObjects, Shared, utf8 } from "quiesce";

const WORKERS = 3;
const SWITCHES = 200;

const shared = isMainThread ? Shared.create({ bytes: 4 * 2 ** 20 }) : Shared.attach(workerData);
const flags = shared.cell("flags", jsonOf(), { initial: { newCheckout: false, newPrices: false, banner: "", stopped: false } });
const testers = shared.map("testers", { key: utf8, value: jsonOf() });

/** What a request sees: the flags, which are one object until somebody publishes newer ones, and what differs for this user. */
const flagsOf = (user) => ({ ...flags.get(), ...testers.get(user) });

if (!isMainThread) {
  let requests = 0;
  let torn = 0;
  let told = 0;
  const end = new AbortController();

  // A watch skips what was replaced before it looked, and never misses the latest.
  const watching = (async () => {
    for await (const { stopped } of flags.watch({ signal: end.signal })) {
      told++;
      if (stopped) break;
    }
  })();

  const serve = () => {
    for (let i = 0; i < 500; i++, requests++) {
      const { newCheckout, newPrices } = flagsOf(`user ${i}`);
      if (newCheckout !== newPrices) torn++; // they go together: whoever switches one switches the other
    }
    if (!flags.get().stopped) return setImmediate(serve);
    watching.then(() => {
      parentPort.postMessage({ requests, torn, told, banner: flags.get().banner });
      shared.close();
    });
  };
  parentPort.postMessage("ready");
  serve();
} else {
  const workers = Array.from({ length: WORKERS }, () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: shared.handle });
    shared.watch(worker);
    return worker;
  });
  const ended = workers.map((worker) => once(worker, "exit"));
  await Promise.all(workers.map((worker) => once(worker, "message")));
  const results = workers.map((worker) => once(worker, "message"));

  // Somebody has the form open, and takes her time; no lock is held.
  const form = flags.copy();
  form.value.banner = "Sale!";

  for (let i = 0; i < SWITCHES; i++) {
    flags.update((now) => ({ ...now, newCheckout: !now.newCheckout, newPrices: !now.newPrices }));
    if (i % 20 === 0) await new Promise(setImmediate);
  }
  const { distance } = flags.commit(form, { merge: mergeObjects }); // field by field: both changes stay
  console.log(`the form was saved over ${distance} newer versions; banner: ${flags.get().banner}`);

  // Exceptions are told by the map's watch, as keys that have changed.
  const changes = testers.watch();
  testers.setMany([
    ["user 1", { newCheckout: true, newPrices: true }],
    ["user 7", { newCheckout: true, newPrices: true }],
  ]);
  const { value: users } = await changes.next();
  await changes.return();
  console.log("exceptions changed for", users.sort().join(", "));
  console.log("user 1 sees newCheckout", flagsOf("user 1").newCheckout, "- user 2", flagsOf("user 2").newCheckout);

  flags.update((now) => ({ ...now, stopped: true }));
  let requests = 0;
  let torn = 0;
  let told = 0;
  for (const [result] of await Promise.all(results)) {
    requests += result.requests;
    torn += result.torn;
    if (result.told > 0 && result.banner === "Sale!") told++;
  }
  console.log(`${requests > 0 ? WORKERS : 0} workers served requests during ${SWITCHES} switches; requests that saw one flag without the other: ${torn}`);
  console.log(`${told === WORKERS ? "every" : "not every"} worker's watch was told of the last version`, flags.version);
  await Promise.all(ended);
  console.log("violated invariants:", shared.check().length);
  shared.close();
}
