/**
 * An arena: one shared memory, formatted, and a thread's hold on it.
 *
 * Law table: this file owns no word; see layout.ts for the map of all of them.
 */

import { checkArena } from "./check.js";
import { DebugHeap } from "./debug-heap.js";
import { formatHeap, Heap } from "./heap.js";
import { type ArenaOptions, checkOptions, formatLayout, Header, type Layout, openLayout } from "./layout.js";
import { type Memory, SharedMemory } from "./memory.js";
import { Pages } from "./pages.js";
import { clearSlot, drainSlot, repairArena } from "./reap.js";
import { claimSlot, kindOf, SlotKind, slotAddress, slotState, slotsUsed, threadOf } from "./slot.js";
import { WatchingMemory } from "./watching-memory.js";

/**
 * Make an arena in new shared memory.
 * @param bytes its size; reserved at once, but the operating system commits pages only as they are touched
 * @throws ArenaOptionsError
 */
export function createArena(bytes: number, options: ArenaOptions = {}): SharedArrayBuffer {
  checkOptions(bytes, options);
  const buffer = new SharedArrayBuffer(bytes);
  formatArena(new SharedMemory(buffer), options);
  return buffer;
}

/** Format zeroed memory as an arena. */
export function formatArena(memory: Memory, options: ArenaOptions = {}, id: readonly [number, number] = randomId()): Layout {
  const layout = formatLayout(memory, options, id);
  formatHeap(memory, layout);
  new Pages(memory, layout).format();
  return layout;
}

function randomId(): [number, number] {
  const [a = 0, b = 0] = crypto.getRandomValues(new Int32Array(2));
  return [a, b];
}

/** An attached thread's arena. */
export class Arena {
  readonly memory: Memory;
  readonly layout: Layout;
  readonly heap: Heap;

  /**
   * Attach this thread: claim a slot.
   * @param thread a number that tells this thread from others, for reports and for finding its slot when it dies
   * @throws ArenaFormatError, TooManyThreadsError
   */
  constructor(memory: Memory, thread: number) {
    this.layout = openLayout(memory);
    const slot = claimSlot(memory, this.layout, thread);
    if (this.layout.debugMemory) {
      const heap = new DebugHeap(memory, this.layout, slot, repairArena);
      this.heap = heap;
      this.memory = new WatchingMemory(memory, heap); // the heap itself looks at poison, and uses the other
    } else {
      this.heap = new Heap(memory, this.layout, slot, repairArena);
      this.memory = memory;
    }
  }

  /** Every violated invariant; none is good. */
  check(): string[] {
    return checkArena(this.heap);
  }

  /**
   * Rebuild all that is derived (lists, counts), and drain the dead: what a reaper, and the next owner of the arena lock after one that died, do by themselves.
   * For whoever suspects that something wrote where it should not have: afterwards `check()` finds what is truly broken.
   */
  recover(): void {
    this.heap.withArenaLock(() => repairArena(this.heap));
  }

  /**
   * Give everything back. What is in limbo stays there, in a DRAINED slot, until a thread that is still attached
   * (or the next to attach) finds its grace period over.
   */
  detach(): void {
    const { heap, memory } = this;
    const { index, address } = heap.slot;
    const empty = heap.withArenaLock(() => {
      drainSlot(heap, index, false);
      if (heap.limbosOf(index).some((limbo) => !limbo.empty)) return false;
      clearSlot(heap, index);
      return true;
    });
    heap.slot.detach();
    heap.forget();
    // The slot is another thread's from here on, so this comes after everything, the lock's own notes included; a thread
    // that dies before it is reaped as any other.
    memory.store(address, empty ? SlotKind.FREE : slotState(SlotKind.DRAINED, threadOf(memory.load(address))));
  }
}

/** Numbers for threads of platforms that do not number them. */
export function nextThreadNumber(memory: Memory): number {
  // Above the numbers that platforms give, within the 29 bits that a slot keeps.
  return 0x10000000 + ((memory.add(Header.NEXT_THREAD, 1) >>> 0) % 0x0fffffff);
}

/** Threads attached. */
export function attachedThreads(memory: Memory, layout: Layout): number {
  let threads = 0;
  for (let index = 0; index < slotsUsed(memory); index++) {
    if (kindOf(memory.load(slotAddress(layout, index))) === SlotKind.LIVE) threads++;
  }
  return threads;
}
