/**
 * Leaks as a table for people.
 *
 * Law table: this file owns no word.
 */

import { callerIn } from "./call-site.js";
import type { Leak } from "./memory-report.js";

const ago = (milliseconds: number): string => (milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`);

const cells = ({ bytes, objects, cache, tag, thread, name, isGone, oldest, stack }: Leak): string[] => [
  String(bytes),
  String(objects),
  cache,
  String(tag),
  thread < 0 ? "?" : `${thread}${name === "" ? "" : ` ${name}`}${isGone ? " (gone)" : ""}`,
  ago(oldest),
  stack === undefined ? "not known" : callerIn(stack),
];

/** Rows of leaks, most bytes first, under a heading; of each stack the line that calls this library. */
export function leakTable(leaks: readonly Leak[]): string {
  if (leaks.length === 0) return "no live objects";
  const rows = [["bytes", "objects", "cache", "tag", "thread", "oldest", "allocated"], ...leaks.map(cells)];
  const widths = (rows[0] as string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column < 2 ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
