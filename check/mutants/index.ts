/** Every mutant. To add one: an entry in the file of its theme. */

import { callbacks } from "./callbacks.js";
import { gracePeriod } from "./grace-period.js";
import { life } from "./life.js";
import type { Mutant } from "./mutant.js";
import { structuresAndAllocators } from "./structures-and-allocators.js";
import { wakeUps } from "./wake-ups.js";

export const mutants: readonly Mutant[] = [gracePeriod, wakeUps, callbacks, life, structuresAndAllocators].flat();
