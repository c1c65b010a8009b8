/**
 * Workers of a test: started on a compiled worker file (which begins with `hand()`, see hand.ts), watched by a host, as a rule a Shared, told to stop by a
 * shared word, always terminated. When one of them throws, everything that waits for the crew fails with its stack.
 *
 *   control   STOP | for each hand: STEP BEATS     what it is doing, and how often it did it: the watchdog's evidence
 */

import { Worker } from "node:worker_threads";
import type { SharedHandle } from "../../src/index.js";
import type { DomainStats } from "../../src/rcu/stats.js";
import { LIMIT, until, within } from "./watchdog.js";

/** Words of a hand in the control memory. */
export const HAND_WORDS = 2;
/** Hands that one control memory has room for; beyond them the words are used again. */
const MOST_HANDS = 256;

/** What a worker is given. */
export interface Orders<Job, Handle = SharedHandle> {
  readonly handle: Handle;
  readonly control: SharedArrayBuffer;
  /** First of the hand's own words in `control`. */
  readonly words: number;
  readonly name: string;
  readonly job: Job;
}

/** Whose memory the workers attach to. */
export interface Host<Handle> {
  /** What a worker attaches by; asked for once for each. */
  readonly handle: Handle;
  /** See a worker's end. */
  watch(worker: Worker): void;
  readonly domain: { stats(): DomainStats };
}

/** What a worker says. */
export type Report = { readonly type: "begun" } | { readonly type: "result"; readonly value: unknown };

/** One worker. */
export interface Hand<Result> {
  readonly name: string;
  readonly worker: Worker;
  readonly threadId: number;
  /** Resolves when it has called `begun()`. */
  readonly begun: Promise<void>;
  /** Resolves with what it gave to `result()`. */
  readonly result: Promise<Result>;
  /** Resolves when its thread has ended and the watcher has been told. */
  readonly gone: Promise<void>;
  readonly beats: () => number;
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {}); // whoever awaits it sees the error; nobody may
  return { promise, resolve, reject };
}

/** The workers of one test. */
export class Crew<Handle = SharedHandle> {
  /** Stacks of workers that failed. */
  readonly failures: string[] = [];
  readonly #host: Host<Handle>;
  readonly #control = new SharedArrayBuffer(4 * (HAND_WORDS * (MOST_HANDS + 1)));
  readonly #words = new Int32Array(this.#control);
  readonly #hands = new Map<Hand<unknown>, number>();
  readonly #failed = deferred<never>();
  #started = 0;

  constructor(host: Host<Handle>) {
    this.#host = host;
  }

  /**
   * Start a worker.
   * @param file its compiled file
   * @param beforeReap called when its thread has ended, before the watcher reaps its slot
   */
  start<Job, Result = unknown>(file: URL, name: string, job: Job, beforeReap?: (threadId: number) => void): Hand<Result> {
    const words = HAND_WORDS * (1 + (this.#started++ % MOST_HANDS));
    this.#words.fill(0, words, words + HAND_WORDS);
    const orders: Orders<Job, Handle> = { handle: this.#host.handle, control: this.#control, words, name, job };
    const worker = new Worker(file, { workerData: orders, name });
    const { threadId } = worker;
    if (beforeReap !== undefined) worker.on("exit", () => beforeReap(threadId));
    this.#host.watch(worker);
    const begun = deferred<void>();
    const result = deferred<Result>();
    const gone = deferred<void>();
    const hand: Hand<Result> = {
      name,
      worker,
      threadId,
      begun: begun.promise,
      result: result.promise,
      gone: gone.promise,
      beats: () => Atomics.load(this.#words, words + 1),
    };
    worker.on("message", (report: Report) => {
      if (report.type === "begun") begun.resolve();
      else result.resolve(report.value as Result);
    });
    worker.on("error", (thrown: unknown) => {
      const error = new Error(`${name} failed: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`);
      this.failures.push(error.message);
      begun.reject(error);
      result.reject(error);
      this.#failed.reject(error);
    });
    worker.on("exit", (code) => {
      this.#hands.delete(hand as Hand<unknown>);
      const error = new Error(`${name} ended with code ${code} before its time`);
      begun.reject(error);
      result.reject(error);
      // Where `exit` comes before the thread's end (Deno), the watcher reaps it only after that.
      void until(LIMIT, `the slot of ${name} to be reaped`, () => !this.#hasSlot(threadId)).then(gone.resolve, gone.reject);
    });
    this.#hands.set(hand as Hand<unknown>, words);
    return hand;
  }

  #hasSlot(thread: number): boolean {
    return this.#host.domain.stats().slots.some((slot) => slot.thread === thread);
  }

  /** Workers that still run. */
  get size(): number {
    return this.#hands.size;
  }

  /** What everyone is doing. */
  describe(): string {
    const hands = [...this.#hands].map(([{ name }, words]) => {
      return `  ${name}: step ${Atomics.load(this.#words, words)}, ${Atomics.load(this.#words, words + 1)} beats`;
    });
    return [...this.failures, "workers:", ...hands, ...this.#slots()].join("\n");
  }

  #slots(): string[] {
    try {
      const { slots, sequence, completed } = this.#host.domain.stats();
      const lines = slots.map((slot) => `  slot ${slot.index}: thread ${slot.thread}, ${slot.online ? "online" : "offline"}, ${slot.waiting} waiting`);
      return [`slots (sequence ${sequence}, completed ${completed}):`, ...lines];
    } catch (error) {
      return [`the slots cannot be told: ${(error as Error).message}`];
    }
  }

  /** Wait for something of this crew: fails when it takes longer, or when any worker fails meanwhile. */
  within<T>(limit: number, what: string, promise: Promise<T>): Promise<T> {
    return within(limit, what, Promise.race([promise, this.#failed.promise]), () => this.describe());
  }

  /** Ask all to stop: `stopping()` is true in them from now on. */
  stop(): void {
    Atomics.store(this.#words, 0, 1);
    Atomics.notify(this.#words, 0);
  }

  /** Stop all, gather their results, and see them leave. */
  async finish<Result>(limit: number, hands: readonly Hand<Result>[]): Promise<Result[]> {
    this.stop();
    const results = await this.within(limit, "workers to give their results", Promise.all(hands.map(({ result }) => result)));
    await this.within(limit, "workers to end by themselves", Promise.all(hands.map(({ gone }) => gone)));
    return results;
  }

  /** Terminate whoever still runs. For `finally`. */
  async end(): Promise<void> {
    this.stop();
    await Promise.all([...this.#hands.keys()].map(({ worker }) => worker.terminate()));
  }
}
