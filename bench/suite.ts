/** What a suite is: a function of its options that gives a report. */

import type { Figure } from "./rounds.js";

export interface SuiteOptions {
  /** About how long to measure, in seconds; a suite may take longer to set up. */
  readonly seconds: number;
  /** Measure only the rows whose table and name have all these words; for suites that filter. */
  readonly only?: string;
  /** Names of the peers to measure, with commas between; for suites that filter. */
  readonly peers?: string;
}

export interface Report {
  readonly figures: readonly Figure[];
  /** What was left out, and why; what a reader of the figures must know. */
  readonly notes: readonly string[];
}
