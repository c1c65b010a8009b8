/**
 * Addresses in shared memory.
 *
 * An address is the index of a 32-bit word in the arena; 0 is null (word 0 belongs to the
 * arena header, so no object can live there). The types are branded: an address, an order and
 * a plain number do not mix without saying so.
 *
 * Law table: this file owns no word.
 */

declare const brand: unique symbol;

/** Index of a 32-bit word in the arena; 0 is null. */
export type Address = number & { readonly [brand]: "address" };

/** Buddy order: a block of order n is 2^n pages. */
export type Order = number & { readonly [brand]: "order" };

/** The null address. */
export const NULL: Address = 0 as Address;

/** Bytes in a word. */
export const WORD_BYTES = 4;

/** Bytes in a page. */
export const PAGE_BYTES = 4096;

/** Words in a page. */
export const PAGE_WORDS: number = PAGE_BYTES / WORD_BYTES;

/** log2 of PAGE_WORDS: `address >>> PAGE_SHIFT` is the page an address lies in. */
export const PAGE_SHIFT = 10;

/** Highest buddy order: 2^10 pages, 4 MiB. */
export const MAX_ORDER = 10 as Order;

/** The address `words` words after `base`. */
export function field(base: Address, words: number): Address {
  return (base + words) as Address;
}

/** Whole words that hold `bytes` bytes. */
export function wordsFor(bytes: number): number {
  return Math.ceil(bytes / WORD_BYTES);
}
