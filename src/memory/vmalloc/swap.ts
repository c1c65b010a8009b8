/**
 * Swapping: cold pages go to a backing store when memory is short, and come back at a touch (mm/vmscan.c, mm/swap.c; the clock of Corbato 1969).
 *
 *   EMPTY ----touch----> RESIDENT ----evicted, written to----> SWAPPED ----touch----> RESIDENT, STORED
 *     ^---evicted, never written to--'
 *
 *   toucher   PINNED = page; look at the entry ... copy ... PINNED = 0        (a hazard pointer: Michael 2004)
 *   evictor   entry |= BUSY; look at all PINNED; write the page; entry = SWAPPED; free the frame
 *
 * One of the two sees the other: a toucher that found no BUSY had said before what it pins. It takes no lock and stores to no line but its own. Who finds
 * BUSY, or no page, takes SWAP_LOCK, which its owner holds during input and output.
 *
 * Law table
 *   word                    class
 *   SWAP_LOCK               atomic (robust mutex); taken before VM_LOCK
 *   a slot's PINNED         atomic; page number << 12 | low 12 bits of the thread's number; of a slot that is LIVE it counts, of others not
 *   a swappable entry       atomic; kind, BUSY and frame stored by SWAP_LOCK's owner (free: with VM_LOCK too); any toucher adds ACCESSED and DIRTY
 *   VM_HAND                 locked by VM_LOCK
 *   a frame                 what its users make of it while it is pinned; private to SWAP_LOCK's owner while its entry is BUSY or does not name it
 *
 * Where a thread may die: with PINNED set, and it does not count once its slot is not LIVE; with SWAP_LOCK, and the next owner (`#recover`) takes
 * BUSY back and frees the frames that no entry names, which their tag finds. The page of an eviction that did not end is as it was, and DIRTY.
 */

import { type Address, field, NULL, type Order, PAGE_BYTES, PAGE_WORDS } from "../address.js";
import { NoBackingStoreError, OutOfMemoryError, PageFaultError } from "../errors.js";
import type { Heap } from "../heap.js";
import { Header } from "../layout.js";
import type { Memory } from "../memory.js";
import { RobustMutex } from "../robust-mutex.js";
import { kindOf, SlotKind, SlotWord, slotAddress, slotsUsed, threadOf } from "../slot.js";
import { type Area, AreaState } from "./areas.js";
import { type VirtualSpace, withMutex } from "./space.js";
import type { BackingStore } from "./store.js";
import { ACCESSED, addressOfPage, BUSY, DIRTY, EntryKind, entryOf, frameOf, kindOfEntry, STORED } from "./virtual.js";

/** Whose the pages of swappable areas are. */
export const SWAP_TAG: number = Header.SWAP_LOCK;

/** How long a touch waits for a page while every other one is in use, in ms. */
const PATIENCE = 5000;

const PIN_SHIFT = 12;
const MARK = (1 << PIN_SHIFT) - 1;
const markOf = (thread: number): number => thread & MARK;

/** What an eviction came to. */
type Eviction = "evicted" | "all in use" | "none";

/** One thread's hold on the swappable pages. */
export class Swap {
  readonly store: BackingStore | undefined;
  readonly #heap: Heap;
  readonly #memory: Memory;
  readonly #space: VirtualSpace;
  readonly #lock: RobustMutex;
  readonly #pinned: Address;
  readonly #mark: number;
  readonly #page = new Uint8Array(PAGE_BYTES);

  constructor(heap: Heap, space: VirtualSpace, store: BackingStore | undefined) {
    this.store = store;
    this.#heap = heap;
    this.#memory = heap.memory;
    this.#space = space;
    this.#lock = new RobustMutex(heap.memory, Header.SWAP_LOCK, heap.slot);
    this.#pinned = field(heap.slot.address, SlotWord.PINNED);
    this.#mark = markOf(heap.slot.thread);
    this.#memory.store(this.#pinned, 0); // the slot's last thread may have died with it
  }

  /** Whether this thread holds the lock. */
  get isLocked(): boolean {
    return this.#lock.held;
  }

