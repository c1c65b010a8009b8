/** The goals of the allocators, and the worst figure of the run for each. */

import { cell, type Figure } from "../rounds.js";

const TABLE = "goals";

/** Of all that have a goal in their table: the one furthest from it. */
export function goals(figures: readonly Figure[]): Figure[] {
  const found: Figure[] = [];
  for (const table of new Set(figures.filter(({ goal, least }) => goal !== undefined || least !== undefined).map((figure) => figure.cell?.table))) {
    const judged = figures.filter(({ cell: at, goal, least }) => at?.table === table && (goal !== undefined || least !== undefined));
    const [first] = judged;
    if (table === undefined || first === undefined) continue;
    const { goal, least, unit } = first;
    const values = judged.map(({ value }) => value);
    const rows = `${table} (${judged.length === 1 ? first.cell?.row : `${first.cell?.row} to ${judged.at(-1)?.cell?.row}`})`;
    const limit: Partial<Figure> = { ...(goal === undefined ? {} : { goal }), ...(least === undefined ? {} : { least }) };
    found.push({ ...cell(TABLE, rows, "best", goal === undefined ? Math.max(...values) : Math.min(...values), unit) });
    found.push({ ...cell(TABLE, rows, "worst", goal === undefined ? Math.min(...values) : Math.max(...values), unit), ...limit });
    found.push(cell(TABLE, rows, goal === undefined ? "goal, at least" : "goal, at most", (goal ?? least) as number, unit));
  }
  return found;
}
