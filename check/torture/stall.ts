/**
 * Watches that grace periods go on: takes a cookie, looks now and then, and when it is not over for long says which slots hold it up, whose they
 * are, and since when they have been online.
 */

import type { Domain } from "../../src/rcu/domain.js";
import type { Cookie } from "../../src/rcu/sequence.js";

/** After so many ms a grace period is stalled. The longest section of a run lasts 300, and on a busy machine some seconds. */
const STALLED = 20_000;
/** After so many ms slots that cannot report by themselves are looked at. */
const FORCE_AFTER = 20;

export class StallWatch {
  readonly #domain: Domain;
  readonly #patience: number;
  #probe: { readonly cookie: Cookie; readonly asked: number; told: boolean } | undefined;
  /** Longest grace period that was watched, in ms. */
  longest = 0;

  /** @param patience ms after which a grace period is stalled */
  constructor(domain: Domain, patience: number = STALLED) {
    this.#domain = domain;
    this.#patience = patience;
  }

  /**
   * Look. To be called every few ms, outside sections.
   * @param nameOf who a thread is and what it is doing
   * @returns a report, once for each stall
   */
  look(nameOf: (thread: number) => string): string | undefined {
    const now = performance.now();
    const { periods } = this.#domain;
    const probe = this.#probe;
    if (probe === undefined || periods.isOver(probe.cookie)) {
      if (probe !== undefined) this.longest = Math.max(this.longest, now - probe.asked);
      this.#probe = { cookie: periods.start(), asked: now, told: false };
      return undefined;
    }
    // As those who wait do: a thread that died reports nothing.
    if (now - probe.asked >= FORCE_AFTER) periods.force();
    if (probe.told || now - probe.asked < this.#patience) return undefined;
    probe.told = true;
    const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`;
    const { slots } = this.#domain.stats();
    const lines = periods.blockers(probe.cookie).map((index) => {
      const slot = slots.find((one) => one.index === index);
      if (slot === undefined) return `  slot ${index}: in which nobody lives`;
      const since = slot.since === undefined ? "in sections that are not timed" : `online since ${seconds(slot.since)}`;
      return `  slot ${index}, thread ${slot.thread} (${nameOf(slot.thread)}): ${since} with sequence ${slot.seen}`;
    });
    if (lines.length === 0) lines.push("  no slot: all have seen it, and nobody has found out");
    const lasted = ((now - probe.asked) / 1000).toFixed(1);
    return [`the grace period ${probe.cookie >>> 0} of domain ${this.#domain.index} has not ended for ${lasted} s; it waits for`, ...lines].join("\n");
  }
}
