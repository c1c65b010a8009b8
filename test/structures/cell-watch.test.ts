/** Watches: the latest is never missed; how they end; what they keep alive. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openCell } from "../../check/support/open-cell.js";
import { Random, seedOf } from "../../check/support/seed.js";
import { codec } from "../../src/values/custom.js";
import { jsonOf } from "../../src/values/json.js";
import { u32 } from "../../src/values/scalars.js";
import { runChild } from "../support/child.js";
import { onEach, settle, until } from "../support/each-flavor.js";
import { turn } from "../support/world.js";

const code = (expected: string) => (error: unknown) => (error as { code?: unknown }).code === expected;

onEach("a watch gives what came since it was made, and what comes while it is awaited", async ({ attach }) => {
  const [a, b] = [openCell(attach(), u32), openCell(attach(), u32)];
  a.set(1);
  const watch = a.watch();
  b.set(2);
  assert.deepEqual(await watch.next(), { value: 2, done: false }, "counted from watch(), not from next()");
  const next = watch.next();
  await settle(20);
  b.set(3);
  assert.deepEqual(await next, { value: 3, done: false });
  for (const n of [4, 5, 6]) b.set(n);
  assert.deepEqual(await watch.next(), { value: 6, done: false }, "the latest; those before it are not queued");
  const both = [watch.next(), watch.next()];
  b.set(7);
  assert.equal((await both[0])?.value, 7);
  b.set(8);
  assert.equal((await both[1])?.value, 8);
  await watch.return?.();
});

onEach("a watch gives what a codec decodes to undefined, too", async ({ attach }) => {
  const nothing = codec<undefined>({ name: "nothing", encode: () => new Uint8Array(1), decode: () => undefined });
  const [a, b] = [openCell(attach(), nothing), openCell(attach(), nothing)];
  const watch = a.watch();
  const next = watch.next();
  await settle(10);
  b.set(undefined);
  assert.deepEqual(await next, { value: undefined, done: false });
  await watch.return?.();
});

onEach("return() ends a watch, also one that is awaited", async ({ attach }) => {
  const cell = openCell(attach(), u32);
  const watch = cell.watch();
  const next = watch.next();
  await settle(10);
  assert.deepEqual(await watch.return?.(), { value: undefined, done: true });
  assert.deepEqual([await next, await watch.next()], Array(2).fill({ value: undefined, done: true }));
  const seen: number[] = [];
  const loop = (async () => {
    for await (const value of cell.watch()) if (seen.push(value) === 2) break;
  })();
  cell.set(1);
  await until(() => seen.length === 1, "the first value");
  cell.set(2);
  await loop;
  assert.deepEqual(seen, [1, 2]);
});

onEach("a signal ends a watch with its reason", async ({ attach }) => {
  const cell = openCell(attach(), u32);
  const abort = new AbortController();
  const watch = cell.watch({ signal: abort.signal });
  const next = watch.next();
  await settle(10);
  abort.abort(new RangeError("enough"));
  await assert.rejects(next, /enough/);
  assert.deepEqual(await watch.next(), { value: undefined, done: true });
  assert.throws(() => cell.watch({ signal: abort.signal }), /enough/);
  const idle = new AbortController();
  const notAwaited = cell.watch({ signal: idle.signal });
  idle.abort();
  await assert.rejects(notAwaited.next(), { name: "AbortError" });
});

onEach("detaching ends a thread's watches with a ClosedError", async ({ attach }) => {
  const domain = attach();
  const cell = openCell(domain, u32);
  const [awaited, idle] = [cell.watch(), cell.watch()];
  const next = awaited.next();
  await settle(10);
  domain.detach();
  await assert.rejects(next, code("ERR_CLOSED"));
  await assert.rejects(idle.next(), code("ERR_CLOSED"));
});

onEach("who watches is counted, and whoever ends is not", async ({ attach, world }) => {
  const domain = attach();
  const cell = openCell(domain, u32);
  cell.set(0);
  const abort = new AbortController();
  const watches = [cell.watch(), cell.watch({ signal: abort.signal }), cell.watch()];
  let notified = 0;
  const other = world.dying();
  const writer = openCell(attach({}, other), u32);
  const telling = (): boolean => {
    notified = 0;
    other.arm();
    other.hook = () => {
      if (/^notify/.test(other.last)) notified++;
    };
    writer.set(1);
    other.hook = undefined;
    return notified > 0;
  };
  const next = watches[0]?.next();
  await turn();
  writer.set(2);
  await next;
  const waits = watches.map((watch) => watch.next().catch(() => undefined));
  await settle(10);
  assert.equal(telling(), true);
  await Promise.all(waits);
  abort.abort();
  for (const watch of watches) await watch.return?.();
  await watches[2]?.return?.();
  assert.equal(telling(), false, "nobody watches: nobody is told");
});

onEach("random writers: each watcher sees versions that rise, and the last", async ({ attach, flavor }) => {
  const random = new Random(seedOf(`watch, ${flavor}`));
  const cells = [1, 2, 3].map(() => openCell(attach(), jsonOf<number[]>()));
  const last = 200;
  const watching = cells.map(async (cell) => {
    const seen: number[] = [];
    for await (const [n] of cell.watch()) {
      seen.push(n as number);
      if (n === last) break;
    }
    return seen;
  });
  for (let n = 1; n <= last; n++) {
    random.pick(cells).set([n]);
    if (random.below(3) === 0) await turn();
  }
  for (const seen of await Promise.all(watching)) {
    assert.deepEqual(
      seen,
      [...new Set(seen)].sort((x, y) => x - y),
    );
    assert.ok(seen.length > 5);
  }
});

onEach("a writer that dies between publishing and telling hides its change for a second at most", async ({ attach, world }) => {
  const cell = openCell(attach(), u32);
  const memory = world.dying();
  const victim = openCell(attach({}, memory), u32);
  const next = cell.watch().next();
  await settle(10);
  memory.arm();
  let published = Number.POSITIVE_INFINITY;
  memory.hook = (access) => {
    if (cell.version === 1) published = Math.min(published, access);
    if (access === published + 1) memory.kill();
  };
  memory.run(() => victim.set(1));
  memory.kill();
  assert.deepEqual(await next, { value: 1, done: false });
});

test("an awaited watch keeps its process alive; an open one that nobody awaits does not", async () => {
  const open = await runChild(`
    import { Shared, u32 } from "$SRC/index.js";
    const cell = Shared.create({ bytes: 2 ** 22 }).cell("n", u32);
    const watch = cell.watch();
    cell.set(1);
    console.log((await watch.next()).value);
  `);
  assert.deepEqual([open.code, open.stdout], [0, "1\n"], open.stderr);
  const awaited = await runChild(`
    import { Worker, isMainThread, workerData } from "node:worker_threads";
    import { fileURLToPath } from "node:url";
    import { Shared, u32 } from "$SRC/index.js";
    if (isMainThread) {
      const shared = Shared.create({ bytes: 2 ** 22 });
      const cell = shared.cell("n", u32);
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: shared.handle });
      shared.watch(worker);
      worker.unref();
      for await (const value of cell.watch()) { console.log(value); break; }
    } else {
      const cell = Shared.attach(workerData).cell("n", u32);
      setTimeout(() => cell.set(7), 100);
    }
  `);
  assert.deepEqual([awaited.code, awaited.stdout], [0, "7\n"], awaited.stderr);
});
