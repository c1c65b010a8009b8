/**
 * Poison and red zones: what stands in and beside an object of a debug arena, and whether it still does. The values are those of Linux (mm/slub.c).
 *
 *   live    | cc cc cc cc | the bytes that were asked for: 5a at first | cc cc .. | history LIVE
 *   freed   | bb bb bb bb | 6b 6b 6b 6b ..                          a5 | bb bb .. | history FREED
 *   a page  |               as an object, without zones but for what is beyond the bytes asked for
 *
 * Zones begin and end at words: who writes words may write the last one whole. Objects of caches with a constructor, or whose readers may look at
 * freed ones (typesafeByRcu), are never poisoned.
 *
 * Law table
 *   zones, poison   as the object; who looks at an object that is not its own loads them atomically, and believes them only if the
 *                   history's version has not changed meanwhile
 */

import { type Address, field, PAGE_SHIFT, PAGE_WORDS, wordsFor } from "./address.js";
import { type Histories, HistoryState, stateIn, ZONE_WORDS } from "./history.js";
import type { Memory } from "./memory.js";
import type { MemoryFault } from "./memory-report.js";

/** Words of memory that was given out and not written. */
export const FRESH = 0x5a5a5a5a;
/** Words of freed memory, and the last of them: its last byte is 0xa5. */
export const POISON = 0x6b6b6b6b;
export const POISON_END: number = 0xa56b6b6b | 0;
/** Words of the red zones of a live object, and of one that is not. */
export const ZONE_ACTIVE: number = 0xcccccccc | 0;
export const ZONE_INACTIVE: number = 0xbbbbbbbb | 0;

/** Words of a right zone at most: a block of pages may be much larger than what was asked for. */
const MOST_ZONE = 32;
/** An object, or a block of pages, as the guard sees it; in words. */
export interface Extent {
  readonly start: Address;
  /** What may be used at most. */
  readonly room: number;
  /** Zones beside it. */
  readonly zone: number;
  readonly history: Address;
  readonly isPoisoned: boolean;
  readonly cache: string;
}

/** The extent of an object of a cache. */
export function objectExtent(start: Address, room: number, isPoisoned: boolean, cache: string): Extent {
  return { start, room, zone: ZONE_WORDS, history: field(start, room + ZONE_WORDS), isPoisoned, cache };
}

/** A page by itself, as the page allocator has it. */
export function pageExtent(histories: Histories, page: number, order = 0): Extent {
  const start = (page << PAGE_SHIFT) as Address;
  return { start, room: PAGE_WORDS << order, zone: 0, history: histories.ofPage(page), isPoisoned: true, cache: "pages" };
}

/** What is damaged of an object. */
export interface Damage {
  readonly fault: MemoryFault;
  /** In bytes from the start. */
  readonly first: number;
  readonly last: number;
}

/** Words that were asked for; not more than there are, whatever has become of the history. */
export function wordsOf(histories: Histories, { history, room }: Extent): number {
  const words = Math.max(1, wordsFor(histories.bytes(history)));
  return words <= room ? words : room;
}

/** What may not be written behind the words that were asked for. */
export function rightZone(histories: Histories, extent: Extent): { at: Address; words: number } {
  const from = wordsOf(histories, extent);
  return { at: field(extent.start, from), words: Math.min(MOST_ZONE, extent.room + extent.zone - from) };
}

/** Words that should all hold one value. */
interface Span {
  readonly fault: MemoryFault;
  /** From the start of the object. */
  readonly at: number;
  readonly words: number;
  readonly value: number;
}

function spansOf(histories: Histories, extent: Extent, state: number): Span[] {
  const { start, room, zone } = extent;
  if (state === HistoryState.LIVE) {
    const { at, words } = rightZone(histories, extent);
    return [
      { fault: "red-zone-left", at: -zone, words: zone, value: ZONE_ACTIVE },
      { fault: "red-zone-right", at: at - start, words, value: ZONE_ACTIVE },
    ];
  }
  if (state !== HistoryState.FREED) return [];
  const spans: Span[] = [{ fault: "red-zone-left", at: -zone, words: zone, value: ZONE_INACTIVE }];
  if (extent.isPoisoned) {
    spans.push({ fault: "write-after-free", at: 0, words: room - 1, value: POISON });
    spans.push({ fault: "write-after-free", at: room - 1, words: 1, value: POISON_END });
  }
  spans.push({ fault: "red-zone-right", at: room, words: zone, value: ZONE_INACTIVE });
  return spans;
}

/** Where a span differs from what it should hold, in bytes. */
function damageIn(memory: Memory, start: Address, { fault, at, words, value }: Span): Damage | undefined {
  let first: number | undefined;
  let last = 0;
  for (let word = at; word < at + words; word++) {
    const found = memory.load((start + word) as Address);
    if (found === value) continue;
    const differs = found ^ value;
    first ??= 4 * word + ((31 - Math.clz32(differs & -differs)) >> 3);
    last = 4 * word + ((31 - Math.clz32(differs)) >> 3);
  }
  return first === undefined ? undefined : { fault, first, last };
}

/** What is wrong with an object, told only if nobody changed it meanwhile. */
export function damagesOf(memory: Memory, histories: Histories, extent: Extent): Damage[] {
  const word = histories.word(extent.history);
  const damages: Damage[] = [];
  for (const span of spansOf(histories, extent, stateIn(word))) {
    const damage = damageIn(memory, extent.start, span);
    if (damage === undefined) continue;
    const before = damages.at(-1);
    if (before?.fault === damage.fault) damages.splice(-1, 1, { ...damage, first: before.first });
    else damages.push(damage);
  }
  return damages.length === 0 || histories.word(extent.history) === word ? damages : [];
}
