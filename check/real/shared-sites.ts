/**
 * Call sites that all threads can read: each thread makes the text of its stack, and writes a text that it has not met before into the shared
 * cells, once. Making the text is what a check costs most (some 15 us of 20), hence `every`.
 */

import { type CallSites, stackHere } from "../call-sites.js";
import type { SharedCells } from "./shared-cells.js";

export class SharedSites implements CallSites {
  readonly #cells: SharedCells;
  readonly #every: number;
  readonly #known = new Map<string, number>();
  #skipped = 0;

  /** @param every keep one site in so many */
  constructor(cells: SharedCells, every: number) {
    this.#cells = cells;
    this.#every = every;
  }

  here(): number {
    if (++this.#skipped < this.#every) return 0;
    this.#skipped = 0;
    const text = stackHere();
    let site = this.#known.get(text);
    if (site === undefined) {
      site = this.#cells.keepSite(text);
      this.#known.set(text, site);
    }
    return site;
  }

  textOf(site: number): string | undefined {
    return site === 0 ? undefined : this.#cells.siteText(site);
  }
}
