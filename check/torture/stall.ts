/**
 * Watches that grace periods go on: takes a cookie, looks now and then, and when it is not over for long says which slots hold it up, whose they
 * are, and since when they have been online with what they last saw.
 */

import { kindOf, SlotKind, slotAddress, slotsUsed, threadOf } from "../../src/memory/slot.js";
import type { Domain } from "../../src/rcu/domain.js";
import type { GracePeriods } from "../../src/rcu/flavors/flavor.js";
import { ReaderWord, readerWord } from "../../src/rcu/layout.js";
import type { Cookie } from "../../src/rcu/sequence.js";

/** After so many ms a grace period is stalled. The longest section of a run lasts 300. */
const STALLED = 6000;

export class StallWatch {
  readonly #domain: Domain;
  readonly #periods: GracePeriods;
  readonly #patience: number;
  /** By slot: thread and SEEN, and when they were first found so. */
  readonly #since = new Map<number, { readonly thread: number; readonly seen: number; readonly at: number }>();
  #probe: { readonly cookie: Cookie; readonly asked: number; told: boolean } | undefined;
  /** Longest grace period that was watched, in ms. */
  longest = 0;

  /** @param patience ms after which a grace period is stalled */
  constructor(domain: Domain, patience: number = STALLED) {
    this.#domain = domain;
    this.#patience = patience;
    this.#periods = domain.periods;
  }

  /**
   * Look. To be called every few ms, outside sections.
   * @param nameOf who a thread is and what it is doing
   * @returns a report, once for each stall
   */
  look(nameOf: (thread: number) => string): string | undefined {
    const now = performance.now();
    this.#sample(now);
    const probe = this.#probe;
    if (probe === undefined || this.#periods.isOver(probe.cookie)) {
      if (probe !== undefined) this.longest = Math.max(this.longest, now - probe.asked);
      this.#probe = { cookie: this.#periods.start(), asked: now, told: false };
      return undefined;
    }
    if (probe.told || now - probe.asked < this.#patience) return undefined;
    probe.told = true;
    const culprits = [...this.#since].filter(([, { seen }]) => seen !== 0 && ((seen - probe.cookie) | 0) < 0);
    const lines = culprits.map(([slot, { thread, seen, at }]) => {
      return `  slot ${slot}, thread ${thread} (${nameOf(thread)}): online since ${((now - at) / 1000).toFixed(1)} s with sequence ${seen >>> 0}`;
    });
    if (lines.length === 0) lines.push("  no slot: all have seen it, and nobody has found out");
    return [`the grace period ${probe.cookie >>> 0} has not ended for ${((now - probe.asked) / 1000).toFixed(1)} s; it waits for`, ...lines].join("\n");
  }

  #sample(now: number): void {
    const { memory, layout } = this.#domain.arena;
    for (let index = 0; index < slotsUsed(memory); index++) {
      const slot = slotAddress(layout, index);
      const state = memory.load(slot);
      const thread = threadOf(state);
      // Of the dead too, whose SEEN counts no more: should it ever be taken to count, they are the culprits.
      const seen = kindOf(state) === SlotKind.FREE ? 0 : memory.load(readerWord(layout, index, 0, ReaderWord.SEEN));
      const known = this.#since.get(index);
      if (known?.thread !== thread || known.seen !== seen) this.#since.set(index, { thread, seen, at: now });
    }
  }
}
