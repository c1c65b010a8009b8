/**
 * What the virtual space tells of itself: its areas, and every invariant that does not hold.
 *
 * Law table: this file owns no word, and writes none.
 */

import type { Address } from "../address.js";
import type { Heap } from "../heap.js";
import { Header } from "../layout.js";
import { type Area, AreaState } from "./areas.js";
import { type VirtualSpace, VM_TAG, weightOf } from "./space.js";
import { SWAP_TAG, type Swap } from "./swap.js";
import { addressOfPage, BUSY, EntryKind, frameOf, kindOfEntry, VIRTUAL_PAGES, type VirtualAddress } from "./virtual.js";

/** An area. */
export interface AreaInfo {
  readonly address: VirtualAddress;
  /** Bytes that were asked for. */
  readonly bytes: number;
  /** Pages of its range, without the guard page. */
  readonly pages: number;
  /** Pages in memory, and in the backing store only; the others of a swappable area were never written. */
  readonly resident: number;
  readonly swapped: number;
  readonly swap: boolean;
  /** Freed areas keep their range until a purge. */
  readonly state: "live" | "freed";
  readonly tag: number;
  /** Thread that made it. */
  readonly thread: number;
}

/** All areas, by address. */
export function areaInfos(space: VirtualSpace): AreaInfo[] {
  return space.withLock(() =>
    [...space.areas.list()].map((area): AreaInfo => {
      const kinds = [...space.entries(area)].map(({ entry }) => kindOfEntry(entry));
      return {
        address: addressOfPage(area.start),
        bytes: area.bytes,
        pages: area.pages,
        resident: kinds.filter((kind) => kind === EntryKind.RESIDENT || kind === EntryKind.MAPPED).length,
        swapped: kinds.filter((kind) => kind === EntryKind.SWAPPED).length,
        swap: area.swap,
        state: area.state === AreaState.LIVE ? "live" : "freed",
        tag: area.tag,
        thread: area.thread,
      };
    }),
  );
}

const ALLOWED = {
  swappable: [EntryKind.RESIDENT, EntryKind.EMPTY, EntryKind.SWAPPED] as readonly number[],
  staying: [EntryKind.MAPPED] as readonly number[],
};

/** With SWAP_LOCK: every violated invariant. */
export function checkSpace(heap: Heap, space: VirtualSpace, swap: Swap): string[] {
  return space.withLock(() => {
    const areas = [...space.areas.list()];
    const violations = [...checkAreas(heap, areas), ...checkEntries(space, areas)];
    violations.push(...checkOwned("vmalloc", space.held(), heap.ownedBy(VM_TAG)), ...checkOwned("swap", swap.frames(), heap.ownedBy(SWAP_TAG)));
    return violations;
  });
}

function checkAreas(heap: Heap, areas: readonly Area[]): string[] {
  const violations: string[] = [];
  let free = 1;
  let lazy = 0;
  for (const area of areas) {
    const { start, pages, bytes, state } = area;
    if (start < free) violations.push(`vmalloc: the area at page ${start} overlaps the one before it, or its guard page, which ends at ${free}`);
    if (pages < 1 || start + pages >= VIRTUAL_PAGES || bytes > pages * 4096)
      violations.push(`vmalloc: the area at page ${start} of ${pages} pages and ${bytes} bytes`);
    if (state !== AreaState.LIVE && state !== AreaState.LAZY) violations.push(`vmalloc: the area at page ${start} is in state ${state}`);
    if (state === AreaState.LAZY) lazy += weightOf(area);
    free = start + pages + 1;
  }
  const counted = heap.memory.read(Header.VM_LAZY);
  if (counted !== lazy) violations.push(`vmalloc: what rests weighs ${lazy}, the header says ${counted}`);
  if (areas.length > 0 && areas.every(({ state }) => state === AreaState.LAZY)) violations.push("vmalloc: no area is live, and the freed ones are not purged");
  return violations;
}

function checkEntries(space: VirtualSpace, areas: readonly Area[]): string[] {
  const violations: string[] = [];
  const areaOf = new Map<number, Area>();
  for (const area of areas) for (let page = area.start; page < area.start + area.pages; page++) areaOf.set(page, area);
  const frames = new Set<Address>();
  const [, ...tables] = space.table.nodes();
  let needed = 0;
  for (let first = 0; first < VIRTUAL_PAGES; first += 1024) {
    if (space.table.entry(first) === 0) continue;
    needed++;
    for (let page = first; page < first + 1024; page++) {
      const entry = space.memory.load(space.table.entry(page));
      const kind = kindOfEntry(entry);
      const area = areaOf.get(page);
      if (area === undefined || area.state !== AreaState.LIVE) {
        if (kind !== EntryKind.NONE) violations.push(`vmalloc: page ${page} is mapped and in no live area`);
        continue;
      }
      if (!(area.swap ? ALLOWED.swappable : ALLOWED.staying).includes(kind))
        violations.push(`vmalloc: page ${page} of a live area has an entry of kind ${kind}`);
      if ((entry & BUSY) !== 0) violations.push(`swap: page ${page} is being evicted by nobody`);
      if (kind !== EntryKind.MAPPED && kind !== EntryKind.RESIDENT) continue;
      if (frames.has(frameOf(entry))) violations.push(`vmalloc: two pages are in the frame at ${frameOf(entry)}`);
      frames.add(frameOf(entry));
    }
    if (!space.areas.isUsed(first, 1024)) violations.push(`vmalloc: the table for pages from ${first} is needed by no area`);
  }
  if (needed !== tables.length) violations.push(`vmalloc: ${tables.length} tables, of which ${needed} can be reached`);
  return violations;
}

function checkOwned(what: string, held: ReadonlySet<Address>, owned: readonly Address[]): string[] {
  const violations: string[] = [];
  const left = new Set(owned);
  for (const address of held) if (!left.delete(address)) violations.push(`${what}: ${address} is used, and was given back or belongs to somebody else`);
  for (const address of left) violations.push(`${what}: ${address} is lost: taken, and used by nothing`);
  return violations;
}
