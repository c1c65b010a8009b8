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
  /** A Program, or the name of a trace. */
  readonly program: string;
  /** The arena, for an allocator of this build. */
  readonly buffer?: SharedArrayBuffer;
  readonly ring: SharedArrayBuffer;
  readonly thread: number;
}

/** Bytes of the arena that the patterns are measured in. */
const ARENA_BYTES = 2 ** 26;

/** Size of the objects of the program `cache`: the demo's IPv4 nodes. */
export const CACHE_BYTES = 24;

/** Ns a block of each thread. */
type Times = readonly number[];

/**
 * What else a program does with its allocator, which V8 compiles it for: `mixed` takes all sizes by kmalloc, `alone` only one, `cache` only
 * from a cache of its own.
 */
export type Program = "mixed" | "alone" | "cache";

/** One allocator under measurement. */
export interface Subject {
  readonly name: string;
  /** Most threads at once. */
  readonly threads: number;
  pairs(bytes: number, ms: number, threads: number, program: Program): Promise<Times>;
  burst(bytes: number, order: BurstOrder, ms: number, threads: number): Promise<Times>;
  remote(bytes: number, ms: number): Promise<number>;
  /** Ns an event; undefined when it takes longer than `limit` ms. */
  replay(trace: Trace, limit: number): Promise<number | undefined>;
  waste(trace: Trace, limit: number): Promise<Waste | undefined>;
  /** Fill so many bytes; missing where the allocator has no bounds. */
  fill?(bytes: number, sizes: string, seed: number, limit: number): Promise<Filled | undefined>;
  end(): Promise<void>;
}

/** An allocator measured in threads of this process. Each program, and each trace, has threads of its own, that is, code compiled for it. */
export class Threads implements Subject {
  readonly name: string;
  readonly threads: number;
  readonly #crews = new Map<string, Promise<readonly Worker[]>>();

  constructor(allocator: string) {
    this.name = allocator;
    this.threads = allocator === THING ? 1 : 2;
  }

  /** The threads of a program, or of a trace, which are started when they are first asked for. */
  #crew(program: string): Promise<readonly Worker[]> {
    let crew = this.#crews.get(program);
    if (crew === undefined) {
      crew = this.#start(program);
      this.#crews.set(program, crew);
    }
    return crew;
  }

  async #start(program: string): Promise<readonly Worker[]> {
    const ring = Ring.buffer();
    const shared = this.name === THING ? {} : { buffer: createArena(ARENA_BYTES, optionsFor(this.name, { slots: this.threads })) };
    const workers: Worker[] = [];
    for (let thread = 1; thread <= this.threads; thread++) {
      const data: ThreadData = { allocator: this.name, program, ring, thread, ...shared };
      const worker = new Worker(new URL("./thread.js", import.meta.url), { workerData: data });
      workers.push(worker);
      await answer(worker);
    }
    return workers;
  }

  async #ask(program: string, jobs: readonly Job[]): Promise<Answer[]> {
    const crew = await this.#crew(program);
    return Promise.all(
      jobs.map((job, i) => {
        const worker = crew[i] as Worker;
        const answered = answer(worker);
        worker.postMessage(job);
        return answered;
      }),
    );
  }

  async #times(program: Program, job: Job, threads: number): Promise<Times> {
    const jobs = Array.from({ length: threads }, () => job);
    return (await this.#ask(program, jobs)).map(({ ns = Number.NaN }) => ns);
  }

  pairs(bytes: number, ms: number, threads: number, program: Program): Promise<Times> {
    return this.#times(program, { type: "pairs", bytes, ms, threads }, threads);
  }

  burst(bytes: number, order: BurstOrder, ms: number, threads: number): Promise<Times> {
    return this.#times("mixed", { type: "burst", bytes, order, ms, threads }, threads);
  }

  async remote(bytes: number, ms: number): Promise<number> {
    const answers = await this.#ask("mixed", [
      { type: "remote", bytes, ms, role: "take" },
      { type: "remote", bytes, ms, role: "give" },
    ]);
    return answers[1]?.ns ?? Number.NaN;
  }

  async replay(trace: Trace, limit: number): Promise<number | undefined> {
    const [answered] = await this.#ask(trace.name, [{ type: "replay", trace, limit }]);
    return answered?.whole === false ? undefined : answered?.ns;
  }

  async waste(trace: Trace, limit: number): Promise<Waste | undefined> {
    return (await this.#ask(trace.name, [{ type: "waste", trace, limit }]))[0]?.waste;
  }

  async fill(bytes: number, sizes: string, seed: number, limit: number): Promise<Filled | undefined> {
    return (await this.#ask(sizes, [{ type: "fill", bytes, sizes, seed, limit }]))[0]?.filled;
  }

  async end(): Promise<void> {
    for (const crew of this.#crews.values()) for (const worker of await crew.catch(() => [])) await worker.terminate();
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
