import type { Heap } from "../../src/memory/heap.js";
import type { Limbo } from "../../src/memory/limbo.js";

/** What a thread has retired in the main domain. */
export const ownLimbo = (heap: Heap): Limbo => heap.limboOf(heap.slot.index, 0);
