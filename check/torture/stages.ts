/** Main's part of a torture run, by structure. */

import { cells } from "./cells.js";
import { hashMaps } from "./hash-maps.js";
import { intervalMaps } from "./interval-maps.js";
import type { Structure } from "./job.js";
import type { Timed } from "./linearizable.js";
import { lists } from "./lists.js";
import { queues } from "./queues.js";
import { rculists } from "./rculists.js";
import type { Stage } from "./stage.js";

const elements: Stage = { open: () => [], fill: () => {} };

/** What main does. */
export const stages: Readonly<Record<Structure, Stage<Timed>>> = {
  rcu: elements,
  intervalMap: intervalMaps as Stage<Timed>,
  map: hashMaps as Stage<Timed>,
  cell: cells as Stage<Timed>,
  list: lists as Stage<Timed>,
  rculist: rculists as Stage<Timed>,
  queues: queues as Stage<Timed>,
};
