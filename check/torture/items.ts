/**
 * Things that are put into a structure once and taken out once, counted beside it: outside the arena, so that no defect there can spoil it. What is said before a call and after it
 * bounds what may have happened to the thing, whoever dies.
 *
 *   NEXT | by item: its state
 */

import type { ErrorKind } from "./tally.js";

/** What is known of an item; bits. */
export const ItemState = {
  /** It may be in. */
  PUTTING: 1,
  /** It was put in. */
  IN: 2,
  /** It may be out. */
  TAKING: 4,
  /** It was taken out. */
  OUT: 8,
} as const;

export class Items {
  readonly #words: Int32Array;
  readonly #at: number;

  /** @param at first word; all that follow are the items' */
  constructor(buffer: SharedArrayBuffer, at = 0) {
    this.#words = new Int32Array(buffer);
    this.#at = at;
  }

  /** Numbers given: items are 1 .. count. */
  get count(): number {
    return Math.min(Atomics.load(this.#words, this.#at), this.#words.length - this.#at - 1);
  }

  /** A new item, which is about to be put in; 0 when there is no more room for its state: then nothing is to be put in any more. */
  next(): number {
    if (this.count >= this.#words.length - this.#at - 1) return 0;
    const item = Atomics.add(this.#words, this.#at, 1) + 1;
    if (this.#at + item >= this.#words.length) return 0;
    this.say(item, ItemState.PUTTING);
    return item;
  }

  /** Note what is known now; gives what was known before. */
  say(item: number, state: number): number {
    return Atomics.or(this.#words, this.#at + item, state);
  }

  /** Whether an item is in for certain. */
  isIn(item: number): boolean {
    return (this.state(item) & (ItemState.IN | ItemState.TAKING | ItemState.OUT)) === ItemState.IN;
  }

  /** When all have gone: what is there was not taken out, and what was put in, and nobody tried to take, is there. */
  judge(isThere: (item: number) => boolean, fail: (kind: ErrorKind, what: string) => void): void {
    for (let item = 1; item <= this.count; item++) {
      if (isThere(item)) {
        if ((this.state(item) & ItemState.OUT) !== 0) fail("twice", `item ${item} is in a list, and was taken out`);
      } else if (this.isIn(item)) fail("missing", `item ${item} was put in, and is not there`);
    }
  }

  state(item: number): number {
    return Atomics.load(this.#words, this.#at + item);
  }
}
