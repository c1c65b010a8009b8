/**
 * A run's tables put into a page of docs/, so that no figure there is typed by hand. A page says where:
 *
 *   <!-- table: TITLE -->      what stands up to the closing mark is replaced by the table of that title
 *   <!-- /table -->
 *   <!-- run -->               replaced by what the figures were taken on and with, and the notes
 *   <!-- /run -->
 */

import { markdownTable } from "./print.js";
import type { Figure } from "./rounds.js";

const TABLE = /(<!-- table: (.*?) -->\n)[\s\S]*?(<!-- \/table -->)/g;
const RUN = /(<!-- run -->\n)[\s\S]*?(<!-- \/run -->)/;

/** The page with the tables of this run; a table that the run has not is left as it was. */
export function into(page: string, figures: readonly Figure[], run: readonly string[]): string {
  const withTables = page.replace(TABLE, (whole, open: string, title: string, close: string) => {
    const lines = markdownTable(title, figures);
    return lines.length === 0 ? whole : `${open}\n${lines.join("\n")}\n\n${close}`;
  });
  return withTables.replace(RUN, (_whole, open: string, close: string) => `${open}\n${run.map((line) => `- ${line}`).join("\n")}\n\n${close}`);
}
