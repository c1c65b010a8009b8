/** Every scenario of the shipped code, in groups, each of which has a test file of its own. To add one: a file, and its name here. */

import type { Scenario } from "../scenario.js";
import { attach } from "./attach.js";
import { blocks } from "./blocks.js";
import { bonsai } from "./bonsai.js";
import { call } from "./call.js";
import { cell } from "./cell.js";
import { comparisonLocks } from "./comparison-locks.js";
import { directory } from "./directory.js";
import { killed } from "./killed.js";
import { lists } from "./lists.js";
import { map } from "./map.js";
import { mapDeaths } from "./map-deaths.js";
import { mapMoves } from "./map-moves.js";
import { mempool } from "./mempool.js";
import { mutex } from "./mutex.js";
import { phase } from "./phase.js";
import { polling } from "./polling.js";
import { queues } from "./queues.js";
import { reap } from "./reap.js";
import { retire } from "./retire.js";
import { reuse } from "./reuse.js";
import { sections } from "./sections.js";
import { sheaves } from "./sheaves.js";
import { slab } from "./slab.js";
import { slub } from "./slub.js";
import { tree } from "./tree.js";
import { turns } from "./turns.js";
import { typesafe } from "./typesafe.js";
import { updaters } from "./updaters.js";
import { vmalloc } from "./vmalloc.js";
import { wrap } from "./wrap.js";
import { writers } from "./writers.js";

/** Groups that take about as long as each other. */
export const groups = {
  "read-copy-update": [sections, turns, wrap, updaters, phase, polling, call, tree, reuse, retire, attach].flat(),
  memory: [bonsai, blocks, slab, sheaves, typesafe, slub, vmalloc, mempool, mutex, comparisonLocks].flat(),
  structures: [writers, lists, queues, directory, cell].flat(),
  map: [map, mapMoves].flat(),
  "map-deaths": mapDeaths,
  deaths: [reap, killed].flat(),
} as const satisfies Record<string, readonly Scenario[]>;

export type Group = keyof typeof groups;

export const scenarios: readonly Scenario[] = Object.values(groups).flat();
