/**
 * Threads that end without a word: what the platform tells of them, in both kinds of Worker. Nothing here asks for a platform by name: without
 * Web Locks nobody can tell, and without web Workers there are none to try.
 */

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { Worker as NodeWorker } from "node:worker_threads";
import { LIMIT, sleep, until, within } from "../../check/support/watchdog.js";
import { Shared, type WatchableWorker } from "../../src/index.js";
import { liveThreads } from "../../src/memory/slot.js";
import { canTell, holdLiveness, isDead } from "../../src/shared/liveness.js";
import { runChild } from "../support/child.js";
import type { LivenessJob } from "./liveness-job.js";

interface WebWorker {
  onmessage: (event: { data: unknown }) => void;
  postMessage(message: unknown): void;
  terminate(): void;
  readonly threadId?: number;
}
const { Worker: WebWorker } = globalThis as { Worker?: new (file: URL, options: { type: "module" }) => WebWorker };

/** A worker of one test. */
interface Living {
  readonly worker: NodeWorker | WebWorker;
  readonly thread: number;
  readonly words: Int32Array;
}

type Kind = "node" | "web";
const KINDS: readonly Kind[] = WebWorker === undefined ? ["node"] : ["node", "web"];

function startNode(job: LivenessJob): [NodeWorker, Promise<number>] {
  const worker = new NodeWorker(new URL("./liveness-worker.js", import.meta.url), { workerData: job });
  const said = new Promise<number>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  return [worker, said];
}

function startWeb(job: LivenessJob): [WebWorker, Promise<number>] {
  const worker = new (WebWorker as NonNullable<typeof WebWorker>)(new URL("./liveness-web-worker.js", import.meta.url), { type: "module" });
  const said = new Promise<number>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data as number);
  });
  worker.postMessage(job);
  return [worker, said];
}

class Nursery {
  readonly shared: Shared = Shared.create({ bytes: 4 * 2 ** 20 });
  readonly #workers: (NodeWorker | WebWorker)[] = [];

  /** Start a worker; resolves when it is attached and, but for "end", is in a section. */
  async start(kind: Kind, mode: LivenessJob["mode"], watch = false): Promise<Living> {
    const counter = new SharedArrayBuffer(8);
    const words = new Int32Array(counter);
    const job: LivenessJob = { handle: this.shared.handle, mode, counter };
    const [worker, said] = kind === "node" ? startNode(job) : startWeb(job);
    this.#workers.push(worker);
    if (watch) this.shared.watch(worker as WatchableWorker);
    const thread = await within(LIMIT, `a ${kind} worker to attach`, said);
    if (mode !== "end") {
      await until(LIMIT, `a ${kind} worker to be in its section`, () => Atomics.load(words, 1) === 1);
      if (canTell()) await this.told(thread, false);
    }
    return { worker, thread, words };
  }

  /** Wait until the platform says so of a thread. */
  async told(thread: number, dead: boolean): Promise<void> {
    let answer: boolean | undefined;
    for (const end = performance.now() + LIMIT; ; await sleep(2)) {
      answer = await this.shared.isDead(thread);
      if (answer === dead) return;
      assert.ok(performance.now() < end, `hung: isDead(${thread}) to be ${dead}; it is ${answer}`);
    }
  }

  get threads(): number[] {
    const { memory, layout } = this.shared.domain.arena;
    return liveThreads(memory, layout);
  }

