/**
 * One thread's memory under the explorer: a recording that goes on where it ends.
 *
 * A thread is a deterministic function of the values it read. So it need not be suspended to let
 * another one run: it is abandoned (by throwing `abandoned` through it) and later run again
 * from its start over its recorded values, which costs a few nanoseconds an access, until it
 * arrives where it was. Only beyond its recording does an access reach the explorer.
 *
 * Abandoning runs `finally` blocks and perhaps `catch` blocks. Every further access of that run throws
 * again rather than do nothing: a loop on a compareExchange that does nothing would not end.
 */

import type { Address } from "../src/memory/address.js";
import type { AsyncWait, Memory, WaitResult } from "../src/memory/memory.js";
import { Log, Op } from "./operation.js";

/** Thrown through a run that is not needed any more. Not an Error: it has no stack to collect. */
export const abandoned: unique symbol = Symbol("abandoned run");

/** What a thread asks when it goes past its recording. */
export interface Frontier {
  /** The operation at the end of the log is next: gives its result when its turn comes, or abandons the run. */
  reach(memory: ScheduledMemory, op: Op, address: number, x: number, y: number): number;
  /** The thread did not do what it did before over the same values. */
  nondeterministic(memory: ScheduledMemory, at: number, op: Op, address: number): never;
}

// Beyond any log: every access of an abandoned run gets to the frontier and is refused there.
const BEYOND = 0x3fffffff;

export class ScheduledMemory implements Memory {
  readonly words: number;
  readonly canBlock: boolean = true;
  readonly index: number;
  readonly log: Log = new Log();
  /** Operations of the log that were performed; the one at `end`, if known, is the thread's next. */
  end = 0;
  /** Entries of the log that are filled in: `end` or `end + 1`. */
  known = 0;
  /** Where the present run has come in the log. */
  cursor = BEYOND;
  /** The present run is abandoned, or there is none. */
  dead = true;
  /** Bytes of the present readBytes or writeBytes. */
  bytes: Uint8Array | undefined;
  /** Milliseconds that the present run spent in waits that timed out. */
  waited = 0;
  /** State of the present run's random numbers. */
  seed = 0;
  readonly #frontier: Frontier;

  constructor(index: number, words: number, frontier: Frontier) {
    this.index = index;
    this.words = words;
    this.#frontier = frontier;
  }

  begin(): void {
    this.cursor = 0;
    this.dead = false;
    this.waited = 0;
    this.seed = this.index;
  }

  /** Gives up the present run: throw what this gives. */
  abandon(): typeof abandoned {
    this.dead = true;
    this.cursor = BEYOND;
    return abandoned;
  }

  /** An operation of the thread: replayed, or performed when its turn comes. */
  operate(op: Op, address: number, x: number, y: number): number {
    const i = this.cursor;
    if (i >= this.end) return this.#frontier.reach(this, op, address, x, y);
    const log = this.log;
    if (log.op[i] !== op || log.address[i] !== address) this.#frontier.nondeterministic(this, i, op, address);
    this.cursor = i + 1;
    return log.value[i] as number;
  }

  load(address: Address): number {
    return this.operate(Op.load, address, 0, 0);
  }
  store(address: Address, value: number): void {
    this.operate(Op.store, address, value, 0);
  }
  exchange(address: Address, value: number): number {
    return this.operate(Op.exchange, address, value, 0);
  }
  compareExchange(address: Address, expected: number, replacement: number): number {
    return this.operate(Op.compareExchange, address, expected, replacement);
  }
  add(address: Address, value: number): number {
    return this.operate(Op.add, address, value, 0);
  }
  and(address: Address, value: number): number {
    return this.operate(Op.and, address, value, 0);
  }
  or(address: Address, value: number): number {
    return this.operate(Op.or, address, value, 0);
  }

  read(address: Address): number {
    return this.operate(Op.read, address, 0, 0);
  }
  write(address: Address, value: number): void {
    this.operate(Op.write, address, value, 0);
  }
  fill(address: Address, words: number, value: number): void {
    this.operate(Op.fill, address, words, value);
  }
  copy(target: Address, source: Address, words: number): void {
    this.operate(Op.copy, target, source, words);
  }
  readBytes(source: Address, target: Uint8Array): void {
    const i = this.cursor;
    this.bytes = target;
    const recorded = i < this.end ? this.log.bytes[i] : undefined;
    if (recorded !== undefined) target.set(recorded.subarray(0, target.length));
    this.operate(Op.readBytes, source, target.length, 0);
  }
  writeBytes(target: Address, source: Uint8Array): void {
    this.bytes = source;
    this.operate(Op.writeBytes, target, source.length, 0);
  }

  wait(address: Address, expected: number, timeout: number): WaitResult {
    if (timeout <= 0) return this.load(address) === (expected | 0) ? "timed-out" : "not-equal";
    // NaN is infinite, as for Atomics.wait.
    const finite = timeout < Number.POSITIVE_INFINITY ? 1 : 0;
    if (this.operate(Op.wait, address, expected, finite) === 0) return "not-equal";
    if (this.operate(Op.wake, address, 0, finite) === 0) return "ok";
    this.waited += timeout;
    return "timed-out";
  }
  waitAsync(): AsyncWait {
    throw new Error("waitAsync is not modelled: a scenario's threads are synchronous functions. Use wait, or let the scenario call what the wake-up would.");
  }
  notify(address: Address): number {
    return this.operate(Op.notify, address, 0, 0);
  }
}
