/**
 * Figures of a domain.
 *
 * Law table: this file owns no word, and writes none.
 */

import type { CallbackCounts } from "./callbacks.js";
import { type Durations, durationCounts, durationsOf } from "./durations.js";
import type { Flavor, FlavorName } from "./flavors/flavor.js";
import type { Site } from "./flavors/site.js";
import { DomainWord } from "./layout.js";
import { allSlotStats, type SlotStats } from "./slots.js";

/** Figures of a domain; times in microseconds unless they say otherwise. */
export interface DomainStats {
  readonly flavor: FlavorName;
  /** Sequence of the newest grace period asked for, and of the newest known to be over. */
  readonly sequence: number;
  readonly completed: number;
  /** How often a grace period was found to be over. */
  readonly gracePeriods: number;
  /** How long callers waited for theirs. */
  readonly gpMicros: Durations;
  /** Objects and bytes retired and not yet given back, by live threads. */
  readonly waiting: number;
  readonly waitingBytes: number;
  /** Callbacks of this thread, by segment; those of others are in `slots`. */
  readonly callbacks: CallbackCounts;
  /** Grace periods that this thread found to take too long; times it had to wait because it had retired too much. */
  readonly stalls: number;
  readonly backPressure: number;
  readonly slots: readonly SlotStats[];
}

/** What only the thread itself knows. */
export interface OwnStats {
  readonly callbacks: CallbackCounts;
  readonly stalls: number;
  readonly backPressure: number;
}

export function domainStats(site: Site, { name, periods }: Flavor, own: OwnStats): DomainStats {
  const word = (offset: number): number => site.memory.load(site.word(offset));
  const slots = allSlotStats(site);
  return {
    flavor: name,
    sequence: word(DomainWord.GP_SEQ) >>> 0,
    completed: periods.completed() >>> 0,
    gracePeriods: word(DomainWord.GRACE_PERIODS),
    gpMicros: { ...durationsOf(durationCounts(site)), max: word(DomainWord.LONGEST) },
    waiting: slots.reduce((sum, slot) => sum + slot.waiting, 0),
    waitingBytes: slots.reduce((sum, slot) => sum + slot.waitingBytes, 0),
    ...own,
    slots,
  };
}

/** Figures since a moment. Any number of them may run at once, since nothing shared is reset. */
export interface Interval {
  /** Since it began, or was last reset. */
  stats(): { readonly milliseconds: number; readonly gracePeriods: number; readonly gpMicros: Durations };
  reset(): void;
}

export function startInterval(site: Site): Interval {
  const look = () => ({ at: performance.now(), gracePeriods: site.memory.load(site.word(DomainWord.GRACE_PERIODS)), counts: durationCounts(site) });
  let from = look();
  return {
    stats() {
      const now = look();
      return {
        milliseconds: now.at - from.at,
        gracePeriods: (now.gracePeriods - from.gracePeriods) | 0,
        gpMicros: durationsOf(now.counts, from.counts),
      };
    },
    reset() {
      from = look();
    },
  };
}
