/**
 * Sequences of grace periods, modulo 2^32, and cookies: a sequence that some grace period will have reached.
 *
 * Law table: this file owns no word.
 */

declare const brand: unique symbol;

/** A grace period that was asked for, or that is to be: the kernel's polled state. Comparable only within its domain. */
export type Cookie = number & { readonly [brand]: "cookie" };

/** First sequence of a new domain: 300 grace periods before the wrap, as the kernel's, so that the wrap is in daily use. */
export const FIRST_SEQUENCE = -601;

/** Whether `a` is `b` or later, modulo 2^32. */
export const notBefore = (a: number, b: number): boolean => ((a - b) | 0) >= 0;

/**
 * Whether a cookie is over, by the sequence of what is over.
 *
 * A cookie is never more than `most` ahead of the domain's own sequence. One that seems to be has been kept for more than half the
 * numbers there are, and was over long ago (the kernel's rcu_seq_done_exact).
 */
export const isPast = (over: number, sequence: number, cookie: Cookie, most: number): boolean =>
  // One less on both sides, so that a cookie exactly 2^31 behind, which is neither ahead nor behind by its sign, is past too.
  notBefore(over, cookie) || ((cookie - sequence - 1) | 0) >= most;
