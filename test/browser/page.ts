/**
 * What runs in a browser's page (see scripts/test-browser.mjs): its main thread, which may not block, and two web workers, whose end nobody is told.
 * Gives the names of what passed and failed.
 */

import { Shared, u32 } from "../../src/index.js";

interface WebWorker {
  onmessage: (event: { data: unknown }) => void;
  onerror: (event: { message: string }) => void;
  postMessage(message: unknown): void;
  terminate(): void;
}
const { Worker, crossOriginIsolated } = globalThis as unknown as {
  Worker: new (file: URL, options: { type: "module" }) => WebWorker;
  crossOriginIsolated: boolean;
};

const LIMIT = 60_000;
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

function within<T>(what: string, promise: Promise<T>): Promise<T> {
  return Promise.race([promise, sleep(LIMIT).then(() => Promise.reject(new Error(`hung: ${what}`)))]);
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(`${what}: ${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`);
}

class Reader {
  readonly worker = new Worker(new URL("./reader.js", import.meta.url), { type: "module" });
  readonly #said: unknown[] = [];

  constructor(shared: Shared) {
    this.worker.onmessage = ({ data }) => this.#said.push(data);
    this.worker.onerror = ({ message }) => this.#said.push(new Error(message));
    this.worker.postMessage(shared.handle);
  }

  /** The next thing it says. */
  async says(): Promise<unknown> {
    for (const end = performance.now() + LIMIT; this.#said.length === 0; await sleep(2))
      if (performance.now() > end) throw new Error("hung: a worker to speak");
    const said = this.#said.shift();
    if (said instanceof Error) throw said;
    return said;
  }
}

async function told(shared: Shared, thread: number, dead: boolean): Promise<void> {
  for (const end = performance.now() + LIMIT; (await shared.isDead(thread)) !== dead; await sleep(2)) {
    if (performance.now() > end) throw new Error(`hung: isDead(${thread}) to be ${dead}; it is ${await shared.isDead(thread)}`);
  }
}

export async function run(): Promise<{ passed: string[]; failed: string[] }> {
  const passed: string[] = [];
  const failed: string[] = [];
  const shared = Shared.create({ bytes: 8 * 2 ** 20 });
  const map = shared.intervalMap("map", { bounds: "u32", value: u32 });
  map.set(0, 99, 7);
  const readers = [new Reader(shared), new Reader(shared)] as const;
  const threads: number[] = [];
  const test = async (name: string, fn: () => unknown): Promise<void> => {
    try {
      await fn();
      passed.push(name);
    } catch (error) {
      failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  await test("the page has shared memory, and its main thread may not block", () => {
    equal(crossOriginIsolated, true, "crossOriginIsolated");
    equal(shared.domain.arena.memory.canBlock, false, "canBlock");
  });
  await test("two web workers attach with numbers of their own, and read what the page writes", async () => {
    for (const reader of readers) threads.push((await reader.says()) as number);
    equal(new Set([...threads, shared.domain.arena.heap.slot.thread]).size, 3, "numbers");
    for (const reader of readers) equal(await reader.says(), "reads", "said");
  });
  await test("grace periods end by promise on the main thread, while the workers read and the page updates", async () => {
    for (let i = 1; i <= 50; i++) {
      map.set(i, i + 20, 7 * i);
      await within("synchronize()", shared.domain.synchronize());
    }
    for (const thread of threads) await told(shared, thread, false);
    equal(await shared.reapDead(), [], "reapDead() while all live");
  });
  await test("a worker in a section holds a grace period up, which may not be waited for by blocking; terminated, it is found dead and reaped", async () => {
    const [victim] = readers;
    victim.worker.postMessage("section");
    equal(await victim.says(), "in section", "said");
    let over = false;
    const grace = shared.domain.synchronize().then(() => {
      over = true;
    });
    await sleep(100);
    equal(over, false, "over");
    let refused: unknown;
    try {
      shared.domain.synchronizeSync();
    } catch (error) {
      refused = (error as { code?: string }).code;
    }
    equal(refused, "ERR_CANNOT_BLOCK", "synchronizeSync()");
    victim.worker.terminate();
    await told(shared, threads[0] as number, true);
    equal(await shared.reapDead(), [threads[0]], "reapDead()");
    await within("the grace period", grace);
    await told(shared, threads[1] as number, false);
  });
  await test("when all are gone the arena is whole", async () => {
    readers[1].worker.terminate();
    await told(shared, threads[1] as number, true);
    equal(await shared.reapDead(), [threads[1]], "reapDead()");
    await within("synchronize()", shared.domain.synchronize());
    equal(shared.stats().threads, 1, "threads");
    equal(shared.check(), [], "check()");
  });
  for (const { worker } of readers) worker.terminate();
  shared.close();
  return { passed, failed };
}
