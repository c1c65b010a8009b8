/**
 * The plan that writer and readers share without talking: which base ranges the writer may
 * change, and how. It follows from a range's index and the seed alone.
 */

import { mix } from "./random.js";
import type { Words } from "./words.js";

/** What the writer may do to a base range. */
export const Kind = {
  /** Half of them: nothing, ever. The answer must be the loaded entry, exactly. */
  untouched: 0,
  /** A quarter: split it, hand it (or a half) to another country, rejoin it. Never missing. */
  kept: 1,
  /** A quarter: all that, and withdraw and re-add it (or a half). May be missing. */
  roaming: 2,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export const kindNames: readonly string[] = Object.keys(Kind);

/** The part of the hash that is the same for a whole map. */
export function saltOf(seed: number, words: Words): number {
  return mix(seed ^ Math.imul(words, 0x51ed270b));
}

/** The kind of base range `index`. */
export function kindOf(index: number, salt: number): Kind {
  const bits = mix(index ^ salt) & 3;
  return bits < 2 ? Kind.untouched : bits === 2 ? Kind.kept : Kind.roaming;
}

/** One touched range in so many is hot. */
const HOT_SHARE = 1024;

/** Whether the writer may change base range `index`. */
export function isTouched(index: number, salt: number): boolean {
  return kindOf(index, salt) !== Kind.untouched;
}

/**
 * Whether base range `index` is hot: a few hundred touched ranges get half of all updates and
 * one lookup in 16. A thousand updates a second spread over 275,000 ranges would hardly ever
 * come back to one to rejoin it, and hardly any lookup would meet a change while it happens.
 */
export function isHot(index: number, salt: number): boolean {
  return isTouched(index, salt) && (mix(index ^ salt) >>> 8) % HOT_SHARE === 0;
}

/** The indexes below `count` that `belongs` takes, in order. */
export function indexesOf(count: number, salt: number, belongs: (index: number, salt: number) => boolean): Uint32Array {
  const indexes = new Uint32Array(count);
  let found = 0;
  for (let index = 0; index < count; index++) if (belongs(index, salt)) indexes[found++] = index;
  return indexes.slice(0, found);
}

/**
 * A touched base range [L, H] has two halves, 0: [L, mid] and 1: [mid + 1, H], which are the
 * only places where it is ever cut; a range of one address is never cut. What is known of a
 * half is one number in a table, so that "not older than" is one comparison:
 *
 *   2 * version        the half was last seen (written) with this version
 *   2 * version + 1    and is missing since (was withdrawn since); the version
 *                      it comes back with must be a later one
 *
 * Hence versions have 31 bits.
 */
export const MAX_VERSION = 0x7fff_ffff;

/** The table for `count` base ranges: half `h` of range `i` is at 2 * i + h. */
export function newHalves(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(Math.max(1, count) * 2 * 4));
}
