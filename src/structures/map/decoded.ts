/**
 * Values as this thread has decoded them: as long as an entry is the same, it is decoded once.
 *
 * An entry's state is named by its hash and its version (bucket.ts), so nothing shared is looked at but these. A table of four ways, in this thread's own
 * memory: a value stands in one of the four places from where its hash points to, and the oldest of them gives way. They are counted, and their bytes too: when these are too many all
 * go, since the shared memory's own size says nothing of what this thread has of entries that are no longer in it.
 *
 * Law table: this file owns no shared word.
 */

const WAYS = 4;
const LEAST = 256;

/** Decoded values of one map. */
export class Decoded<T> {
  readonly #most: number;
  readonly #mostBytes: number;
  #mask = LEAST - 1;
  /** Hash and version of each place; version 0 is of none. */
  #names = new Int32Array(2 * LEAST);
  #values: (T | undefined)[] = new Array(LEAST).fill(undefined);
  /** Bytes of each, as it stands in shared memory. */
  #sizes = new Float64Array(LEAST);
  #bytes = 0;
  #filled = 0;
  #turn = 0;

  /**
   * @param most values that are kept
   * @param mostBytes and their bytes, as they stand in shared memory
   */
  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  /** The value of a state, undefined when it is not known. */
  get(hash: number, version: number): T | undefined {
    const names = this.#names;
    const first = hash & this.#mask & -WAYS;
    for (let place = first; place < first + WAYS; place++) {
      if (names[2 * place] === hash && names[2 * place + 1] === (version | 0)) return this.#values[place];
    }
    return undefined;
  }

  /** @param bytes as it stands in shared memory */
  set(hash: number, version: number, value: T, bytes: number): void {
    if (this.#bytes + bytes > this.#mostBytes) this.clear();
    if (2 * this.#filled > this.#mask && this.#mask + 1 < this.#most) this.#grow();
    const first = hash & this.#mask & -WAYS;
    let at = first + (this.#turn++ & (WAYS - 1));
    for (let place = first; place < first + WAYS; place++) {
      if (this.#names[2 * place + 1] === 0) at = place;
      else if (this.#names[2 * place] === hash) {
        at = place; // a newer state takes the place of an older one of the same entry
        break;
      }
    }
    if (this.#names[2 * at + 1] === 0) this.#filled++;
    this.#names[2 * at] = hash;
    this.#names[2 * at + 1] = version | 0;
    this.#values[at] = value;
    this.#bytes += bytes - (this.#sizes[at] as number);
    this.#sizes[at] = bytes;
  }

  /** The entry is no longer there: let its value go. */
  forget(hash: number): void {
    const first = hash & this.#mask & -WAYS;
    for (let place = first; place < first + WAYS; place++) {
      if (this.#names[2 * place] !== hash || this.#names[2 * place + 1] === 0) continue;
      this.#names[2 * place + 1] = 0;
      this.#values[place] = undefined;
      this.#bytes -= this.#sizes[place] as number;
      this.#sizes[place] = 0;
      this.#filled--;
    }
  }

  /** Let all go. */
  clear(): void {
    this.#resize(LEAST);
  }

  #resize(size: number): void {
    this.#mask = size - 1;
    this.#names = new Int32Array(2 * size);
    this.#values = new Array(size).fill(undefined);
    this.#sizes = new Float64Array(size);
    this.#bytes = 0;
    this.#filled = 0;
  }

  #grow(): void {
    const names = this.#names;
    const values = this.#values;
    const sizes = this.#sizes;
    this.#resize(2 * (this.#mask + 1));
    for (const [place, value] of values.entries()) {
      const version = names[2 * place + 1] as number;
      if (version !== 0) this.set(names[2 * place] as number, version, value as T, sizes[place] as number);
    }
  }
}
