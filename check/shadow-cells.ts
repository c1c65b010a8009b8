/**
 * Where shadow memory keeps what it knows, behind one small interface: journalled, for the explorer, or shared by threads
 * (real/shared-cells.ts).
 *
 *   clocks   T x T: row t is what thread t has seen of each thread; its own entry is its epoch
 *   a word   STATE | clock of its last atomic write (T)
 *            | epochs of the last plain read, plain write, atomic read, atomic write (T each)
 *            | where call sites are kept: the thread that set STATE and its site, then the sites of the accesses (4 T)
 */

import type { Undo } from "./undo.js";

/** Words of cells, by index. */
export interface ShadowCells {
  readonly threads: number;
  /** Whether a word has room for call sites. */
  readonly keepsSites: boolean;
  /** First of the clocks. */
  readonly clocks: number;
  get(index: number): number;
  set(index: number, value: number): void;
  /** First cell of a word; all of them are zero when it was never touched. */
  of(address: number): number;
  /** Nobody else touches the word or its cells until `unlock`. Does nothing where there is one JavaScript thread. */
  lock(address: number): void;
  unlock(address: number): void;
}

/** Cells of each word. */
export function cellsOfWord(threads: number, keepsSites: boolean): number {
  return 1 + 5 * threads + (keepsSites ? 2 + 4 * threads : 0);
}

/** Cells that an explorer can take back. */
export class JournalledCells implements ShadowCells {
  readonly threads: number;
  readonly keepsSites: boolean;
  readonly clocks: number;
  readonly #undo: Undo;
  readonly #base: Int32Array;
  readonly #stride: number;

  constructor(undo: Undo, threads: number, words: number, keepsSites: boolean) {
    this.threads = threads;
    this.keepsSites = keepsSites;
    this.#undo = undo;
    this.#base = new Int32Array(words);
    this.#stride = cellsOfWord(threads, keepsSites);
    this.clocks = undo.allocate(threads * threads);
    // Epochs start at 1, so that what setup did (epoch 0) is before everything.
    for (let t = 0; t < threads; t++) undo.cells[this.clocks + t * threads + t] = 1;
  }

  get(index: number): number {
    return this.#undo.get(index);
  }

  set(index: number, value: number): void {
    this.#undo.set(index, value);
  }

  of(address: number): number {
    const base = this.#base[address] as number;
    if (base !== 0) return base;
    const fresh = this.#undo.allocate(this.#stride);
    this.#base[address] = fresh;
    return fresh;
  }

  lock(): void {}

  unlock(): void {}
}
