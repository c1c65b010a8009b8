/**
 * How long grace periods took, as their callers saw it.
 *
 * Law table: layout.ts (HISTOGRAM, LONGEST), all atomic.
 */

import type { Site } from "./flavors/site.js";
import { HISTOGRAM_WORDS, quantilesOf, record } from "./histogram.js";
import { DomainWord } from "./layout.js";

/** Count the duration of a grace period, in ms, from when it was asked for until its caller knew it was over. */
export function recordDuration(site: Site, milliseconds: number): void {
  const { memory } = site;
  const microseconds = Math.min(0x7fffffff, Math.round(milliseconds * 1000));
  record(memory, site.word(DomainWord.HISTOGRAM), microseconds);
  const longest = site.word(DomainWord.LONGEST);
  for (let known = memory.load(longest); microseconds > known; ) {
    const found = memory.compareExchange(longest, known, microseconds);
    if (found === known) break;
    known = found;
  }
}

/** Durations in microseconds; `max` is that of a histogram's bucket when they are of an interval. */
export interface Durations {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The counts of all buckets. */
export function durationCounts(site: Site): number[] {
  return Array.from({ length: HISTOGRAM_WORDS }, (_, i) => site.memory.load((site.word(DomainWord.HISTOGRAM) + i) as never) >>> 0);
}

/** Of these counts, less those of an earlier time. */
export function durationsOf(counts: readonly number[], before?: readonly number[]): Durations {
  const since = before === undefined ? counts : counts.map((count, i) => (count - (before[i] as number)) >>> 0);
  const [p50 = 0, p99 = 0, max = 0] = quantilesOf(since, [0.5, 0.99, 1]);
  return { count: since.reduce((sum, count) => sum + count, 0), p50, p99, max };
}
