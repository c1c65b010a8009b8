/**
 * The few words through which the demo's threads count and stop: a small shared buffer of the
 * demo's own, beside the arena, only ever used with Atomics. Each thread counts in a line of
 * its own, so that counting does not slow its neighbours down.
 */

/** Bytes from one thread's counters to the next: two cache lines of 64 (prefetchers pair them). */
const LINE = 128;
/** 32-bit words of the common line. */
const STOP = 0;
const ISSUED = 1;
/** Words of a thread's line; its lookups are the 64-bit number at its start. */
const WRONG = 2;

/** What the writer did, each counted in its line. */
export const changeNames = ["splits", "rejoins", "moves", "withdrawals", "readditions"] as const;
export type Change = (typeof changeNames)[number];
const CHANGES = 4;

export class Control {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #longs: BigInt64Array;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#longs = new BigInt64Array(buffer);
  }

  /** For `threads` threads, numbered from 0. */
  static create(threads: number): Control {
    return new Control(new SharedArrayBuffer(LINE * (threads + 1)));
  }

  static attach(buffer: SharedArrayBuffer): Control {
    return new Control(buffer);
  }

  get stopping(): boolean {
    return Atomics.load(this.#words, STOP) !== 0;
  }

  stop(): void {
    Atomics.store(this.#words, STOP, 1);
  }

  /** The last version given out. The writer stores it before it stores an entry with it. */
  get issued(): number {
    return Atomics.load(this.#words, ISSUED);
  }

  set issued(version: number) {
    Atomics.store(this.#words, ISSUED, version);
  }

  lookups(thread: number): number {
    return Number(Atomics.load(this.#longs, ((thread + 1) * LINE) / 8));
  }

  setLookups(thread: number, count: number): void {
    Atomics.store(this.#longs, ((thread + 1) * LINE) / 8, BigInt(count));
  }

  /** Wrong answers of one thread. */
  wrong(thread: number): number {
    return Atomics.load(this.#words, ((thread + 1) * LINE) / 4 + WRONG);
  }

  addWrong(thread: number): void {
    Atomics.add(this.#words, ((thread + 1) * LINE) / 4 + WRONG, 1);
  }

  changes(thread: number, change: Change): number {
    return Atomics.load(this.#words, ((thread + 1) * LINE) / 4 + CHANGES + changeNames.indexOf(change));
  }

  addChange(thread: number, change: Change): void {
    Atomics.add(this.#words, ((thread + 1) * LINE) / 4 + CHANGES + changeNames.indexOf(change), 1);
  }
}
