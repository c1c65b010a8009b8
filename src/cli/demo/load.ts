/**
 * Loading: file -> rows, a piece at a time, letting the event loop turn in between so that Ctrl-C
 * and the progress line get their say; then rows -> map, all at once.
 */

import { stat } from "node:fs/promises";
import { type Dataset, readRows } from "./dataset.js";
import type { Family } from "./maps.js";
import { newRanges, type Ranges } from "./ranges.js";

/** The user wants no more. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted while loading");
    this.name = "Interrupted";
  }
}

export interface Rows {
  readonly ipv4: Ranges;
  readonly ipv6: Ranges;
}

/** Told how many rows there are so far, and the share of all bytes (0 to 1) they come from. */
export type OnProgress = (rows: number, share: number) => void;

/** Load both files into the maps; the rows come back as they were read. */
export async function load(dataset: Dataset, v4: Family, v6: Family, onProgress: OnProgress, signal: AbortSignal): Promise<Rows> {
  const bytes4 = (await stat(dataset.ipv4)).size;
  const bytes = bytes4 + (await stat(dataset.ipv6)).size;
  const ipv4 = newRanges(v4.words, 350_000);
  const ipv6 = newRanges(v6.words, 250_000);
  await loadFile(dataset.ipv4, ipv4, v4, signal, (rows, read) => onProgress(rows, read / bytes));
  await loadFile(dataset.ipv6, ipv6, v6, signal, (rows, read) => onProgress(ipv4.count + rows, (bytes4 + read) / bytes));
  return { ipv4, ipv6 };
}

async function loadFile(file: string, rows: Ranges, family: Family, signal: AbortSignal, onProgress: (rows: number, bytes: number) => void): Promise<void> {
  for await (const bytes of readRows(file, rows)) {
    onProgress(rows.count, bytes);
    if (signal.aborted) throw new Interrupted();
  }
  family.load(rows);
  // What takes no time for others takes some for this thread: let a Ctrl-C that came meanwhile through.
  await new Promise<void>((resolve) => void setImmediate(resolve));
  if (signal.aborted) throw new Interrupted();
}