  /** Run `fn` with SWAP_LOCK: nothing is evicted or brought in by others meanwhile. */
  withLock<T>(fn: () => T): T {
    return withMutex(this.#lock, () => this.#recover(), fn);
  }

  // Touching -----------------------------------------------------------------------------------------

  /**
   * Bring a page into memory, and keep it there until `unpin`.
   * @param at its entry
   * @param flags what is done to it: ACCESSED, DIRTY
   * @returns its frame
   * @throws PageFaultError when its area was freed; NoBackingStoreError; OutOfMemoryError when no page can be had; ClosedError; what the store throws
   */
  pin(page: number, at: Address, flags: number): Address {
    const memory = this.#memory;
    this.#heap.slot.mustBeAttached(); // else PINNED is another thread's
    memory.store(this.#pinned, this.#pinOf(page));
    let entry = memory.load(at); // after the store: pairs with #choose
    if (kindOfEntry(entry) !== EntryKind.RESIDENT || (entry & BUSY) !== 0) {
      memory.store(this.#pinned, 0);
      entry = this.#bringIn(page);
    }
    if ((entry & flags) !== flags) memory.or(at, flags);
    return frameOf(entry);
  }

  unpin(): void {
    this.#memory.store(this.#pinned, 0);
  }

  #pinOf(page: number): number {
    return (page << PIN_SHIFT) | this.#mark;
  }

  /** Bring a page in, and pin it. */
  #bringIn(page: number): number {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const entry = this.withLock(() => this.#tryBringIn(page));
      if (entry !== "all in use") return entry;
      if (performance.now() > deadline) throw this.#full();
      this.#heap.slot.park(this.#pinned, 0, 1); // others are in the middle of copying, which is soon over
    }
  }

  #tryBringIn(page: number): number | "all in use" {
    const memory = this.#memory;
    const at = this.#space.table.entry(page);
    const before = at === NULL ? EntryKind.NONE : memory.load(at);
    const kind = kindOfEntry(before);
    if (kind === EntryKind.NONE) throw new PageFaultError(addressOfPage(page), "whose area was freed");
    let entry = before;
    if (kind !== EntryKind.RESIDENT) {
      const frame = this.#takeFrame();
      if (typeof frame === "string") return frame;
      this.#fill(frame, page, kind);
      entry = entryOf(EntryKind.RESIDENT, frame, kind === EntryKind.SWAPPED ? STORED : 0);
      memory.store(at, entry); // commit; pairs with the load of whoever pins
    }
    memory.store(this.#pinned, this.#pinOf(page)); // before the lock is let go: whoever evicts next sees it
    return entry;
  }

