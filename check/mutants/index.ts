/** Every mutant. To add one: an entry in the file of its theme. */

import { call } from "./call.js";
import { callbacks } from "./callbacks.js";
import { cell } from "./cell.js";
import { flavors } from "./flavors.js";
import { gracePeriod } from "./grace-period.js";
import { life } from "./life.js";
import { limits } from "./limits.js";
import { lists } from "./lists.js";
import { map } from "./map.js";
import type { Mutant } from "./mutant.js";
import { queues } from "./queues.js";
import { sheaves } from "./sheaves.js";
import { slub } from "./slub.js";
import { structuresAndAllocators } from "./structures-and-allocators.js";
import { vmalloc } from "./vmalloc.js";
import { wakeUps } from "./wake-ups.js";

export const mutants: readonly Mutant[] = [
  gracePeriod,
  flavors,
  wakeUps,
  callbacks,
  call,
  life,
  structuresAndAllocators,
  lists,
  map,
  sheaves,
  slub,
  vmalloc,
  queues,
  limits,
  cell,
].flat();
