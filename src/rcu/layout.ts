/**
 * Words of a domain in the arena's root area. Each word that many threads touch has a cache line of its own.
 *
 * Law table
 *   word           class
 *   GP_SEQ         atomic; odd, goes up by 2, wraps at 2^32; every reader loads it now and then
 *   COMPLETED      atomic; the highest sequence whose grace period is known to be over; only goes up
 *   WANTED         atomic; an event count: odd while someone may be asleep until a slot changes, one more when it has
 *   REAPING        atomic; 1 while some slot may be DRAINED and not free
 *   GRACE_PERIODS  atomic; how often COMPLETED went up
 *   LONGEST, HISTOGRAM   atomic; durations in microseconds
 */

/** Offsets from the start of the root area. */
export const DomainWord = { GP_SEQ: 0, COMPLETED: 32, WANTED: 64, REAPING: 96, GRACE_PERIODS: 97, LONGEST: 98, HISTOGRAM: 128 } as const;

/** Words of the root area that a domain takes. */
export const DOMAIN_WORDS = 384;
