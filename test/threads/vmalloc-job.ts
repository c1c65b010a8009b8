/** What workers of vmalloc.test.ts and mempool.test.ts do. */

export interface SwapJob {
  readonly role: "swap";
  /** Swappable area of `pages` pages, and the file behind it. */
  readonly area: number;
  readonly pages: number;
  readonly path: string;
  /** It writes pages whose number leaves this when divided by `of`, and reads all. */
  readonly index: number;
  readonly of: number;
  readonly seed: number;
}

export interface PoolJob {
  readonly role: "pool";
  readonly pool: number;
  /** A word for each element, by the element's first word: who holds it. */
  readonly holders: number;
  readonly index: number;
  readonly seed: number;
}

export type Job = SwapJob | PoolJob;

export interface SwapResult {
  readonly touches: number;
  readonly mine: number;
}

export interface PoolResult {
  readonly taken: number;
}

/** Words that a page's writer writes: each says by itself which page and word it is of. */
export const WORDS: readonly number[] = [0, 1, 511, 1023];

/** A word of a page after so many rounds. */
export const wordOf = (page: number, word: number, round: number): number => Math.imul(page * 4099 + word, 65537) ^ (round & 0xff);
/** Whether a word may be of the page, in any round, or was never written. */
export const isWordOf = (value: number, page: number, word: number): boolean => value === 0 || ((value ^ wordOf(page, word, 0)) & ~0xff) === 0;
