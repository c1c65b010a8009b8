/**
 * Arithmetic on bounds: unsigned numbers of one word (IPv4) or four (IPv6), most significant
 * word first, somewhere inside a Uint32Array. No bigints, no allocation.
 */

/** Words in a bound: 1 for IPv4, 4 for IPv6. */
export type Words = 1 | 4;

/** Negative, zero or positive as a[ai..] is below, equal to or above b[bi..]. */
export function compareWords(a: Uint32Array, ai: number, b: Uint32Array, bi: number, words: Words): number {
  for (let word = 0; word < words; word++) {
    const difference = (a[ai + word] as number) - (b[bi + word] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** to[ti..] = from[fi..] */
export function copyWords(to: Uint32Array, ti: number, from: Uint32Array, fi: number, words: Words): void {
  for (let word = 0; word < words; word++) to[ti + word] = from[fi + word] as number;
}

/** Add one in place; false when it wrapped to zero. */
export function increment(a: Uint32Array, at: number, words: Words): boolean {
  for (let word = words - 1; word >= 0; word--) {
    const next = ((a[at + word] as number) + 1) >>> 0;
    a[at + word] = next;
    if (next !== 0) return true;
  }
  return false;
}

/** Take one off in place; false when it wrapped to the largest number. */
export function decrement(a: Uint32Array, at: number, words: Words): boolean {
  for (let word = words - 1; word >= 0; word--) {
    const old = a[at + word] as number;
    a[at + word] = old - 1;
    if (old !== 0) return true;
  }
  return false;
}

/** out = lo + floor((hi - lo) / 2), of the bounds at a[lo..] and a[hi..]. */
export function midpoint(out: Uint32Array, a: Uint32Array, lo: number, hi: number, words: Words): void {
  let borrow = 0;
  for (let word = words - 1; word >= 0; word--) {
    const difference = (a[hi + word] as number) - (a[lo + word] as number) - borrow;
    borrow = difference < 0 ? 1 : 0;
    out[word] = difference;
  }
  let dropped = 0;
  for (let word = 0; word < words; word++) {
    const value = out[word] as number;
    out[word] = (value >>> 1) | (dropped << 31);
    dropped = value & 1;
  }
  addWords(out, a, lo, words);
}

/** out += a[at..], modulo the width. */
export function addWords(out: Uint32Array, a: Uint32Array, at: number, words: Words): void {
  let carry = 0;
  for (let word = words - 1; word >= 0; word--) {
    const sum = (out[word] as number) + (a[at + word] as number) + carry;
    carry = sum > 0xffff_ffff ? 1 : 0;
    out[word] = sum;
  }
}
