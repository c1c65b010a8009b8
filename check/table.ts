/** Tables of the commands: the first column to the left, the others to the right. */

export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[], left = 1): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((cells) => String(cells[i]).length)));
  const line = (cells: readonly (string | number)[]): string =>
    cells.map((cell, i) => (i < left ? String(cell).padEnd(widths[i] as number) : String(cell).padStart(widths[i] as number))).join("  ");
  return [head, ...rows].map(line).join("\n");
}

/** The same for docs/verification.md. */
export function markdown(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Progress on stderr, on a line that is written over; nothing where nobody looks. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
