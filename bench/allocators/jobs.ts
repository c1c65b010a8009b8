/** What a measuring thread is told, what it answers, and the threads as the suite sees them. */

import { Worker } from "node:worker_threads";
import { createArena } from "../../src/memory/index.js";
import { optionsFor, THING } from "./names.js";
import type { BurstOrder } from "./patterns.js";
import type { Filled, Waste } from "./replay.js";
import { Ring } from "./ring.js";
import type { Trace } from "./trace.js";

export type Job =
  | { readonly type: "pairs"; readonly bytes: number; readonly ms: number; readonly threads: number }
  | { readonly type: "burst"; readonly bytes: number; readonly order: BurstOrder; readonly ms: number; readonly threads: number }
  | { readonly type: "remote"; readonly bytes: number; readonly ms: number; readonly role: "take" | "give" }
  | { readonly type: "replay"; readonly trace: Trace; readonly limit: number }
  | { readonly type: "waste"; readonly trace: Trace; readonly limit: number }
  | { readonly type: "fill"; readonly bytes: number; readonly sizes: string; readonly seed: number; readonly limit: number };

export interface Answer {
  readonly ns?: number;
  /** False when a trace took longer than its limit. */
  readonly whole?: boolean;
  readonly waste?: Waste;
  readonly filled?: Filled;
}

export interface ThreadData {
  readonly allocator: string;
  /** The arena, for an allocator of this build. */
  readonly buffer?: SharedArrayBuffer;
  readonly ring: SharedArrayBuffer;
  readonly thread: number;
}

/** Bytes of the arena that the patterns are measured in. */
const ARENA_BYTES = 2 ** 26;

/** Ns a block of each thread. */
type Times = readonly number[];

/** One allocator under measurement. */
export interface Subject {
  readonly name: string;
  /** Most threads at once. */
  readonly threads: number;
  pairs(bytes: number, ms: number, threads: number): Promise<Times>;
  burst(bytes: number, order: BurstOrder, ms: number, threads: number): Promise<Times>;
  remote(bytes: number, ms: number): Promise<number>;
  /** Ns an event; undefined when it takes longer than `limit` ms. */
  replay(trace: Trace, limit: number): Promise<number | undefined>;
  waste(trace: Trace, limit: number): Promise<Waste | undefined>;
  /** Fill so many bytes; missing where the allocator has no bounds. */
  fill?(bytes: number, sizes: string, seed: number, limit: number): Promise<Filled | undefined>;
  end(): Promise<void>;
}

/** An allocator measured in threads of this process: two of this build, one of @thi.ng/malloc. */
export class Threads implements Subject {
  readonly name: string;
  readonly #workers: readonly Worker[];

  private constructor(name: string, workers: readonly Worker[]) {
    this.name = name;
    this.#workers = workers;
  }

  static async start(allocator: string): Promise<Threads> {
    const count = allocator === THING ? 1 : 2;
    const ring = Ring.buffer();
    const shared = allocator === THING ? {} : { buffer: createArena(ARENA_BYTES, optionsFor(allocator, { slots: count })) };
    const workers: Worker[] = [];
    for (let thread = 1; thread <= count; thread++) {
      const data: ThreadData = { allocator, ring, thread, ...shared };
      const worker = new Worker(new URL("./thread.js", import.meta.url), { workerData: data });
      workers.push(worker);
      await answer(worker);
    }
    return new Threads(allocator, workers);
  }

  get threads(): number {
    return this.#workers.length;
  }

  #ask(jobs: readonly Job[]): Promise<Answer[]> {
    return Promise.all(
      jobs.map((job, i) => {
        const worker = this.#workers[i] as Worker;
        const answered = answer(worker);
        worker.postMessage(job);
        return answered;
      }),
    );
  }

  async #times(job: Job, threads: number): Promise<Times> {
    return (await this.#ask(Array.from({ length: threads }, () => job))).map(({ ns = Number.NaN }) => ns);
  }

  pairs(bytes: number, ms: number, threads: number): Promise<Times> {
    return this.#times({ type: "pairs", bytes, ms, threads }, threads);
  }

  burst(bytes: number, order: BurstOrder, ms: number, threads: number): Promise<Times> {
    return this.#times({ type: "burst", bytes, order, ms, threads }, threads);
  }

  async remote(bytes: number, ms: number): Promise<number> {
    const answers = await this.#ask([
      { type: "remote", bytes, ms, role: "take" },
      { type: "remote", bytes, ms, role: "give" },
    ]);
    return answers[1]?.ns ?? Number.NaN;
  }

  async replay(trace: Trace, limit: number): Promise<number | undefined> {
    const [answered] = await this.#ask([{ type: "replay", trace, limit }]);
    return answered?.whole === false ? undefined : answered?.ns;
  }

  async waste(trace: Trace, limit: number): Promise<Waste | undefined> {
    return (await this.#ask([{ type: "waste", trace, limit }]))[0]?.waste;
  }

  async fill(bytes: number, sizes: string, seed: number, limit: number): Promise<Filled | undefined> {
    return (await this.#ask([{ type: "fill", bytes, sizes, seed, limit }]))[0]?.filled;
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}

/** The worker's next message. */
function answer(worker: Worker): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => reject(error);
    worker.once("error", onError);
    worker.once("message", (message: Answer) => {
      worker.off("error", onError);
      resolve(message);
    });
  });
}
