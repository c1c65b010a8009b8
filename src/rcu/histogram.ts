/**
 * A histogram of durations that any thread adds to and any thread reads: eight buckets to a doubling, so a
 * quantile is right within 1/16, in 240 words (the log-linear buckets of HdrHistogram).
 *
 * Law table: every word atomic.
 */

import { type Address, field } from "../memory/address.js";
import type { Memory } from "../memory/memory.js";

/** Buckets, one word each. */
export const HISTOGRAM_WORDS = 240;

function bucketOf(value: number): number {
  if (value < 8) return value;
  const exponent = 31 - Math.clz32(value);
  return 8 * (exponent - 2) + ((value >>> (exponent - 3)) & 7);
}

function middleOf(bucket: number): number {
  if (bucket < 8) return bucket;
  const exponent = Math.floor(bucket / 8) + 2;
  const low = (8 + (bucket % 8)) * 2 ** (exponent - 3);
  return low + Math.floor(2 ** (exponent - 3) / 2);
}

/** Count one duration; whole microseconds, capped at 2^31 - 1. */
export function record(memory: Memory, histogram: Address, microseconds: number): void {
  memory.add(field(histogram, bucketOf(Math.min(Math.max(0, Math.round(microseconds)), 0x7fffffff))), 1);
}

/** The durations below which the given fractions of these counts lie, in microseconds; 0 when nothing was recorded. */
export function quantilesOf(counts: readonly number[], fractions: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return fractions.map((fraction) => {
    let below = 0;
    for (const [bucket, count] of counts.entries()) {
      below += count;
      if (below > 0 && below >= total * fraction) return middleOf(bucket);
    }
    return 0;
  });
}

/** Likewise, of a histogram. */
export function quantiles(memory: Memory, histogram: Address, fractions: readonly number[]): number[] {
  return quantilesOf(
    Array.from({ length: HISTOGRAM_WORDS }, (_, i) => memory.load(field(histogram, i)) >>> 0),
    fractions,
  );
}
