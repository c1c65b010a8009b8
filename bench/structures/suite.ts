/** The suite `map`: shared.map and shared.cell beside the native Map, liburcu's rculfhash in C, and the other maps of threads, in one run. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Figure } from "../rounds.js";
import type { Report, SuiteOptions } from "../suite.js";
import { ThreadTime } from "../thread-time.js";
import { cells } from "./cells.js";
import { gets } from "./gets.js";
import { type Part, Plan } from "./plan.js";
import { buildRculfhash } from "./rculfhash.js";
import { readers } from "./readers.js";
import { sets } from "./sets.js";
import { sizes } from "./sizes.js";

/** The seed of keys, texts and draws, unless QUIESCE_SEED names another. */
const SEED = 20_260_601;
/** The parts that take as long as they are given, in turn. */
const PARTS: readonly Part[] = [gets, cells, sets, readers];

export async function maps(options: SuiteOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), "quiesce-maps-"));
  try {
    const seed = Number(process.env.QUIESCE_SEED ?? SEED);
    const plan = new Plan(options, directory, seed, buildRculfhash(directory));
    plan.note(
      new ThreadTime().own
        ? "ns are of the measuring thread's own running, as Linux counts it; rates are on the wall."
        : "ns are on the wall: this platform does not tell how long a thread has run.",
    );
    plan.note(`keys and draws are of QUIESCE_SEED=${seed}.`);
    const weights = PARTS.map((part) => part.weight(plan));
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    const figures: Figure[] = [];
    for (const [i, part] of PARTS.entries()) {
      const weight = weights[i] as number;
      if (weight > 0) figures.push(...(await part.run(plan, (options.seconds * weight) / all)));
    }
    figures.push(...(await sizes(plan)));
    return { figures, notes: plan.allNotes };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
