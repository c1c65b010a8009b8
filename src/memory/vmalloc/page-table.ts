/**
 * The page table of the virtual space: a radix tree of two levels, its nodes pages of the arena (as x86's page tables, mm/memory.c).
 *
 *   VM_DIRECTORY -> [ 1024 tables ] -> [ 1024 entries ] -> frame
 *                    page >>> 10        page & 1023
 *
 * Tables are made with the first area over them and given back when the last is purged, and the directory with them.
 *
 * Law table
 *   word                       class
 *   VM_DIRECTORY, directory    atomic; stored by VM_LOCK's owner only, who may read them plainly
 *   an entry, not swappable    atomic; stored by VM_LOCK's owner only
 *   an entry, swappable        atomic; swap.ts
 *
 * Guarantee: walking needs no lock. A table stands as long as an area, live or not yet purged, lies over it; VM_GENERATION is raised before one is
 * given back, so a walk that sees no change of it has walked through tables that stood.
 */

import { type Address, field, NULL, type Order, PAGE_WORDS } from "../address.js";
import type { Heap } from "../heap.js";
import { Header } from "../layout.js";
import type { Memory } from "../memory.js";

/** log2 of the entries of a table. */
const TABLE_SHIFT = 10;
const TABLE_MASK = PAGE_WORDS - 1;

/** One thread's view of the page table. */
export class PageTable {
  readonly #memory: Memory;
  readonly #heap: Heap;
  readonly #tag: number;

  /** @param tag whom the pages of tables belong to */
  constructor(heap: Heap, tag: number) {
    this.#memory = heap.memory;
    this.#heap = heap;
    this.#tag = tag;
  }

  /** Where a page's entry is, NULL where there is no table. */
  entry(page: number): Address {
    const directory = this.#memory.load(Header.VM_DIRECTORY) as Address;
    if (directory === NULL) return NULL;
    const table = this.#memory.load(field(directory, page >>> TABLE_SHIFT)) as Address;
    return table === NULL ? NULL : field(table, page & TABLE_MASK);
  }

  // With VM_LOCK ---------------------------------------------------------------------------------------

  /** Make the tables for a range of pages. Gives false when there are not enough pages for them; those that were made are for `trim`. */
  extend(first: number, pages: number): boolean {
    let directory = this.#directory;
    if (directory === NULL) {
      directory = this.#newNode();
      if (directory === NULL) return false;
      this.#memory.store(Header.VM_DIRECTORY, directory);
    }
    for (const index of tablesOver(first, pages)) {
      const slot = field(directory, index);
      if (this.#memory.read(slot) !== 0) continue;
      const table = this.#newNode();
      if (table === NULL) return false;
      this.#memory.store(slot, table);
    }
    return true;
  }

  /** Give back the tables over a range of pages that no area needs, and the directory when none is left. After raising VM_GENERATION. */
  trim(first: number, pages: number, isNeeded: (first: number, pages: number) => boolean): void {
    const directory = this.#directory;
    if (directory === NULL) return;
    for (const index of tablesOver(first, pages)) {
      const slot = field(directory, index);
      const table = this.#memory.read(slot) as Address;
      if (table === NULL || isNeeded(index << TABLE_SHIFT, PAGE_WORDS)) continue;
      this.#memory.store(slot, 0);
      this.#heap.freePages(table);
    }
    if (isNeeded(0, PAGE_WORDS << TABLE_SHIFT)) return;
    this.#memory.store(Header.VM_DIRECTORY, 0);
    this.#heap.freePages(directory);
  }

  /** All pages of the tree, the directory first. */
  nodes(): Address[] {
    const directory = this.#directory;
    if (directory === NULL) return [];
    const nodes = [directory];
    for (let index = 0; index < PAGE_WORDS; index++) {
      const table = this.#memory.read(field(directory, index)) as Address;
      if (table !== NULL) nodes.push(table);
    }
    return nodes;
  }

  get #directory(): Address {
    return this.#memory.read(Header.VM_DIRECTORY) as Address;
  }

  #newNode(): Address {
    const node = this.#heap.allocPages(0 as Order, { tag: this.#tag });
    if (node !== NULL) this.#memory.fill(node, PAGE_WORDS, 0);
    return node;
  }
}

function* tablesOver(first: number, pages: number): Generator<number> {
  for (let index = first >>> TABLE_SHIFT; index <= (first + pages - 1) >>> TABLE_SHIFT; index++) yield index;
}
