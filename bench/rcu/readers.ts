/** The reader threads of a benchmark, as the measuring thread sees them: given work, sent pings, let rest. */

import { Worker } from "node:worker_threads";
import type { Address } from "../../src/memory/address.js";
import type { SharedHandle } from "../../src/shared/shared.js";

/** A shared memory that readers may be told to read, and the pointer in it. */
export interface Place {
  readonly handle: SharedHandle;
  readonly pointer: Address;
  /** Whether the reader takes a slot there: an idle reader is one that has. */
  readonly attach: boolean;
}

export interface ReaderData {
  readonly places: readonly Place[];
  /** Epoch of the work under way; then the turns of each reader. */
  readonly control: Int32Array;
  readonly index: number;
}

/** Turns of so many sections of about so many microseconds each. */
export interface Work {
  /** Index of the place. */
  readonly place: number;
  readonly sections: number;
  readonly microseconds: number;
  /** False for the same work outside of any section. */
  readonly sectioned: boolean;
  /** Whether to measure how late timers are. */
  readonly probe?: boolean;
}

export type Order = Work & { readonly type: "work"; readonly epoch: number };
export type Message = Order | { readonly type: "ping" };

/** What the scheduler of Linux did with a thread: time it ran, time it was ready and had to wait, moves to another core. */
export interface Scheduled {
  readonly ranMs: number;
  readonly waitedMs: number;
  readonly migrations: number;
}

export interface Rested {
  readonly type: "rested";
  readonly index: number;
  readonly turns: number;
  readonly milliseconds: number;
  /** From a turn's end to the next one's begin, in us. */
  readonly gaps: readonly number[];
  /** Of the timers, in ms. */
  readonly lateness: readonly number[];
  /** Of all that it read, so that V8 cannot leave the reading out. */
  readonly sum: number;
  readonly scheduled: Scheduled | undefined;
}

export type Reply = Rested | { readonly type: "ready" | "pong"; readonly index: number };

export class Readers {
  readonly #workers: Worker[] = [];
  readonly #control: Int32Array;
  /** Who waits for a reader's next reply. */
  readonly #waiting = new Map<string, (reply: Reply) => void>();
  #failed: (error: unknown) => void = () => {};
  readonly #failure: Promise<never>;
  #epoch = 0;
  #busy: Promise<Reply>[] = [];

  private constructor(count: number) {
    this.#control = new Int32Array(new SharedArrayBuffer(4 * (count + 1)));
    this.#failure = new Promise((_, reject) => {
      this.#failed = reject;
    });
    this.#failure.catch(() => {}); // whoever waits for a reader sees it
  }

  /** Start so many; each is told its places. One after another, since each times itself first. */
  static async start(count: number, placesOf: (index: number) => readonly Place[]): Promise<Readers> {
    const readers = new Readers(count);
    for (let index = 0; index < count; index++) {
      const data: ReaderData = { places: placesOf(index), control: readers.#control, index };
      const worker = new Worker(new URL("./reader.js", import.meta.url), { workerData: data });
      worker.on("message", (reply: Reply) => {
        const key = `${reply.type} ${reply.index}`;
        const resolve = readers.#waiting.get(key);
        readers.#waiting.delete(key);
        resolve?.(reply);
      });
      worker.on("error", (error) => readers.#failed(error));
      readers.#workers.push(worker);
      await readers.#reply("ready", index);
    }
    return readers;
  }

  #reply(type: Reply["type"], index: number): Promise<Reply> {
    const reply = new Promise<Reply>((resolve) => this.#waiting.set(`${type} ${index}`, resolve));
    return Promise.race([reply, this.#failure]);
  }

  /** Give each of these readers its work; resolves when all are at it. */
  async begin(works: readonly (Work | undefined)[]): Promise<void> {
    const epoch = ++this.#epoch;
    Atomics.store(this.#control, 0, epoch);
    const turnsBefore = works.map((_, index) => this.turns(index));
    for (const [index, work] of works.entries()) {
      if (work === undefined) continue;
      this.#busy.push(this.#reply("rested", index));
      (this.#workers[index] as Worker).postMessage({ type: "work", epoch, ...work } satisfies Order);
    }
    const started = (): boolean => works.every((work, index) => work === undefined || this.turns(index) !== turnsBefore[index]);
    while (!started()) await Promise.race([new Promise((resolve) => setTimeout(resolve, 1)), this.#failure]);
  }

  /** Turns that a reader has ended, of all work it was ever given. */
  turns(index: number): number {
    return Atomics.load(this.#control, 1 + index);
  }

  /** Have all rest, asleep in their event loops; gives what each did. */
  async rest(): Promise<Rested[]> {
    Atomics.store(this.#control, 0, ++this.#epoch);
    const replies = await Promise.all(this.#busy);
    this.#busy = [];
    return replies as Rested[];
  }

  /** Send a reader a message and wait for its answer; gives the time in ms. */
  async ping(index: number): Promise<number> {
    const start = performance.now();
    const reply = this.#reply("pong", index);
    (this.#workers[index] as Worker).postMessage({ type: "ping" } satisfies Message);
    await reply;
    return performance.now() - start;
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
