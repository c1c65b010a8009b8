/** Tables of figures as an SVG: for each table a panel, for each row bars by column on a logarithmic scale. No dependency. */

import type { Figure } from "./rounds.js";

const WIDTH = 960;
const LABELS = 300;
const BAR = 11;
const COLOURS = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5"];

export function plot(title: string, figures: readonly Figure[]): string {
  const parts = [`<text x="10" y="20" font-weight="bold">${escaped(title)}</text>`];
  let y = 44;
  for (const table of new Set(figures.map((figure) => figure.cell?.table))) {
    if (table === undefined) continue;
    y = panel(
      table,
      figures.filter((figure) => figure.cell?.table === table && figure.value > 0),
      y,
      parts,
    );
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>\n${parts.join("\n")}\n</svg>\n`;
}

/** Draws one table from `top` on; gives where the next begins. */
function panel(title: string, figures: readonly Figure[], top: number, parts: string[]): number {
  const columns = [...new Set(figures.map((figure) => figure.cell?.column ?? ""))];
  const values = figures.map(({ value }) => value);
  const least = Math.log10(Math.min(...values)) - 0.3;
  const scale = (WIDTH - LABELS - 110) / Math.max(0.1, Math.log10(Math.max(...values)) - least);
  let y = top + 6;
  parts.push(`<text x="10" y="${y}" font-weight="bold">${escaped(title)} (logarithmic)</text>`);
  let x = 10;
  for (const [i, column] of columns.entries()) {
    if (x === 10 || x + 7 * column.length > WIDTH - 20) {
      x = 10;
      y += 16;
    }
    parts.push(`<rect x="${x}" y="${y - 8}" width="9" height="9" fill="${colour(i)}"/><text x="${x + 13}" y="${y}">${escaped(column)}</text>`);
    x += 32 + 6 * column.length;
  }
  y += 12;
  for (const row of new Set(figures.map((figure) => figure.cell?.row ?? ""))) {
    parts.push(`<text x="10" y="${y + 9}">${escaped(row)}</text>`);
    for (const { cell, value, unit } of figures.filter((figure) => figure.cell?.row === row)) {
      const length = Math.max(1, (Math.log10(value) - least) * scale);
      parts.push(`<rect x="${LABELS}" y="${y}" width="${length.toFixed(1)}" height="${BAR - 2}" fill="${colour(columns.indexOf(cell?.column ?? ""))}"/>`);
      parts.push(`<text x="${(LABELS + length + 4).toFixed(1)}" y="${y + 8}" font-size="9">${Number(value.toPrecision(3))} ${escaped(unit)}</text>`);
      y += BAR;
    }
    y += 5;
  }
  return y + 24;
}

const colour = (i: number): string => COLOURS[i % COLOURS.length] as string;
const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
