/** How the scenarios of the shipped code are explored. */

import type { ExploreOptions } from "../scenario.js";

/** Complete; the bounds only say when something is wrong with a scenario: far more than any takes on a slow machine. */
export const EXPLORE: ExploreOptions = { maxSteps: 20_000, maxSeconds: 600 };