  #fill(frame: Address, page: number, kind: number): void {
    if (kind === EntryKind.EMPTY) {
      this.#memory.fill(frame, PAGE_WORDS, 0);
      return;
    }
    try {
      this.#theStore("a touch of a page that was swapped out").readPage(page, this.#page);
    } catch (error) {
      this.#heap.freePages(frame);
      throw error;
    }
    this.#memory.writeBytes(frame, this.#page);
  }

  #takeFrame(): Address | "all in use" {
    for (;;) {
      const frame = this.#heap.allocPages(0 as Order, { tag: SWAP_TAG });
      if (frame !== NULL) return frame;
      const eviction = this.store === undefined ? "none" : this.#evict();
      if (eviction === "none") throw this.#full();
      if (eviction === "all in use") return eviction;
    }
  }

  #full(): OutOfMemoryError {
    const { total, used } = this.#heap.bytes();
    return new OutOfMemoryError(PAGE_BYTES, total - used, total);
  }

  #theStore(operation: string): BackingStore {
    if (this.store === undefined) throw new NoBackingStoreError(operation);
    return this.store;
  }

  // Evicting -----------------------------------------------------------------------------------------

  /**
   * Write cold pages out and free them, as the kernel's shrinkers are asked to. May wait.
   * @returns how many came free
   * @throws what the store throws; the page it was about stays
   */
  reclaim(pages: number): number {
    if (this.store === undefined) return 0;
    let freed = 0;
    // One lock for each: others want to touch meanwhile.
    while (freed < pages && this.withLock(() => this.#evict()) === "evicted") freed++;
    return freed;
  }

  /** With SWAP_LOCK. */
  #evict(): Eviction {
    const memory = this.#memory;
    const victim = this.#space.withLock(() => this.#choose());
    if (typeof victim === "string") return victim;
    const { page, at } = victim;
    const entry = memory.load(at); // once more: DIRTY may have come until the last pin went
    const frame = frameOf(entry);
    if ((entry & DIRTY) !== 0) {
      memory.readBytes(frame, this.#page);
      let written = false;
      try {
        this.#theStore("evicting a page").writePage(page, this.#page);
        written = true;
      } finally {
        if (!written) memory.and(at, ~BUSY);
      }
    }
    const isStored = (entry & (DIRTY | STORED)) !== 0;
    memory.store(at, isStored ? EntryKind.SWAPPED : EntryKind.EMPTY); // commit
    this.#heap.freePages(frame);
    return "evicted";
  }

  /** With both locks: the next cold page that nobody has pinned, BUSY from now on. */
  #choose(): { readonly page: number; readonly at: Address } | Exclude<Eviction, "evicted"> {
    const memory = this.#memory;
    let inUse = false;
    // The hand's first turn takes what is cold, the second what has not been touched since the first.
    for (const { page, at, entry } of this.#twice()) {
      if (kindOfEntry(entry) !== EntryKind.RESIDENT) continue;
      if ((entry & ACCESSED) !== 0) {
        memory.and(at, ~ACCESSED);
        continue;
      }
      memory.or(at, BUSY); // pairs with pin: who pinned before saw none, and is seen below
      if (this.#isPinned(page)) {
        memory.and(at, ~BUSY);
        inUse = true;
        continue;
      }
      memory.write(Header.VM_HAND, page + 1);
      return { page, at };
    }
    return inUse ? "all in use" : "none";
  }

  *#twice(): Generator<{ page: number; at: Address; entry: number }> {
    const hand = this.#memory.read(Header.VM_HAND);
    const areas = this.#swappable();
    for (let turn = 0; turn < 2; turn++) {
      for (const area of areas) for (const found of this.#space.entries(area)) if (found.page >= hand) yield found;
      for (const area of areas) for (const found of this.#space.entries(area)) if (found.page < hand) yield found;
    }
  }

  #swappable(): Area[] {
    return [...this.#space.areas.list()].filter(({ swap, state }) => swap && state === AreaState.LIVE);
  }

  #isPinned(page: number): boolean {
    const { layout } = this.#heap;
    const memory = this.#memory;
    for (let index = 0; index < slotsUsed(memory); index++) {
      const slot = slotAddress(layout, index);
      const pinned = memory.load(field(slot, SlotWord.PINNED));
      if (pinned === 0 || pinned >>> PIN_SHIFT !== page) continue;
      // A thread that was reaped copies no more. What a slot's last thread left says nothing of its next: by the number, and in the end because that clears it.
      const state = memory.load(slot);
      if (kindOf(state) === SlotKind.LIVE && markOf(threadOf(state)) === (pinned & MARK)) return true;
    }
    return false;
  }

  /** After an owner of SWAP_LOCK died. May be repeated. */
  #recover(): void {
    const memory = this.#memory;
    this.#space.withLock(() => {
      const frames = this.frames();
      for (const area of this.#swappable()) for (const { at, entry } of this.#space.entries(area)) if ((entry & BUSY) !== 0) memory.and(at, ~BUSY);
      for (const frame of this.#heap.ownedBy(SWAP_TAG)) if (!frames.has(frame)) this.#heap.freePages(frame);
    });
  }

  /** With both locks: the frames that entries name. */
  frames(): Set<Address> {
    const frames = new Set<Address>();
    for (const area of this.#swappable())
      for (const { entry } of this.#space.entries(area)) if (kindOfEntry(entry) === EntryKind.RESIDENT) frames.add(frameOf(entry));
    return frames;
  }
}
