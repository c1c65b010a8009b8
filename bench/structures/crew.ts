/** The threads that hold one peer's map, as the suite sees them. */

import { Worker } from "node:worker_threads";
import type { Kind } from "./data.js";
import { type Answer, type Job, now, type Ready, type ThreadData } from "./jobs.js";
import type { How } from "./loops.js";

/** Ms in which a thread must answer: some peers can wait for ever. */
const PATIENCE = 60_000;

export interface CrewOptions {
  readonly peer: string;
  readonly kind: Kind;
  readonly size: number;
  readonly seed: number;
  /** For files; the suite removes it. */
  readonly directory: string;
  readonly threads?: number;
  /** Keep the strings of all entries in each thread; default true. */
  readonly keepTexts?: boolean;
  /** Use maps of the other kinds in the same threads first; default false. */
  readonly beside?: boolean;
}

/** A peer that cannot be measured. */
export class PeerError extends Error {
  readonly code = "ERR_PEER";
  /** Whether it is only that it is not installed. */
  readonly missing: boolean;

  constructor(message: string, missing: boolean) {
    super(message);
    this.missing = missing;
  }
}

export class Crew {
  readonly name: string;
  readonly #workers: Worker[];
  /** What the first thread said of the filled map. */
  readonly ready: Ready;

  private constructor(name: string, workers: Worker[], ready: Ready) {
    this.name = name;
    this.#workers = workers;
    this.ready = ready;
  }

  /**
   * Start the threads; the first makes and fills the map.
   * @throws PeerError
   */
  static async start({ peer, threads = 1, keepTexts = true, beside = false, ...rest }: CrewOptions): Promise<Crew> {
    const workers: Worker[] = [];
    let ready: Ready | undefined;
    try {
      for (let thread = 0; thread < threads; thread++) {
        const handle = ready?.handle;
        const data: ThreadData = { peer, thread, keepTexts, beside, ...rest, ...(handle === undefined ? {} : { handle }) };
        const worker = new Worker(new URL("./thread.js", import.meta.url), { workerData: data });
        workers.push(worker);
        const answered = await answerOf(peer, worker);
        ready ??= answered.ready;
      }
      return new Crew(peer, workers, ready as Ready);
    } catch (error) {
      for (const worker of workers) await worker.terminate();
      throw error;
    }
  }

  /** Give each of these threads its job; @throws PeerError */
  #ask(jobs: readonly Job[]): Promise<Answer[]> {
    return Promise.all(
      jobs.map((job, thread) => {
        const worker = this.#workers[thread] as Worker;
        const answered = answerOf(this.name, worker);
        worker.postMessage(job);
        return answered;
      }),
    );
  }

  /** Ns of a lookup. */
  async get(how: How, count: number): Promise<number> {
    return (await this.#ask([{ type: "get", how, count }]))[0]?.ns ?? Number.NaN;
  }

  /**
   * Lookups a second of so many readers together, ns that a reader itself runs for one (while it sleeps for a lock it does not run), and updates a second of a
   * paced writer, the last thread, when there is one.
   */
  async read(readers: number, ms: number, rate?: number): Promise<{ gets: number; ns: number; sets: number }> {
    const until = now() + ms;
    const jobs: Job[] = Array.from({ length: readers }, () => ({ type: "read", until }));
    const answers = await this.#ask(rate === undefined ? jobs : [...jobs, { type: "write", until, rate }]);
    const rates = answers.map(perSecond);
    return { gets: sum(rates.slice(0, readers)), ns: sum(answers.slice(0, readers).map(ownNs)) / readers, sets: sum(rates.slice(readers)) };
  }

  /** Sets a second of each of so many writers, and ns that a writer itself runs for one; their averages. */
  async write(writers: number, ms: number): Promise<{ rate: number; ns: number }> {
    const until = now() + ms;
    const answers = await this.#ask(Array.from({ length: writers }, () => ({ type: "write", until })));
    return { rate: sum(answers.map(perSecond)) / writers, ns: sum(answers.map(ownNs)) / writers };
  }

  /** Last thread first. One that does not answer is ended all the same. */
  async end(): Promise<void> {
    for (const worker of this.#workers.reverse()) {
      const answered = answerOf(this.name, worker).catch(() => {});
      worker.postMessage({ type: "end" } satisfies Job);
      await answered;
      await worker.terminate();
    }
  }
}

const perSecond = ({ calls = 0, ms = Number.NaN }: Answer): number => (calls * 1000) / ms;
const ownNs = ({ calls = 0, ran = Number.NaN }: Answer): number => (ran * 1e6) / calls;
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** The worker's next message; @throws PeerError */
function answerOf(peer: string, worker: Worker): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      worker.off("error", onError);
      worker.off("exit", onExit);
      worker.off("message", onMessage);
    };
    const fail = (why: string, missing = false): void => {
      done();
      reject(new PeerError(missing ? why : `${peer} is left out: ${why}`, missing));
    };
    const onError = (error: unknown): void => fail(String(error));
    const onExit = (): void => fail("its thread ended");
    const onMessage = (answer: Answer): void => {
      if (answer.failed === undefined) {
        done();
        resolve(answer);
      } else fail(answer.failed, answer.missing);
    };
    const timer = setTimeout(() => fail(`a thread did not answer for ${PATIENCE / 1000} s`), PATIENCE);
    worker.on("error", onError);
    worker.on("exit", onExit);
    worker.on("message", onMessage);
  });
}