  async end(): Promise<void> {
    for (const worker of this.#workers) await worker.terminate();
    this.shared.close();
  }
}

async function nursery(run: (nursery: Nursery) => Promise<void>): Promise<void> {
  const one = new Nursery();
  try {
    await run(one);
    assert.deepEqual(one.shared.check(), []);
  } finally {
    await one.end();
  }
}

/** The thread does nothing any more. */
async function assertStill({ words }: Living, when: string): Promise<void> {
  const count = Atomics.load(words, 0);
  await sleep(50);
  assert.equal(Atomics.load(words, 0), count, `the thread ran on ${when}`);
}

/** Be told of a worker's end after its watcher was. */
function afterWatcher(worker: NodeWorker | WebWorker, listener: () => void): void {
  if ("on" in worker) worker.on("exit", listener);
  else (worker as unknown as EventTarget).addEventListener("close", listener);
}

test("threads of every kind have numbers of their own", async () => {
  await nursery(async (one) => {
    const mine = one.shared.domain.arena.heap.slot.thread;
    const numbers = [mine];
    for (const kind of [...KINDS, ...KINDS]) numbers.push((await one.start(kind, "turns")).thread);
    assert.equal(new Set(numbers).size, numbers.length, `${numbers}`);
    assert.deepEqual([...one.threads].sort(), numbers.sort());
  });
});

for (const kind of KINDS) {
  test(`a ${kind} worker that nobody watches is found dead after terminate(), and not before; it held up a grace period`, async () => {
    await nursery(async (one) => {
      const living = await one.start(kind, "turns");
      const other = await one.start(kind, "turns");
      assert.deepEqual(await one.shared.reapDead(), [], "all live");
      let over = false;
      const grace = one.shared.domain.synchronize().then(() => {
        over = true;
      });
      void living.worker.terminate();
      if (!canTell()) {
        await sleep(100);
        assert.equal(await one.shared.isDead(living.thread), undefined);
        assert.deepEqual(await one.shared.reapDead(), [], "cannot tell, and says so");
        for (const { thread } of [living, other]) one.shared.domain.reap(thread); // else the grace period would not end
        await within(LIMIT, "the grace period", grace);
        return;
      }
      await one.told(living.thread, true);
      await assertStill(living, "though it was told dead");
      assert.equal(over, false, "its section counts until it is reaped");
      assert.deepEqual(await one.shared.reapDead(), [living.thread]);
      assert.deepEqual(await one.shared.reapDead(), []);
      assert.equal(await one.shared.isDead(living.thread), undefined, "it has no slot any more");
      assert.equal(await one.shared.isDead(other.thread), false);
      void other.worker.terminate();
      await one.told(other.thread, true);
      assert.deepEqual(await one.shared.reapDead(), [other.thread]);
      await within(LIMIT, "the grace period that the dead held up", grace);
    });
  });
}

for (const [kind, mode] of [
  ["node", "turns"],
  ["node", "spin"],
  ["node", "sort"],
  ["web", "turns"],
] as const) {
  if (!KINDS.includes(kind)) continue;
  test(`a watched ${kind} worker (${mode}) is reaped once its thread has ended, and not before`, async () => {
    await nursery(async (one) => {
      const living = await one.start(kind, mode);
      const { worker, thread } = living;
      if (typeof worker.threadId !== "number") {
        assert.throws(() => one.shared.watch(worker as WatchableWorker), /reapDead/);
        return;
      }
      one.shared.watch(worker as WatchableWorker);
      let reaped: number | undefined;
      afterWatcher(worker, () => {
        if (!one.threads.includes(thread)) reaped = Atomics.load(living.words, 0); // else it is reaped later
      });
      const grace = one.shared.domain.synchronize();
      await sleep(20);
      assert.ok(one.threads.includes(thread));
      void living.worker.terminate();
      await until(LIMIT, "the slot to be reaped", () => !one.threads.includes(thread));
      const count = reaped ?? Atomics.load(living.words, 0);
      if (mode === "sort") await sleep(1000); // longer than one of its calls
      assert.equal(Atomics.load(living.words, 0), count, "the thread ran on though its slot was reaped");
      await assertStill(living, "though its slot was reaped");
      await within(LIMIT, "the grace period that it held up", grace);
    });
  });
}

test("when a worker says `exit` and still tells its number, its thread may live: it is reaped when it has ended", async () => {
  if (!canTell()) return;
  await nursery(async (one) => {
    const living = await one.start("node", "turns");
    const early = Object.assign(new EventEmitter(), { threadId: living.thread });
    one.shared.watch(early);
    early.emit("exit");
    await sleep(100);
    assert.ok(one.threads.includes(living.thread), "reaped alive");
    void living.worker.terminate();
    await until(LIMIT, "the slot to be reaped", () => !one.threads.includes(living.thread));
    await assertStill(living, "though its slot was reaped");
  });
});

test("a node worker that ends by itself is reaped by its watcher, and is dead without one", async () => {
  if (canTell()) {
    await nursery(async (one) => {
      const { thread } = await one.start("node", "end");
      await one.told(thread, true);
      assert.deepEqual(await one.shared.reapDead(), [thread]);
    });
  }
  await nursery(async (one) => {
    const { thread } = await one.start("node", "end", true);
    await until(LIMIT, "the slot to be reaped", () => !one.threads.includes(thread));
  });
});

test("who lets go is not told dead, nor who never held", async () => {
  const told: string[] = [];
  const ask = (thread: number, held = true): Promise<boolean | undefined> => isDead("test", thread, () => held);
  const letGo = holdLiveness("test", 1, () => told.push("held"));
  if (canTell()) await until(LIMIT, "the lock", () => told.length === 1);
  assert.equal(await ask(1), canTell() ? false : undefined);
  assert.equal(await isDead("another", 1, () => false), undefined);
  assert.equal(await ask(2, false), undefined);
  // Whoever lets go says so first: asked once more when the lock is had.
  let asked = 0;
  letGo();
  letGo();
  for (const end = performance.now() + LIMIT; canTell() && (await ask(1)) !== true; await sleep(1)) assert.ok(performance.now() < end);
  assert.equal(await isDead("test", 1, () => asked++ === 0), undefined);
  // Let go at once: it is never held.
  holdLiveness("test", 3, () => told.push("held, though let go"))();
  await sleep(50);
  assert.deepEqual(told, canTell() ? ["held"] : []);
  if (canTell()) assert.equal(await ask(3), true, "nobody holds it");
});

test("attaching again after close() is not taken for a death", async () => {
  let shared = Shared.create({ bytes: 4 * 2 ** 20 });
  const { thread } = shared.domain.arena.heap.slot;
  try {
    for (let round = 0; round < 20; round++) {
      const asks = Array.from({ length: 3 }, () => shared.isDead(thread));
      shared.close();
      shared = Shared.attach(shared.handle);
      asks.push(shared.isDead(thread));
      for (const answer of await Promise.all(asks)) assert.notEqual(answer, true);
      assert.deepEqual(await shared.reapDead(), []);
    }
    // Many times in one turn: what was let go of late must not be taken from who holds by then.
    for (let cycle = 0; cycle < 30; cycle++) {
      shared.close();
      shared = Shared.attach(shared.handle);
    }
    for (let look = 0; look < 30; look++) {
      assert.notEqual(await shared.isDead(thread), true);
      await sleep(1);
    }
    assert.equal(await shared.isDead(thread), canTell() ? false : undefined);
  } finally {
    shared.close();
  }
});

test("a held lock, and asking, keep no process alive", async () => {
  const code = `
    import { Shared } from "$SRC/shared/shared.js";
    import { Worker } from "node:worker_threads";
    const shared = Shared.create({ bytes: 2 ** 22 });
    const { thread } = shared.domain.arena.heap.slot;
    setTimeout(() => {
      shared.isDead(thread).then((dead) => console.log("dead " + dead));
      shared.reapDead().then((dead) => console.log("reaped " + dead.length));
      shared.isDead(thread + 1);
    }, 50);
  `;
  const child = await runChild(code);
  assert.deepEqual([child.code, child.stdout.split("\n").sort().join(), child.stderr], [0, `,dead ${canTell() ? false : undefined},reaped 0`, ""]);
});
