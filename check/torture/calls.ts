/**
 * What each life of a torture of the allocators says of itself, outside the arena: which call it is in, and which blocks it alone would know of if it died now.
 *
 *   by life   CALL     the call it is in, 0 for none: whoever dies with it set died inside an allocator
 *             ASKED    bytes of a block without a tag that it is taking; COUNT of them: nobody could find these by a tag
 *             GIVEN    a block that it has taken and not yet linked where others find it
 *             TAKEN    a block of others that it is unlinking, or has unlinked and is about to free
 *             WAITING  it has reached the access at which it is to die, and sleeps there
 *
 * After a death the arena may hold of the blocks without an owner those that these words name, and no others.
 *
 * Law table: all words atomic; written by the life they are of, read by the main thread.
 */

/** The calls, by the number in CALL. */
export const CALLS = [
  "none",
  "attach",
  "kmalloc",
  "kfree",
  "allocPages",
  "freePages",
  "allocPagesBulk",
  "cache.alloc",
  "cache.free",
  "retire",
  "publish",
  "kvmalloc",
  "vmalloc",
  "kvfree",
  "purge",
  "mempool.alloc",
  "mempool.free",
  "trim",
  "ownedBy",
  "detach",
] as const;
export type Call = (typeof CALLS)[number];

const Word = { CALL: 0, ASKED: 1, COUNT: 2, GIVEN: 3, TAKEN: 4, WAITING: 5, CALLS: 6, VERIFIED: 7, NONE_LEFT: 8, SIZE: 16 } as const;
/** Lives that there is room for between two drains; beyond them the words are used again. */
export const MOST_LIVES = 4096;

/** What a life was in the middle of. */
export interface LastWords {
  readonly call: Call;
  /** Bytes of the blocks without a tag that it was taking, and how many they may be; 0 for none. */
  readonly asked: number;
  readonly count: number;
  /** Blocks that only it knew of; 0 for none. */
  readonly hands: readonly number[];
}

/** One life's words. */
export class LifeWords {
  readonly #words: Int32Array;
  readonly #first: number;
  /** Whether it is in a call: the same as CALL, without asking shared memory. */
  inside = false;

  constructor(buffer: SharedArrayBuffer, life: number) {
    this.#words = new Int32Array(buffer);
    this.#first = (life % MOST_LIVES) * Word.SIZE;
  }

  static makeBuffer(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * MOST_LIVES * Word.SIZE);
  }

  #store(word: number, value: number): void {
    Atomics.store(this.#words, this.#first + word, value);
  }

  #load(word: number): number {
    return Atomics.load(this.#words, this.#first + word);
  }

  /** Run a call of the allocators. */
  in<T>(call: Call, fn: () => T): T {
    this.#store(Word.CALL, CALLS.indexOf(call));
    this.inside = true;
    try {
      return fn();
    } finally {
      this.inside = false;
      this.#store(Word.CALL, 0);
      Atomics.add(this.#words, this.#first + Word.CALLS, 1);
    }
  }

  /** Say what is about to be taken without a tag. */
  asks(bytes: number, count = 1): void {
    this.#store(Word.COUNT, count);
    this.#store(Word.ASKED, bytes);
  }

  /** What was asked for has come, as `gives` has said, or has not come. */
  asksNoMore(): void {
    this.#store(Word.ASKED, 0);
  }

  gives(block: number): void {
    this.#store(Word.GIVEN, block);
  }

  takes(block: number): void {
    this.#store(Word.TAKEN, block);
  }

  get lastWords(): LastWords {
    const hands = [this.#load(Word.GIVEN), this.#load(Word.TAKEN)].filter((block) => block !== 0);
    return { call: CALLS[this.#load(Word.CALL)] as Call, asked: this.#load(Word.ASKED), count: this.#load(Word.COUNT), hands };
  }

  /** Sleep here until the main thread terminates this one; at most so many ms, should it have stopped doing so. */
  dieHere(milliseconds: number): void {
    this.#store(Word.WAITING, 1);
    Atomics.wait(this.#words, this.#first + Word.WAITING, 1, milliseconds);
    this.#store(Word.WAITING, 0);
  }

  get waiting(): boolean {
    return this.#load(Word.WAITING) === 1;
  }

  verified(): void {
    Atomics.add(this.#words, this.#first + Word.VERIFIED, 1);
  }

  /** Nothing was left to be had. */
  noneLeft(): void {
    Atomics.add(this.#words, this.#first + Word.NONE_LEFT, 1);
  }

  get counts(): { readonly calls: number; readonly verified: number; readonly noneLeft: number } {
    return { calls: this.#load(Word.CALLS), verified: this.#load(Word.VERIFIED), noneLeft: this.#load(Word.NONE_LEFT) };
  }
}
