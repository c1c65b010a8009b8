/**
 * Sums that threads add to, counted beside the structure that holds them: outside the arena, so that no defect there can spoil it. An addition is counted as begun before it
 * is made and as done after, so what the structure shows lies between the two, whoever dies.
 *
 *   by sum   BEGUN DONE
 */

export class Sums {
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param at first word */
  constructor(buffer: SharedArrayBuffer, at = 0) {
    this.#words = new Int32Array(buffer);
    this.#at = at;
  }

  /** Make an addition. One that throws was not made. */
  add(sum: number, make: () => void): void {
    const at = this.#at + 2 * sum;
    Atomics.add(this.#words, at, 1);
    try {
      make();
    } catch (error) {
      Atomics.sub(this.#words, at, 1);
      throw error;
    }
    Atomics.add(this.#words, at + 1, 1);
  }

  /** Look at a sum: what is wrong with what was seen, or undefined. */
  wrong(sum: number, look: () => number): string | undefined {
    const at = this.#at + 2 * sum;
    const least = Atomics.load(this.#words, at + 1);
    const seen = look();
    const most = Atomics.load(this.#words, at);
    return least <= seen && seen <= most ? undefined : `sum ${sum} is ${seen}; ${least} additions had been made before it was looked at, ${most} begun after`;
  }
}
