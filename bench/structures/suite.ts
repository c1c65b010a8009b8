/** The suite `map`: shared.map and shared.cell beside the native Map, liburcu's rculfhash in C, and the other maps of threads, in one run. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Report, SuiteOptions } from "../suite.js";
import { cells } from "./cells.js";
import { gets } from "./gets.js";
import { Plan } from "./plan.js";
import { buildRculfhash } from "./rculfhash.js";
import { readers } from "./readers.js";
import { sets } from "./sets.js";
import { sizes } from "./sizes.js";

/** The seed of keys, texts and draws, unless QUIESCE_SEED names another. */
const SEED = 20_260_601;
const SIZES = [1000, 100_000, 1_000_000] as const;
/** Below two seconds only that everything runs can be seen, so the maps are small. */
const SMALL = [20, 300, 999] as const;
/** Of the time, while all is measured; what `--only` leaves out is not given to the others. */
const SHARES = { gets: 0.55, cells: 0.05, sets: 0.2, readers: 0.2 } as const;

export async function maps(options: SuiteOptions): Promise<Report> {
  const { seconds } = options;
  const directory = mkdtempSync(join(tmpdir(), "quiesce-maps-"));
  try {
    const seed = Number(process.env.QUIESCE_SEED ?? SEED);
    const plan = new Plan(options, directory, seed, seconds < 2 ? SMALL : SIZES, buildRculfhash(directory));
    plan.note(`keys and draws are of QUIESCE_SEED=${seed}.`);
    const figures = [
      ...(await gets(plan, seconds * SHARES.gets)),
      ...(await cells(plan, seconds * SHARES.cells)),
      ...(await sets(plan, seconds * SHARES.sets)),
      ...(await readers(plan, seconds * SHARES.readers)),
      ...(await sizes(plan)),
    ];
    return { figures, notes: plan.allNotes };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
