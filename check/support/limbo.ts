import type { Address } from "../../src/memory/address.js";
import type { Heap } from "../../src/memory/heap.js";
import type { Limbo } from "../../src/memory/limbo.js";

/** Retire into a segment, as what a domain retires when that one collects, and its sheaves are closed. */
export function retireInto(heap: Heap, segment: number, object: Address): void {
  ownLimbo(heap).push(segment, object);
  ownLimbo(heap).seal(segment);
}

/** What a thread has retired in the main domain. */
export const ownLimbo = (heap: Heap): Limbo => heap.limboOf(heap.slot.index, 0);
