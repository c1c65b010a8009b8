/**
 * What people ask a debug arena: where an object came from, what is damaged, what leaks (`heap.debug`).
 *
 * Law table: this file owns no word, and writes none.
 */

import { type Address, field, PAGE_SHIFT, wordsFor } from "./address.js";
import type { DebugCache } from "./debug-cache.js";
import type { DebugPages } from "./debug-pages.js";
import type { Guard } from "./guard.js";
import { type Heap, isTagged } from "./heap.js";
import { leakTable } from "./leak-table.js";
import type { Leak, LeakOptions, MemoryDebug, MemoryReport, ObjectHistory } from "./memory-report.js";
import { PageKind } from "./pages.js";
import { type Extent, FRESH, pageExtent } from "./poison.js";
import type { Quarantine } from "./quarantine.js";
import { liveThreads } from "./slot.js";

/** The heap that is asked. */
export interface GuardedHeap extends Heap {
  readonly guard: Guard;
  readonly quarantine: Quarantine;
}

/** One thread's view of its debug arena. */
export class DebugTools implements MemoryDebug {
  readonly #heap: GuardedHeap;

  constructor(heap: GuardedHeap) {
    this.#heap = heap;
  }

  get onReport(): ((report: MemoryReport) => void) | undefined {
    return this.#heap.guard.onReport;
  }
  set onReport(listener: ((report: MemoryReport) => void) | undefined) {
    this.#heap.guard.onReport = listener;
  }
  get warns(): boolean {
    return this.#heap.guard.warns;
  }
  set warns(warns: boolean) {
    this.#heap.guard.warns = warns;
  }
  get stacks(): boolean {
    return this.#heap.guard.stacks;
  }
  set stacks(stacks: boolean) {
    this.#heap.guard.stacks = stacks;
  }
  get reports(): number {
    return this.#heap.guard.reports;
  }
  get quarantineLimit(): number {
    return this.#heap.quarantine.limit;
  }
  set quarantineLimit(bytes: number) {
    this.#heap.quarantine.limit = Math.max(0, bytes);
  }
  get quarantined(): number {
    return this.#heap.quarantine.bytes;
  }

  /** The object or block that an address lies in or beside. */
  extentAround(address: Address): Extent | undefined {
    const { pages, layout, guard } = this.#heap;
    const page = address >>> PAGE_SHIFT;
    if (!(page >= layout.firstPage && page < layout.pages)) return undefined;
    const index = pages.cacheIndex(page);
    if (index >= 0) {
      const cache = this.#heap.cache(index) as DebugCache;
      const object = cache.objectBelow(address);
      return object === undefined ? undefined : cache.extentOf(object);
    }
    // A tail of a block: its head is the nearest page before it that is none.
    for (let head = page; head >= layout.firstPage; head--) {
      const kind = pages.kind(head);
      if (kind === PageKind.TAIL) continue;
      if (kind === PageKind.PAGES || kind === PageKind.RETIRED) return pageExtent(guard.histories, head, pages.order(head));
      return kind === PageKind.FREE || kind === PageKind.LISTED ? pageExtent(guard.histories, page) : undefined;
    }
    return undefined;
  }

  historyOf(address: Address): ObjectHistory | undefined {
    const extent = this.extentAround(address);
    return extent === undefined ? undefined : this.#heap.guard.describe(extent);
  }

  unwritten(address: Address): number[] {
    const extent = this.extentAround(address);
    if (extent === undefined) return [];
    const words = Math.min(extent.room, Math.max(1, wordsFor(this.#heap.guard.histories.bytes(extent.history))));
    return Array.from({ length: words }, (_, word) => word).filter((word) => this.#heap.memory.load(field(extent.start, word)) === FRESH);
  }

  validate(): MemoryReport[] {
    const heap = this.#heap;
    return heap.withArenaLock(() => {
      const reports = (heap.pages as DebugPages).validate();
      for (const { page, kind, owner } of heap.pages.walk()) if (kind === PageKind.SLAB) reports.push(...(heap.cache(owner) as DebugCache).validate([page]));
      return reports;
    });
  }

  leaks({ gone = false, tag, age = 0 }: LeakOptions = {}): Leak[] {
    const rows = new Map<string, Leak>();
    const attached = new Set(liveThreads(this.#heap.memory, this.#heap.layout));
    for (const { object, owner } of this.#live()) {
      const { allocated } = object;
      const thread = allocated?.thread ?? -1;
      const isGone = !attached.has(thread);
      if ((gone && !isGone) || (tag !== undefined && tag !== owner) || (allocated?.ago ?? 0) < age) continue;
      const key = JSON.stringify([object.cache, owner, thread, allocated?.name, allocated?.stack]);
      const row = rows.get(key);
      rows.set(key, {
        objects: (row?.objects ?? 0) + 1,
        bytes: (row?.bytes ?? 0) + object.bytes,
        cache: object.cache,
        tag: owner,
        thread,
        name: allocated?.name ?? "",
        isGone,
        oldest: Math.max(row?.oldest ?? 0, allocated?.ago ?? 0),
        stack: allocated?.stack,
      });
    }
    return [...rows.values()].sort((a, b) => b.bytes - a.bytes || b.objects - a.objects);
  }

  leakTable(options?: LeakOptions): string {
    return leakTable(this.leaks(options));
  }

  /** Live objects and blocks, with their tags. */
  #live(): { object: ObjectHistory; owner: number }[] {
    const heap = this.#heap;
    return heap.withArenaLock(() => {
      const found: { object: ObjectHistory; owner: number }[] = [];
      for (const { page, kind, order, owner } of heap.pages.walk()) {
        if (kind === PageKind.PAGES) found.push({ object: heap.guard.describe(pageExtent(heap.guard.histories, page, order)), owner });
        if (kind !== PageKind.SLAB) continue;
        const cache = heap.cache(owner) as DebugCache;
        for (const object of cache.live(page)) {
          const tag = isTagged(owner) ? heap.memory.load(cache.sideOf(object)) : 0;
          found.push({ object: heap.guard.describe(cache.extentOf(object)), owner: tag });
        }
      }
      return found;
    });
  }
}
