/**
 * The demo's workers: started together, watched, stopped together. Whatever one of them does
 * (throws, exits, hangs), this ends, says so, and leaves no worker behind.
 */

import { Worker } from "node:worker_threads";
import type { Shared } from "../../index.js";
import type { FromMain, FromWorker, WorkerInput } from "./protocol.js";

/** Milliseconds that threads get to start, and to stop, before they count as hung. */
const START_LIMIT = 30_000;
const STOP_LIMIT = 30_000;

interface Member {
  readonly name: string;
  readonly worker: Worker;
  ready: boolean;
  done: boolean;
  gone: boolean;
}

export class Crew {
  /** What went wrong with threads, in words. */
  readonly failures: string[] = [];
  /** Descriptions of wrong answers. */
  readonly wrong: string[] = [];
  readonly #members: Member[] = [];
  /** Called after each change of a member's state. */
  #changed: () => void = () => {};
  readonly #onFailure: () => void;

  /** `onFailure` is called when a thread failed: the run should end. */
  constructor(onFailure: () => void) {
    this.#onFailure = onFailure;
  }

  /** Start `script` (a sibling of this file) in a thread of its own. */
  start(shared: Shared, name: string, script: string, input: WorkerInput): void {
    const worker = new Worker(new URL(script, import.meta.url), { workerData: input, name });
    // When this thread dies, whatever the reason, its slot must not hold up grace periods.
    shared.watch(worker);
    const member: Member = { name, worker, ready: false, done: false, gone: false };
    this.#members.push(member);
    worker.on("message", (message: FromWorker) => {
      if (message.type === "wrong") this.wrong.push(message.text);
      else if (message.type === "ready") member.ready = true;
      else member.done = true;
      this.#changed();
    });
    worker.on("error", (error: unknown) => {
      this.#fail(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      member.done = true;
    });
    worker.on("exit", (code) => {
      if (!member.done) this.#fail(`${name} ended with code ${code} before its work was done`);
      member.gone = true;
      this.#changed();
    });
  }

  /** Wait until all are ready, then let them go. False when that did not come about. */
  async go(signal: AbortSignal): Promise<boolean> {
    const failed = (): boolean => this.failures.length > 0 || signal.aborted;
    const waiting = this.#until(() => failed() || this.#members.every((member) => member.ready), START_LIMIT);
    const poke = (): void => this.#changed();
    signal.addEventListener("abort", poke);
    const intime = await waiting;
    signal.removeEventListener("abort", poke);
    if (!intime) this.#fail(`not ready after ${START_LIMIT / 1000} s: ${this.#names((member) => !member.ready)}`);
    if (failed()) return false;
    const message: FromMain = "go";
    for (const { worker } of this.#members) worker.postMessage(message);
    return true;
  }

  /** Wait until all have ended by themselves; those that do not are terminated and reported. */
  async end(): Promise<void> {
    if (await this.#until(() => this.#members.every((member) => member.gone), STOP_LIMIT)) return;
    this.#fail(`still running ${STOP_LIMIT / 1000} s after the end, terminated: ${this.#names((member) => !member.gone)}`);
    await this.terminate();
  }

  /** End all that still run, whatever they are doing. */
  async terminate(): Promise<void> {
    // Their exit is no failure of theirs.
    for (const member of this.#members) member.done = true;
    await Promise.all(this.#members.map((member) => member.worker.terminate()));
  }

  #fail(text: string): void {
    this.failures.push(text);
    this.#changed();
    this.#onFailure();
  }

  #names(which: (member: Member) => boolean): string {
    return this.#members
      .filter(which)
      .map((member) => member.name)
      .join(", ");
  }

  /** Resolves to true when `condition` holds, to false after `limit` ms. */
  #until(condition: () => boolean, limit: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (result: boolean): void => {
        clearTimeout(timer);
        this.#changed = () => {};
        resolve(result);
      };
      const timer = setTimeout(() => finish(false), limit);
      this.#changed = () => {
        if (condition()) finish(true);
      };
      this.#changed();
    });
  }
}
