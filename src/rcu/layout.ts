/**
 * Words of the grace-period domains in the arena's root area, and of a thread's record in one. Each word that many threads touch has a cache
 * line of its own.
 *
 *   root area   domain 0, 1 ... (DOMAIN_WORDS each)   nodes of domain 0's tree, if it has one   what belongs to the rooms above
 *
 * Law table
 *   word           class
 *   GP_SEQ         atomic; what it counts is its flavor's; wraps at 2^32; readers load it now and then
 *   COMPLETED      atomic; event-loop: the highest sequence whose grace period is known to be over; only goes up
 *   WANTED         atomic; an event count (event-count.ts)
 *   REAPING        atomic; domain 0's: 1 while some slot may be DRAINED and not free
 *   GRACE_PERIODS  atomic; grace periods that were found to be over
 *   LONGEST, HISTOGRAM   atomic; durations in microseconds
 *   HURRY          atomic; an event count: callbacks that may be late must hurry
 *   HURRIES        atomic; how often all threads were told so; wraps
 *   FLAVOR, FAN_OUT   immutable once the domain is formatted (atomic for domains made later: FLAVOR is stored last)
 *   a record's words   atomic; written only by the slot's thread while it lives
 */

import { type Address, field } from "../memory/address.js";
import type { Layout } from "../memory/layout.js";
import { recordAddress } from "../memory/slot.js";

/** Offsets from the start of a domain's words. */
export const DomainWord = {
  GP_SEQ: 0,
  COMPLETED: 32,
  WANTED: 64,
  REAPING: 96,
  GRACE_PERIODS: 97,
  LONGEST: 98,
  FLAVOR: 99,
  FAN_OUT: 100,
  HURRY: 101,
  HURRIES: 102,
  HISTOGRAM: 128,
} as const;

/** Words of one domain. */
export const DOMAIN_WORDS = 384;

/** Offsets in a record's line for the read side. */
export const ReaderWord = {
  /** GP_SEQ as the thread last saw it while it held no reference; 0 when it is offline (event-loop, tree). */
  SEEN: 0,
  /** Sections begun and ended, for each of the two phases (phase). */
  LOCKS: 1,
  UNLOCKS: 3,
  /** Objects and bytes in limbo. */
  WAITING: 5,
  WAITING_BYTES: 6,
  /** Callbacks registered and run since the thread attached. */
  QUEUED: 7,
  RUN: 8,
  /** When the thread came online, or its oldest section that is timed began: low 32 bits of Date.now(); 0 for none. */
  SINCE: 9,
  /** Longest turn online, or timed section, in ms. */
  LONGEST_SECTION: 10,
  /** Times that the slot was attached. Never cleared: a thread that leaves and comes back into its slot has lost its callbacks. */
  LIFE: 12,
} as const;

/** Start of a domain's words. */
export const domainRoot = (layout: Layout, domain: number): Address => field(layout.root, domain * DOMAIN_WORDS);

/** A word of a slot's record in a domain. */
export const readerWord = (layout: Layout, slot: number, domain: number, word: number): Address => field(recordAddress(layout, slot, domain), word);
