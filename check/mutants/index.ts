/** Every mutant. To add one: an entry in the file of its theme. */

import { callbacksAndLife } from "./callbacks-and-life.js";
import { gracePeriod } from "./grace-period.js";
import type { Mutant } from "./mutant.js";
import { structuresAndAllocators } from "./structures-and-allocators.js";
import { wakeUps } from "./wake-ups.js";

export const mutants: readonly Mutant[] = [gracePeriod, wakeUps, callbacksAndLife, structuresAndAllocators].flat();
