/**
 * Spin loops, which would make the search endless.
 *
 * A turn of a loop that reads some words, writes nothing, and leads back to where it began is
 * futile: without it the thread is where it was. So a thread that is about to begin a turn whose words
 * still have the values of its last reads need not be run. Whether it would come back is tried out:
 * the same values are fed to it, up to PROBE times over.
 * - It goes on for ever: it is parked until one of the words changes (or nobody else can run).
 * - It gives up after some turns (a lock that spins before it sleeps): it makes all of them in one
 *   step, or, scheduled later, sees the change.
 * - It does something else: no spin at all.
 * Local variables cannot be compared, the place in the code can: each turn must come by the same calls,
 * so that reading a word twice and then spinning on it is not taken for one loop.
 *
 * What is left out: executions that differ only in the number of futile turns. Code that counts them and
 * lets the count matter, or calls the same bounded spin twice from one loop, has outcomes which
 * `spin: "park"` may miss; for that there is `spin: "explore"`. A loop taken for endless that ends after all
 * makes the result incomplete, when it is seen to.
 */

import { Op } from "./operation.js";
import { ScheduledMemory } from "./scheduled-memory.js";
import { Field, type ThreadStates } from "./thread-state.js";
import type { Undo } from "./undo.js";

/** Longest cycle recognised, in operations. */
const LENGTH = 16;
/** Turns after which a spin is taken to be endless. */
const PROBE = 1000;
/** Turns that make a spin. */
const TURNS = 8;

/** Known of a spin: it gives up, but exactly when was not looked at (stacks are dear). */
const MEASURE = -1;

/** No thread. */
const NONE = -1;

export class Spins {
  /** Times a thread was found to begin a futile turn. */
  found = 0;
  readonly #cells: Undo;
  readonly #states: ThreadStates;
  /** By thread, by hash of what it read: 0 no spin, Infinity endless, else operations until it gives up. */
  readonly #known: readonly Map<number, number>[];

  // The probe: its thread, cycle, operations fed so far.
  #probed = NONE;
  #length = 0;
  #steps = 0;
  #key = 0;
  #exact = false;
  readonly #stacks: string[] = [];

  constructor(threads: number, cells: Undo, states: ThreadStates) {
    this.#cells = cells;
    this.#states = states;
    this.#known = Array.from({ length: threads }, () => new Map<number, number>());
  }

  /**
   * The thread has come to a new operation: note if it begins a futile turn.
   * @returns the length of a cycle to be tried out first (`begin`), or 0
   */
  look(memory: ScheduledMemory): number {
    const { log, end, index: t } = memory;
    const op = log.op[end] as Op;
    if ((op >= Op.wait && op !== Op.read) || this.#states.get(t, Field.goesOn) !== 0) return 0;
    for (let length = 1; length <= LENGTH && length <= end; length++) {
      const i = end - length;
      if (!log.futile(i) || this.#cells.get(log.address[i] as number) !== log.value[i]) return 0;
      if (!log.is(i, op, log.address[end] as number, log.x[end] as number, log.y[end] as number)) continue;
      const known = this.#known[t]?.get(hash(memory, length));
      if (known === undefined || known === MEASURE) return length;
      if (known === 0) return 0;
      this.#states.set(t, Field.spin, length);
      this.#states.set(t, Field.burst, known === Number.POSITIVE_INFINITY ? 0 : known);
      this.found++;
      return 0;
    }
    return 0;
  }

  /** The words still have the values that the last turn found. */
  wouldRepeat({ log, end }: ScheduledMemory, length: number): boolean {
    for (let i = end - length; i < end; i++) if (this.#cells.get(log.address[i] as number) !== log.value[i]) return false;
    return true;
  }

  probing(thread: number): boolean {
    return this.#probed === thread;
  }

  /** Let the thread run ahead over the values of its last turn; gives the first. */
  begin(memory: ScheduledMemory, length: number): number {
    this.#probed = memory.index;
    this.#length = length;
    this.#steps = 1;
    this.#key = hash(memory, length);
    this.#exact = this.#known[memory.index]?.get(this.#key) === MEASURE;
    this.#stacks[0] = stackOfThread();
    memory.cursor = memory.end + length; // past the log: all further accesses come to `step`
    return memory.log.value[memory.end - length] as number;
  }

  /** An operation of the thread that runs ahead: gives the value of the last turn, or abandons the run. */
  step(memory: ScheduledMemory, op: Op, address: number, x: number, y: number): number {
    const i = memory.end - this.#length + (this.#steps % this.#length);
    if (!memory.log.is(i, op, address, x, y) || !this.#samePlace()) this.#learn(memory, false);
    else if (++this.#steps > PROBE * this.#length) this.#learn(memory, true);
    else return memory.log.value[i] as number;
    throw memory.abandon();
  }

  /** The run that was ahead is over; the thread must be run again. */
  end(memory: ScheduledMemory): void {
    if (!memory.dead) this.#learn(memory, false); // it ended instead of spinning
    this.#probed = NONE;
    memory.abandon();
  }

  #samePlace(): boolean {
    const turn = Math.floor(this.#steps / this.#length);
    // Now and then is enough to see that the place has changed; an exact probe then sees when.
    if (!this.#exact && turn >= TURNS && (turn & (turn - 1)) !== 0 && turn !== PROBE - 1) return true;
    const stack = stackOfThread();
    if (this.#steps < this.#length) this.#stacks[this.#steps] = stack;
    return this.#stacks[this.#steps % this.#length] === stack;
  }

  #learn(memory: ScheduledMemory, endless: boolean): void {
    const some = this.#steps >= TURNS * this.#length;
    const known = endless ? Number.POSITIVE_INFINITY : !some ? 0 : this.#exact ? this.#steps : MEASURE;
    this.#known[this.#probed]?.set(this.#key, known);
    memory.known = memory.end; // to be looked at again
  }
}

// What a thread does is a function of what it read, so what was found out holds wherever it reads the
// same again. 53 bits stand for all that.
function hash({ log, end }: ScheduledMemory, length: number): number {
  let a = 0x9e3779b9 ^ length;
  let b = end;
  for (let i = 0; i < end; i++) {
    const value = log.value[i] as number;
    a = Math.imul(a ^ value ^ (log.op[i] as number), 0x85ebca6b) ^ (a >>> 15);
    b = Math.imul(b + value, 0xc2b2ae35) ^ (b >>> 13) ^ (log.address[i] as number);
  }
  return (a >>> 0) * 0x200000 + ((b ^ (b >>> 11)) & 0x1fffff);
}

/** A frame's place, in characters from the start of its script: to be compared only, and far cheaper to get than line and column. */
interface Frame {
  getPosition(): number;
  getScriptNameOrSourceURL(): string | null;
}

const placesOf = (_: Error, frames: readonly unknown[]): string =>
  (frames as readonly Frame[]).map((frame) => `${frame.getScriptNameOrSourceURL()}:${frame.getPosition()}`).join();

// The calls by which the thread came to the present access.
function stackOfThread(): string {
  const { stackTraceLimit, prepareStackTrace } = Error;
  Error.stackTraceLimit = 40;
  Error.prepareStackTrace = placesOf;
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, ScheduledMemory.prototype.operate);
  const { stack } = holder; // made into text when it is asked for
  Error.stackTraceLimit = stackTraceLimit;
  Error.prepareStackTrace = prepareStackTrace;
  return stack ?? "";
}
