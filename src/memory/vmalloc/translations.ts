/**
 * A thread's translations of virtual pages, in private memory (a TLB).
 *
 *   page -> slot page % 256: the page, and its frame (a page that stays) or its entry's address (a swappable one)
 *
 * Each touch compares VM_GENERATION with the one that the translations were made under: one load, where a walk takes three and its check a fourth.
 * Whoever unmaps raises it after the entries are cleared and before the frames and the tables are anybody else's, so nothing that is stale is used.
 *
 * Law table: this file owns no word; VM_GENERATION: space.ts.
 */

import { type Address, NULL, PAGE_SHIFT } from "../address.js";
import { Header } from "../layout.js";
import type { Memory } from "../memory.js";
import type { PageTable } from "./page-table.js";
import { EntryKind, frameOf, kindOfEntry, VIRTUAL_PAGES } from "./virtual.js";

const SIZE = 256;

/** One thread's translations. */
export class Translations {
  readonly #memory: Memory;
  readonly #table: PageTable;
  readonly #pages = new Int32Array(SIZE);
  readonly #frames = new Int32Array(SIZE);
  readonly #entries = new Int32Array(SIZE);
  #generation = 0;

  constructor(memory: Memory, table: PageTable) {
    this.#memory = memory;
    this.#table = table;
  }

  /** Frame of a page that stays; NULL for one that is swappable or not mapped: see `entry`. */
  frame(page: number): Address {
    return this.#frames[this.#slot(page)] as Address;
  }

  /** Where a swappable page's entry is, NULL for any other. Right after `frame`, of the same page. */
  entry(page: number): Address {
    return this.#entries[page % SIZE] as Address;
  }

  #slot(page: number): number {
    const generation = this.#memory.load(Header.VM_GENERATION); // pairs with space.ts: free, purge
    if (generation !== this.#generation) {
      this.#pages.fill(0);
      this.#generation = generation;
    }
    const slot = page % SIZE;
    if (this.#pages[slot] !== page) this.#walk(page, slot);
    return slot;
  }

  #walk(page: number, slot: number): void {
    for (;;) {
      const at = page < VIRTUAL_PAGES ? this.#table.entry(page) : NULL;
      const entry = at === NULL ? EntryKind.NONE : this.#memory.load(at);
      const generation = this.#memory.load(Header.VM_GENERATION);
      if (generation !== this.#generation) {
        // The tables that were walked may be somebody else's by now.
        this.#pages.fill(0);
        this.#generation = generation;
        continue;
      }
      const kind = kindOfEntry(entry);
      this.#pages[slot] = kind === EntryKind.NONE ? 0 : page; // what is not mapped may be at any time
      this.#frames[slot] = kind === EntryKind.MAPPED ? frameOf(entry) : NULL;
      this.#entries[slot] = kind === EntryKind.MAPPED || kind === EntryKind.NONE ? NULL : at;
      return;
    }
  }
}

/** The word of the arena that `page` words into a frame are. */
export const inFrame = (frame: Address, address: number): Address => (frame + (address & ((1 << PAGE_SHIFT) - 1))) as Address;
