/** Every litmus test of the flavor that there is (reference: the kernel's, perfbook's and paulmckrcu/litmus), and those whose flavor is to come. */

import { gracePeriod } from "./grace-period.js";
import { idioms } from "./idioms.js";
import type { Litmus } from "./litmus.js";
import { online } from "./online.js";
import { publish } from "./publish.js";

export const litmusTests: readonly Litmus[] = [publish, gracePeriod, online, idioms].flat();

/** Rows of the table that need sections which may end elsewhere than they began. */
export const NOT_BUILT: readonly string[] = [
  "SRCU: readers that overlap without nesting (phase flavor, not built yet)",
  "SRCU: nest 1, 2, 6 (phase flavor, not built yet)",
  "SRCU: nest 3, 5, 7, 8 (phase flavor, not built yet)",
];
