/**
 * Reserve now, commit at touch: the resident memory of a process that makes a large arena, and of one that uses a tenth of it. Each
 * size in a process of its own.
 */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cell, type Figure } from "../rounds.js";
import type { Report } from "../suite.js";
import { ALLOCATORS } from "./names.js";
import type { Resident } from "./rss-child.js";

const CHILD = fileURLToPath(new URL("./rss-child.js", import.meta.url));
const TABLE = "resident memory of a process with one arena";
const MIB = 2 ** 20;
const SIZES: readonly { readonly name: string; readonly bytes: number }[] = [
  { name: "64 MiB", bytes: 64 * MIB },
  { name: "1 GiB", bytes: 1024 * MIB },
  { name: "4 GiB", bytes: 4096 * MIB },
];

export function residentMemory(): Report {
  const figures: Figure[] = [];
  const notes: string[] = [];
  for (const { name, bytes } of SIZES) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [CHILD, String(bytes), ALLOCATORS[0] as string], { encoding: "utf8", timeout: 60_000 });
    if (status !== 0) {
      notes.push(`an arena of ${name} was not measured: ${stderr.trim().split("\n").at(-1)}`);
      continue;
    }
    const { before, made, touched } = JSON.parse(stdout) as Resident;
    const put = (column: string, value: number): void => void figures.push(cell(TABLE, name, column, value / MIB, "MiB"));
    put("before", before);
    put("more when it was made", made - before);
    put("more when a tenth was used", touched - before);
  }
  return { figures, notes };
}
