// A routing table that is changed while requests come in: several workers behind one port look the path of each request up in one shared.map, and the main thread changes routes all
// the while. No request fails, and none sees half a route. Run: node examples/routing-table.mjs
//
//   load (a thread of its own) ==keep-alive==> front door (main thread) --connections in turn--> 3 workers, each with a port of its own --> routes, in shared memory
//
// Why a front door: a socket cannot be handed to a worker thread, and threads that listen on one port (`reusePort`) need Node 22.12 or 23.1 and a system that shares the connections out: not
// macOS, not Windows. A door in the main thread works everywhere; it passes bytes on, and knows nothing of routes.
import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Shared, struct, u16, u32, utf8 } from "quiesce";

const WORKERS = 3;
const CONNECTIONS = 12;
const ROUTES = 2000; // that are there all the while
const MS = 2000;
const UPDATES_A_MS = 5;

const route = { key: utf8, value: struct({ backend: u16, revision: u32, check: u32 }) };
const path = (i) => `/shop/${i % 40}/item/${i}`;
/** A route's fields fit together: of half an old and half a new one they would not. */
const routeOf = (backend, revision) => ({ backend, revision, check: (Math.imul(revision, 40503) ^ backend) >>> 0 });
const fits = ({ backend, revision, check }) => check === routeOf(backend, revision).check;

/** A worker: answers each request with the route of its path. */
async function answer() {
  const shared = Shared.attach(workerData.handle);
  const routes = shared.map("routes", route);
  const SPACE = 0x20;
  let requests = 0;
  const server = createServer((socket) => {
    let rest = Buffer.alloc(0);
    socket.setNoDelay(true).on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf("\r\n\r\n"); end >= 0; end = rest.indexOf("\r\n\r\n")) {
        // GET /shop/3/item/43 HTTP/1.1: the path is looked up as the bytes that came; no string is made. With node:http it is routes.get(request.url).
        const from = rest.indexOf(SPACE) + 1;
        const found = routes.getBytes(rest, from, rest.indexOf(SPACE, from));
        const body = JSON.stringify(found ?? {});
        socket.write(`HTTP/1.1 ${found === undefined ? "404 Not Found" : "200 OK"}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
        requests++;
        rest = rest.subarray(end + 4);
      }
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  parentPort.postMessage(server.address().port);
  await once(parentPort, "message");
  server.close(); // the connections have ended
  parentPort.postMessage(requests);
  shared.close();
}

/** The load: connections that ask for one path after the other, and look at the answers. */
async function load() {
  const { port } = workerData;
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const newest = new Uint32Array(ROUTES); // the highest revision of each route that an answer has had
  const result = { requests: 0, failed: 0, halves: 0, older: 0, newer: 0 };
  const ask = (path) =>
    new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port, path, agent }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text) => (body += text));
        response.on("end", () => (response.statusCode === 200 ? resolve(JSON.parse(body)) : reject(new Error(`${response.statusCode}`))));
        response.on("error", reject);
      }).on("error", reject);
    });
  const until = performance.now() + MS;
  const connection = async () => {
    while (performance.now() < until) {
      const i = Math.floor(Math.random() * ROUTES);
      const least = newest[i]; // what any worker has shown, all that are asked later show, too, or a newer one
      try {
        const found = await ask(path(i));
        if (!fits(found)) result.halves++;
        if (found.revision < least) result.older++;
        if (found.revision > 0) result.newer++;
        newest[i] = Math.max(newest[i], found.revision);
      } catch {
        result.failed++;
      }
      result.requests++;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  agent.destroy();
  parentPort.postMessage(result);
}

/** The main thread: the front door, and whoever changes routes. */
async function main() {
  const shared = Shared.create({ bytes: 32 * 2 ** 20 });
  const routes = shared.map("routes", route);
  routes.setMany(Array.from({ length: ROUTES }, (_, i) => [path(i), routeOf(i % 50, 0)]));

  const start = (data) => new Worker(new URL(import.meta.url), { workerData: data });
  const workers = Array.from({ length: WORKERS }, () => start({ handle: shared.handle }));
  for (const worker of workers) shared.watch(worker);
  const ended = workers.map((worker) => once(worker, "exit"));
  const ports = (await Promise.all(workers.map((worker) => once(worker, "message")))).map(([port]) => port);

  let connections = 0;
  const door = createServer((client) => {
    const worker = connect(ports[connections++ % WORKERS], "127.0.0.1").setNoDelay(true);
    client.setNoDelay(true).pipe(worker).pipe(client);
    for (const [one, other] of [
      [client, worker],
      [worker, client],
    ])
      one.on("error", () => other.destroy());
  }).listen(0, "127.0.0.1");
  await once(door, "listening");

  const loader = start({ port: door.address().port });
  const done = once(loader, "message");
  let isDone = false;
  done.then(() => {
    isDone = true;
  });
  const from = performance.now();
  let updates = 0;
  let added = 0;
  while (!isDone) {
    const due = (performance.now() - from) * UPDATES_A_MS;
    for (let i = 0; i < 50 && updates < due; i++, updates++) {
      routes.update(path((updates * 7919) % ROUTES), ({ backend, revision }) => routeOf((backend + 1) % 50, revision + 1));
      if (updates % 4 === 0) routes.set(`/new/${added++}`, routeOf(0, 0)); // the table grows meanwhile
    }
    await sleep(1);
  }
  const seconds = (performance.now() - from) / 1000;
  const [{ requests, failed, halves, older, newer }] = await done;

  const answered = Promise.all(workers.map((worker) => once(worker, "message")));
  for (const worker of workers) worker.postMessage("end");
  const each = (await answered).map(([count]) => count);
  door.close();
  await Promise.all(ended);

  console.log(`${requests} requests over ${CONNECTIONS} connections: ${Math.round(requests / (MS / 1000))}/s; meanwhile ${Math.round((updates + added) / seconds)} updates/s`);
  console.log("every worker answered:", each.every((count) => count > 0), "- all were answered:", each.reduce((sum, count) => sum + count, 0) === requests);
  console.log("requests that failed:", failed, "- that saw half a route:", halves, "- that saw an older route than one before:", older);
  console.log("changed routes were seen:", newer > 0, "- routes now:", routes.size === ROUTES + added ? "as many as were put in" : routes.size);
  console.log("violated invariants:", shared.check().length);
  shared.close();
}

await (isMainThread ? main() : workerData.handle === undefined ? load() : answer());
