/** Figures on a terminal, or as Markdown for a page of docs/: lines, and tables of the figures that are cells of one. */

import { type Figure, goalText, meets } from "./rounds.js";

export function printFigures(figures: readonly Figure[], print: (line: string) => void): void {
  for (const figure of figures)
    if (figure.cell === undefined) print(`${figure.what.padEnd(76)} ${number(figure.value).padStart(12)} ${figure.unit}${verdict(figure)}`);
  for (const table of new Set(figures.map((figure) => figure.cell?.table))) {
    if (table !== undefined)
      printTable(
        table,
        figures.filter((figure) => figure.cell?.table === table),
        print,
      );
  }
}

function printTable(title: string, figures: readonly Figure[], print: (line: string) => void): void {
  const columns = [...new Set(figures.map((figure) => figure.cell?.column ?? ""))];
  const rows = [...new Set(figures.map((figure) => figure.cell?.row ?? ""))];
  const units = [...new Set(figures.map(({ unit }) => unit))].filter((unit) => unit !== "");
  const at = (row: string, column: string): string => {
    const found = figures.find((figure) => figure.cell?.row === row && figure.cell.column === column);
    if (found === undefined) return "-";
    return `${number(found.value)}${units.length > 1 && found.unit !== "" ? ` ${found.unit}` : ""}${meets(found) ? " " : "!"}`;
  };
  const lines = rows.map((row) => [row, ...columns.map((column) => at(row, column))]);
  const widths = ["", ...columns].map((heading, i) => Math.max(heading.length, ...lines.map((line) => (line[i] as string).length)));
  const format = (line: readonly string[]): string =>
    line.map((text, i) => (i === 0 ? text.padEnd(widths[i] as number) : text.padStart((widths[i] as number) + 2))).join("");
  print(`\n${title}${units.length === 1 ? ` (${units[0]})` : ""}`);
  print(format(["", ...columns]));
  for (const line of lines) print(format(line));
  const goals = figures.filter((figure) => goalText(figure) !== "");
  const missed = goals.filter((figure) => !meets(figure));
  if (goals.length > 0) print(missed.length === 0 ? `all ${goals.length} goals met` : `! ${missed.length} of ${goals.length} goals missed:`);
  for (const figure of missed) print(`  ${figure.cell?.row}, ${figure.cell?.column}: ${number(figure.value)} ${figure.unit}, the goal is ${goalText(figure)}`);
}

/** The tables, as Markdown. */
export function printMarkdown(figures: readonly Figure[], print: (line: string) => void): void {
  for (const table of new Set(figures.map((figure) => figure.cell?.table))) {
    if (table === undefined) continue;
    print(`\n${table}\n`);
    for (const line of markdownTable(table, figures)) print(line);
  }
}

/** One table's lines; none when there is no such table. A figure that misses its goal is marked. */
export function markdownTable(title: string, figures: readonly Figure[]): string[] {
  const cells = figures.filter((figure) => figure.cell?.table === title);
  if (cells.length === 0) return [];
  const columns = [...new Set(cells.map((figure) => figure.cell?.column ?? ""))];
  const lines = [`| | ${columns.join(" | ")} |`, `|---|${"---|".repeat(columns.length)}`];
  for (const row of new Set(cells.map((figure) => figure.cell?.row ?? ""))) {
    const values = columns.map((column) => cells.find(({ cell }) => cell?.row === row && cell.column === column));
    lines.push(`| ${row} | ${values.map((figure) => (figure === undefined ? "" : markdownCell(figure))).join(" | ")} |`);
  }
  return lines;
}

function markdownCell(figure: Figure): string {
  const text = `${number(figure.value)} ${figure.unit}`.trim();
  return meets(figure) ? text : `${text} **(goal: ${goalText(figure)})**`;
}

function verdict(figure: Figure): string {
  const goal = goalText(figure);
  if (goal === "") return "";
  return meets(figure) ? ` (goal: ${goal})` : ` (MISSES its goal: ${goal})`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return "-";
  return value.toFixed(value < 100 ? 2 : 0);
}
