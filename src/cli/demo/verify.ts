/**
 * Whether an answer is right. Pure functions of numbers, so that tests can show each of them
 * failing, and so that the hot loop allocates nothing.
 */

import { countryOf } from "./country.js";
import { Kind } from "./plan.js";

/** Which part of its base range an answer covers. */
export const Extent = {
  /** [L, H] */
  whole: 0,
  /** [L, mid] */
  left: 1,
  /** [mid + 1, H] */
  right: 2,
  /** Anything else, which no update ever made. */
  other: 3,
} as const;
export type Extent = (typeof Extent)[keyof typeof Extent];

/** What is wrong with an answer; 0 is right. */
export const Verdict = {
  right: 0,
  missing: 1,
  wrongRange: 2,
  wrongCountry: 3,
  changedThoughUntouched: 4,
  torn: 5,
  backwards: 6,
  fromTheFuture: 7,
  foundInGap: 8,
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** A verdict in words. */
export const verdictTexts: readonly string[] = [
  "right",
  "missing, though this range is never withdrawn",
  "its bounds are not those of a range that was ever stored around this address",
  "not the country that was loaded",
  "changed, though nobody touches this range",
  "torn: country and version do not belong together",
  "older than what this thread has seen here before",
  "a version that the writer has not given out yet",
  "found, where no range was ever stored",
];

/** The extent of the answer [seenLo, seenHi] about the IPv4 range [lo, hi] cut after mid. */
export function extent4(lo: number, mid: number, hi: number, seenLo: number, seenHi: number): Extent {
  if (seenLo === lo) {
    if (seenHi === hi) return Extent.whole;
    return seenHi === mid ? Extent.left : Extent.other;
  }
  return seenLo === mid + 1 && seenHi === hi ? Extent.right : Extent.other;
}

/** The same for IPv6; lo and hi are at data[at ..) and data[at + 4 ..). */
export function extent6(data: Uint32Array, at: number, mid: Uint32Array, seenLo: Uint32Array, seenHi: Uint32Array): Extent {
  if (same(data, at, seenLo)) {
    if (same(data, at + 4, seenHi)) return Extent.whole;
    return same(mid, 0, seenHi) ? Extent.left : Extent.other;
  }
  return follows(mid, seenLo) && same(data, at + 4, seenHi) ? Extent.right : Extent.other;
}

function same(a: Uint32Array, at: number, b: Uint32Array): boolean {
  return a[at + 3] === b[3] && a[at + 2] === b[2] && a[at + 1] === b[1] && a[at] === b[0];
}

/** Whether next = mid + 1. */
function follows(mid: Uint32Array, next: Uint32Array): boolean {
  let carry = 1;
  for (let word = 3; word >= 0; word--) {
    const sum = (mid[word] as number) + carry;
    if (sum >>> 0 !== next[word]) return false;
    carry = sum > 0xffff_ffff ? 1 : 0;
  }
  return carry === 0;
}

/** Judge an answer about an untouched base range. */
export function judgeUntouched(found: boolean, extent: Extent, base: number, country: number, version: number): Verdict {
  if (!found) return Verdict.missing;
  if (extent !== Extent.whole) return Verdict.wrongRange;
  if (version !== 0) return Verdict.changedThoughUntouched;
  return country === base ? Verdict.right : Verdict.wrongCountry;
}

/**
 * Judge an answer about a touched base range.
 * @param half the half that the address lies in, 0 or 1
 * @param floor what is known of that half (see plan.ts)
 * @param issued the last version that the writer gave out, or any later one
 */
export function judgeTouched(
  kind: Kind,
  found: boolean,
  half: number,
  extent: Extent,
  base: number,
  country: number,
  version: number,
  floor: number,
  issued: number,
): Verdict {
  if (!found) return kind === Kind.roaming ? Verdict.right : Verdict.missing;
  if (extent !== Extent.whole && extent !== (half === 0 ? Extent.left : Extent.right)) return Verdict.wrongRange;
  if (version > issued) return Verdict.fromTheFuture;
  if (country !== countryOf(base, version)) return version === 0 ? Verdict.wrongCountry : Verdict.torn;
  return version * 2 < floor ? Verdict.backwards : Verdict.right;
}

/** What is known of a half after a right answer. */
export function nextFloor(floor: number, found: boolean, version: number): number {
  return found ? version * 2 : floor | 1;
}

/** Judge an answer about an address that no base range covers. */
export function judgeGap(found: boolean): Verdict {
  return found ? Verdict.foundInGap : Verdict.right;
}
