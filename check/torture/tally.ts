/**
 * What all threads of a torture run count together, and the first failure's report. It lies outside the arena, so that no defect of
 * the arena can spoil it, and in shared memory, so that a killed thread's counts stay.
 *
 *   words   STUTTER | FAILED | LENGTH | VERSION | errors by kind
 *   counts  READS | UPDATES | SYNCS | pipe histogram          64 bits each
 *   text    of the first failure
 */

/** What can go wrong. */
export const ERRORS = [
  "pipe", // a reader held an element for a whole grace period
  "freed", // a reader saw freed memory
  "cookie early",
  "cookie late",
  "callback early",
  "callback lost",
  "missing", // a present key was not found
  "torn", // a value that nobody wrote
  "backwards", // a version older than one seen before
  "history", // not linearizable
  "lost", // an update that was made is not there
  "twice", // what there is once was found, or taken, twice
  "order", // what came first was found later
  "not back", // elements that nobody freed
  "thrown",
  "stall",
  "hung",
] as const;
export type ErrorKind = (typeof ERRORS)[number];

const Word = { STUTTER: 0, FAILED: 1, LENGTH: 2, VERSION: 3, ERRORS: 8 } as const;
const Count = { READS: 0, UPDATES: 1, CALLBACKS: 2, PIPE: 8 } as const;
const COUNTS_AT = 128;
const COUNTS = 32;
const TEXT_AT = COUNTS_AT + 8 * COUNTS;
const MOST_TEXT = 8192;

/** Buckets of the histogram; the last one is for all above. */
export const PIPE_BUCKETS = 12;

export class Tally {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #counts: BigInt64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(TEXT_AT + MOST_TEXT)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, COUNTS_AT / 4);
    this.#counts = new BigInt64Array(buffer, COUNTS_AT, COUNTS);
  }

  /** Count an error; the first one's report is kept. */
  fail(kind: ErrorKind, report: string): void {
    Atomics.add(this.#words, Word.ERRORS + ERRORS.indexOf(kind), 1);
    if (Atomics.compareExchange(this.#words, Word.FAILED, 0, 1) !== 0) return;
    const text = new TextEncoder().encode(`${kind}: ${report}`).subarray(0, MOST_TEXT);
    new Uint8Array(this.buffer, TEXT_AT).set(text);
    Atomics.store(this.#words, Word.LENGTH, text.length);
  }

  /** The first failure's report; undefined when there is none (yet). */
  get firstFailure(): string | undefined {
    const length = Atomics.load(this.#words, Word.LENGTH);
    return length === 0 ? undefined : new TextDecoder().decode(new Uint8Array(this.buffer, TEXT_AT, length).slice());
  }

  /** How often each kind of error was met; those never met are left out. */
  errors(): Partial<Record<ErrorKind, number>> {
    const found: Partial<Record<ErrorKind, number>> = {};
    for (const [i, kind] of ERRORS.entries()) {
      const count = Atomics.load(this.#words, Word.ERRORS + i);
      if (count > 0) found[kind] = count;
    }
    return found;
  }

  get totalErrors(): number {
    return Object.values(this.errors()).reduce((sum, count) => sum + count, 0);
  }

  #read(count: number): number {
    return Number(Atomics.load(this.#counts, count));
  }

  /** What is in the histogram counts as read, and is counted there only: a thread may be killed between two counts. */
  get reads(): number {
    return this.pipe().reduce((sum, count) => sum + count, this.#read(Count.READS));
  }

  get updates(): number {
    return this.#read(Count.UPDATES);
  }

  get callbacks(): number {
    return this.#read(Count.CALLBACKS);
  }

  pipe(): number[] {
    return Array.from({ length: PIPE_BUCKETS }, (_, i) => this.#read(Count.PIPE + i));
  }

  /** Add a thread's own counts, and set them back. */
  take(own: OwnCounts): void {
    Atomics.add(this.#counts, Count.READS, BigInt(own.reads));
    Atomics.add(this.#counts, Count.UPDATES, BigInt(own.updates));
    Atomics.add(this.#counts, Count.CALLBACKS, BigInt(own.callbacks));
    for (const [i, count] of own.pipe.entries()) if (count > 0) Atomics.add(this.#counts, Count.PIPE + i, BigInt(count));
    own.reads = own.updates = own.callbacks = 0;
    own.pipe.fill(0);
  }

  /** A number that was never given before. */
  nextVersion(): number {
    return Atomics.add(this.#words, Word.VERSION, 1) + 1;
  }

  /** All stop, or all start. */
  stutter(stop: boolean): void {
    Atomics.store(this.#words, Word.STUTTER, stop ? 1 : 0);
    Atomics.notify(this.#words, Word.STUTTER);
  }

  get stuttering(): boolean {
    return Atomics.load(this.#words, Word.STUTTER) === 1;
  }

  /** Block until all start, at most so many ms. */
  waitForStart(milliseconds: number): void {
    Atomics.wait(this.#words, Word.STUTTER, 1, milliseconds);
  }
}

/** What a thread counts by itself between two calls of `take`. */
export interface OwnCounts {
  reads: number;
  updates: number;
  callbacks: number;
  readonly pipe: number[];
}

export const ownCounts = (): OwnCounts => ({ reads: 0, updates: 0, callbacks: 0, pipe: new Array<number>(PIPE_BUCKETS).fill(0) });
