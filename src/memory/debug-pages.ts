/**
 * Pages of a debug arena: free ones are poisoned, and looked at before they are used anew (the kernel's page_poisoning; who took a block: its page_owner).
 *
 * Every page has a history in a table of its own. A block that was handed out has it at its first page; when it is given back, each of its pages keeps a copy,
 * since they go their own ways.
 *
 * Law table: see poison.ts. Poison of a free page is written, and looked at, by the arena lock's holder, or by whoever has the page.
 *
 * Where the thread may die: a page becomes FREED in its history only when it is poisoned whole, and CHANGING before anyone writes to it. A block is
 * poisoned after the page table says that it is free, since until then it may be a slab that recovery reads.
 */

import type { Order } from "./address.js";
import type { Guard } from "./guard.js";
import { HistoryState } from "./history.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import type { MemoryReport } from "./memory-report.js";
import { PageKind, Pages } from "./pages.js";
import { pageExtent } from "./poison.js";
import type { Reserve } from "./reserve.js";

/** The page allocator, guarded. */
export class DebugPages extends Pages {
  readonly #guard: Guard;

  constructor(memory: Memory, layout: Layout, reserve: Reserve, guard: Guard) {
    super(memory, layout, reserve);
    this.#guard = guard;
  }

  override alloc(order: Order): number {
    const page = super.alloc(order);
    if (page !== 0) this.unpoison(page, order);
    return page;
  }

  override release(page: number): void {
    const order = this.order(page);
    super.release(page);
    this.poison(page, order);
  }

  /** Look at the poison of a block that is going to be used, and forget it. */
  unpoison(page: number, order: Order): void {
    const { histories } = this.#guard;
    for (let i = page; i < page + (1 << order); i++) {
      const extent = pageExtent(histories, i);
      if (histories.state(extent.history) !== HistoryState.FREED) continue;
      this.#guard.inspect(extent, "alloc");
      histories.enter(extent.history, HistoryState.CHANGING);
    }
  }

  /** Poison the pages of a block. What is poisoned already is looked at. */
  poison(page: number, order: Order): void {
    const { histories } = this.#guard;
    const head = histories.ofPage(page);
    for (let i = page; i < page + (1 << order); i++) {
      const extent = pageExtent(histories, i);
      if (histories.state(extent.history) === HistoryState.FREED && !this.#guard.inspect(extent, "free")) continue;
      if (extent.history !== head) histories.copy(head, extent.history);
      this.#guard.close(extent);
    }
  }

  /** Poison and zones of all that are free, in a slot's list, or handed out. With the arena lock. */
  validate(): MemoryReport[] {
    const reports: MemoryReport[] = [];
    for (const { page, kind, order } of this.walk()) {
      if (kind === PageKind.PAGES) reports.push(...this.#guard.examine(pageExtent(this.#guard.histories, page, order), "check"));
      if (kind !== PageKind.FREE && kind !== PageKind.LISTED) continue;
      for (let i = page; i < page + (1 << order); i++) reports.push(...this.#guard.examine(pageExtent(this.#guard.histories, i), "check"));
    }
    return reports;
  }

  override check(): string[] {
    const violations = super.check();
    return violations.length > 0 ? violations : this.validate().map(({ message }) => message);
  }
}
