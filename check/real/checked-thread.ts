/**
 * One real thread over a checked memory that all of them share.
 *
 * What the host orders is told by hand: whoever starts a thread gives it a handle with its `fork()`, and calls `ended()` when it has been
 * told of an end. Messages between threads order nothing here, so what a program orders by them alone is reported.
 *
 * A thread must not be terminated while it runs: it may hold one of the checker's locks, which nobody takes over.
 */

import { type Memory, SharedMemory } from "../../src/memory/memory.js";
import { CheckedMemory, type Reporter } from "../checked-memory.js";
import { Shadow, type ShadowError, type ShadowKind } from "../shadow.js";
import { SharedCells } from "./shared-cells.js";
import { SharedSites } from "./shared-sites.js";

/** What a thread joins by; it can be posted. */
export interface CheckedHandle {
  readonly memory: SharedArrayBuffer;
  readonly shadow: SharedArrayBuffer;
  readonly threads: number;
  readonly sampling: Sampling;
  /** What was before the thread that joins by it (`CheckedThread.fork`); without it, nothing but setup. */
  readonly clock?: readonly number[];
}

export interface Sampling {
  /** Check one plain read in so many (default 1: all). A race or misuse of which the only read is left out is not seen. */
  readonly reads?: number;
  /** Keep the call site of one check in so many (default 1: all). All is seen, but the other access's stack may be missing. */
  readonly sites?: number;
}

/** What was found, whichever thread found it. */
export interface Report {
  readonly kind: ShadowKind;
  readonly message: string;
  /** Of the access that was reported, then of the other one. */
  readonly stacks: readonly string[];
}

/** Somebody else has found something: this thread goes no further. */
export class CheckingOverError extends Error {}

/**
 * Shadow memory for a buffer.
 * @param threads that will ever join
 */
export function checkedHandle(memory: SharedArrayBuffer, threads: number, sampling: Sampling = {}): CheckedHandle {
  return { memory, shadow: new SharedCells(threads, memory.byteLength >> 2).buffer, threads, sampling };
}

export class CheckedThread implements Reporter {
  readonly index: number;
  readonly memory: CheckedMemory;
  /** The words themselves, unchecked: for what must order nothing. */
  readonly raw: Memory;
  readonly #cells: SharedCells;
  readonly #shadow: Shadow;
  readonly #name: string;

  /** @param id that the host knows the thread by (`threadId`) */
  constructor(handle: CheckedHandle, id: number, name: string, label?: (address: number) => string) {
    const cells = new SharedCells(handle.threads, handle.memory.byteLength >> 2, handle.shadow);
    this.#cells = cells;
    this.#name = name;
    this.index = cells.join(id);
    const threadName = (thread: number): string => (thread === this.index ? `thread ${thread} (${name})` : `thread ${thread}`);
    this.#shadow = new Shadow(cells, { sites: new SharedSites(cells, handle.sampling.sites ?? 1), threadName, ...(label === undefined ? {} : { label }) });
    this.#shadow.begin(this.index, handle.clock ?? []);
    this.raw = new SharedMemory(handle.memory);
    this.memory = new CheckedMemory(this.raw, this.#shadow, this.index, { sample: handle.sampling.reads ?? 1, reporter: this });
  }

  get name(): string {
    return this.#name;
  }

  /** The clock for a handle: what this thread has done so far is before all that the threads do which join by it. */
  fork(): readonly number[] {
    return this.#shadow.fork(this.index);
  }

  /** All that the thread with this id did is before what this thread does from now on. */
  ended(id: number): void {
    const thread = this.#cells.threadOf(id);
    if (thread !== undefined) this.#shadow.acquire(this.index, this.#cells.clocks + thread * this.#cells.threads);
  }

  /** Words of a range that the allocator has to itself, or that it has given up. */
  setState(address: number, words: number, state: "live" | "freed"): void {
    for (let word = address; word < address + words; word++) {
      this.#cells.lock(word);
      this.#shadow.setState(word, 1, state);
      this.#cells.unlock(word);
    }
  }

  mustGoOn(): void {
    if (this.#cells.reported) throw new CheckingOverError("another thread has found a race or a misused word: see its report");
  }

  found({ kind, message, stacks }: ShadowError): void {
    this.#cells.report(JSON.stringify({ kind, message, stacks } satisfies Report));
  }

  /** What any thread has found. */
  get report(): Report | undefined {
    const text = this.#cells.reportText;
    return text === undefined ? undefined : (JSON.parse(text) as Report);
  }

  /** Tell the others how much was checked. At the end. */
  tell(): void {
    this.#cells.addChecks(this.index, this.memory.checks);
    this.memory.checks = 0;
  }

  /** How much was checked, of threads that have told; and how much of it was of any use. For a thread that is alone. */
  work(): { readonly checks: number; readonly sharedWords: number } {
    return { checks: this.#cells.checks, sharedWords: this.#cells.sharedWords };
  }
}

/** All of a report, to print. */
export function reportText({ message, stacks }: Report): string {
  return [message, ...stacks].join("\n");
}
