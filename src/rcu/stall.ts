/**
 * The stall detector (the kernel's rcu_cpu_stall_timeout): whoever waits too long for a grace period says on whom.
 *
 * Law table: this file owns no word, and writes none.
 */

import { tell, warn } from "../memory/warn.js";
import type { GracePeriods } from "./flavors/flavor.js";
import type { Site } from "./flavors/site.js";
import { loadOrigin } from "./section-origin.js";
import type { Cookie } from "./sequence.js";
import { type SlotStats, slotStats } from "./slots.js";
import { tracepoints } from "./tracepoints.js";

/** Default limit, in ms. */
export const STALL_TIMEOUT = 10_000;
/** Each further report comes after so many times the time of the last. */
const BACK_OFF = 2;
/** When a wait is long enough to ask whether those waited for are alive at all, in ms; and again each time as long. */
export const SUSPECT_AFTER = 200;

/** A slot that holds a grace period up. */
export interface Staller extends SlotStats {
  /** For how long its section, or turn, has been going on, in ms; at least the time that the waiter has seen. */
  readonly lasted: number;
  /** The stack where its section began, in debug mode. */
  readonly began: string | undefined;
}

/** A grace period that takes too long. */
export interface StallReport {
  readonly domain: number;
  readonly flavor: string;
  readonly sequence: number;
  /** ms that this thread has waited for it. */
  readonly waited: number;
  readonly slots: readonly Staller[];
  /** All of it as text. */
  readonly message: string;
}

export interface StallOptions {
  /** ms after which a wait is reported; default 10 s. */
  readonly timeout: number;
  readonly onStall?: ((report: StallReport) => void) | undefined;
  /** Called with the numbers of threads that are waited for, now and then in a long wait: they may be dead. */
  readonly onSuspects: (threads: readonly number[]) => void;
}

/** One wait. */
export interface StallWatch {
  /** After a while: report, if it is time to. */
  look(): void;
}

/** One thread's detector in one domain. */
export class StallDetector {
  /** Reports made. */
  stalls = 0;
  readonly #site: Site;
  readonly #periods: GracePeriods;
  readonly #flavor: string;
  readonly #options: StallOptions;

  constructor(site: Site, flavor: string, periods: GracePeriods, options: StallOptions) {
    this.#site = site;
    this.#flavor = flavor;
    this.#periods = periods;
    this.#options = options;
  }

  watch(cookie: Cookie): StallWatch {
    const started = performance.now();
    let next = this.#options.timeout;
    let suspectAt = SUSPECT_AFTER;
    return {
      look: () => {
        const waited = performance.now() - started;
        if (waited >= suspectAt) {
          suspectAt = waited + SUSPECT_AFTER;
          this.#options.onSuspects(this.#stallers(cookie, waited).map(({ thread }) => thread));
        }
        if (waited < next) return;
        next = waited * BACK_OFF;
        this.#report(cookie, waited);
      },
    };
  }

  /** Who holds up a grace period, for a message. */
  describe(cookie: Cookie, waited: number): string {
    const slots = this.#stallers(cookie, waited);
    return slots.length === 0 ? "nobody (it was over a moment ago, or nobody drives it)" : slots.map(describe).join("; ");
  }

  #stallers(cookie: Cookie, waited: number): Staller[] {
    return this.#periods
      .blockers(cookie)
      .map((slot) => slotStats(this.#site, slot))
      .filter((stats) => stats !== undefined)
      .map((stats) => ({
        ...stats,
        lasted: stats.since === undefined ? Math.round(waited) : Math.max(0, Date.now() - stats.since),
        began: loadOrigin(this.#site, stats.index),
      }));
  }

  #report(cookie: Cookie, waited: number): void {
    this.stalls++;
    const slots = this.#stallers(cookie, waited);
    const who = slots.length === 0 ? "nobody any more" : slots.map(describe).join("; ");
    const message = `quiesce: a grace period (${this.#flavor} domain ${this.#site.domain}, sequence ${cookie >>> 0}) has waited for ${Math.round(waited)} ms. It waits for ${who}.`;
    const report: StallReport = { domain: this.#site.domain, flavor: this.#flavor, sequence: cookie >>> 0, waited, slots, message };
    if (tracepoints.stall.hasSubscribers) tracepoints.stall.publish({ domain: this.#site.domain, report, stalls: this.stalls });
    warn(message, "QuiesceStallWarning");
    tell(this.#options.onStall, report); // the wait must go on
  }
}

function describe({ thread, name, index, lasted, began }: Staller): string {
  const where = began === undefined ? "" : `, which began\n${began}\n`;
  return `thread ${thread}${name === "" ? "" : ` "${name}"`} in slot ${index}, in a section or a turn for ${lasted} ms${where}`;
}
