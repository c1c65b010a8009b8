/**
 * Slots: one record for each attached thread.
 *
 *   line 0   STATE, and the thread's name
 *   line 1   the locks it holds, and the transfer it is in the middle of
 *   then     for each grace-period domain a record of two lines: what the thread's read side says (rcu/; scanned by
 *            others), and its limbo: what it retired there and waits for its grace period
 *   then     a list of pages, and for each cache what its allocator keeps for the slot, and the open sheaf of each domain
 *
 * A slot's life:  FREE -> LIVE (attach) -> FREE (detach, nothing left in limbo)
 *                 LIVE -> DEAD (its thread died) -> DRAINED (locks and caches given back)
 *                 LIVE or DEAD -> DRAINED -> FREE (limbo emptied after a grace period)
 *
 * Law table
 *   word              class
 *   STATE             atomic; kind in the low 3 bits, thread number above them
 *   LIVENESS          atomic; written only by the slot's thread while LIVE, 0 in a FREE slot
 *   NAME, reader lines   atomic (see rcu/)
 *   PINNED            atomic; written only by the slot's thread (vmalloc/swap.ts)
 *   line 1 but PINNED, limbos, page list, words of caches   private to the slot's thread while LIVE; once the thread is dead, or has
 *                     left, private to whoever holds the arena lock. A thread's death happens before the
 *                     host reports it, and all later owners are ordered by the arena lock.
 */

import { type Address, field } from "./address.js";
import { ClosedError, QuiesceError, TooManyThreadsError } from "./errors.js";
import { CACHE_SLOT_WORDS, Header, type Layout, PAGE_LIST_WORDS, RECORD_WORDS, SLOT_HEAD_WORDS } from "./layout.js";
import type { Memory } from "./memory.js";

/** Offsets of a slot's words. */
export const SlotWord = {
  STATE: 0,
  /** 1 from when the thread holds the platform's lock by which its death can be told (shared/liveness.ts). */
  LIVENESS: 1,
  /** Its name, in UTF-8, zero-padded (text.ts). */
  NAME: 8,
  /** Addresses of locks the thread holds, is about to take, or has just let go. */
  HELD: 32,
  /** Object on its way: +address to a list of limbo, -address from or to its slab. */
  INTENT: 40,
  /** Limbo segment the object goes to. */
  INTENT_SEGMENT: 41,
  /** 1 when the thread may have blocks that are freed with it (heap.ts, `unpublished`). */
  UNPUBLISHED: 42,
  /** What the thread is publishing without a lock (publication.ts). */
  NOTE: 43,
  /** Page of the virtual space that the thread is copying from or to, so that nobody evicts it; 0 for none (vmalloc/swap.ts). */
  PINNED: 56,
} as const;

/** Offsets in the note of a publication; WORD is 0 while there is none. */
export const NoteWord = { WORD: 0, TO: 1, BLOCK: 2, VALUE: 3, OLD_BLOCK: 4, OLD_VALUE: 5, COUNTER: 6, COUNT: 7, TAG: 8, DOMAIN: 9, RETIRING: 10 } as const;

/** End of the slot's own words from HELD on. */
export const END_OF_OWN: number = SlotWord.NOTE + NoteWord.RETIRING + 1;

/** Words of a thread's name. */
export const NAME_WORDS = 16;

/** Words of a record that belong to the read side, and are 0 in a FREE slot. */
export const READER_WORDS = 12;

/** Offsets in a slot's record for one domain. */
export const RecordWord = {
  /** One line for the read side (rcu/). */
  READER: 0,
  /** Limbo: head of list, sheaves, count, cookie for each of four segments. */
  LIMBO: 32,
  /** Segment that collects, and the oldest one not yet released (rcu/). */
  COLLECTING: 48,
  OLDEST: 49,
  /** Cookie of the grace period that a DRAINED slot's limbo waits for, and whether one was started (rcu/). */
  COOKIE: 50,
  COOKIE_TAKEN: 51,
} as const;

/** Locks a thread may hold at once. */
const MOST_HELD = 8;

/** Kinds of slot, in the low bits of STATE. */
export const SlotKind = { FREE: 0, LIVE: 1, DEAD: 2, DRAINED: 3 } as const;
const KIND_BITS = 3;
const KIND_MASK = 7;

/** The kind in a STATE word. */
export const kindOf = (state: number): number => state & KIND_MASK;
/** The thread number in a STATE word. */
export const threadOf = (state: number): number => state >>> KIND_BITS;
/** A STATE word. */
export const slotState = (kind: number, thread: number): number => (thread << KIND_BITS) | kind;

/** Address of a slot's record. */
export function slotAddress(layout: Layout, index: number): Address {
  return field(layout.slotTable, index * layout.slotWords);
}

/** Address of a slot's record in a domain. */
export function recordAddress(layout: Layout, index: number, domain: number): Address {
  return field(slotAddress(layout, index), SLOT_HEAD_WORDS + domain * layout.recordWords);
}

/** Address of the words for debugging in a record. */
export const debugAddress = (record: Address): Address => field(record, RECORD_WORDS);

/** Slots that were ever claimed: every scan goes over 0 .. this - 1. */
export function slotsUsed(memory: Memory): number {
  return memory.load(Header.SLOTS_USED);
}

/** Slots in a kind. */
export function* slotsOfKind(memory: Memory, layout: Layout, kind: number): Generator<number> {
  const used = slotsUsed(memory);
  for (let index = 0; index < used; index++) {
    if (kindOf(memory.load(slotAddress(layout, index))) === kind) yield index;
  }
}

/** Address of a slot's own list of pages. */
export function pageListOf(layout: Layout, index: number): Address {
  return recordAddress(layout, index, layout.domains);
}

/** Address of the words that an allocator keeps in a slot for a cache. */
export function cacheWordsOf(layout: Layout, index: number, cache: number): Address {
  return field(pageListOf(layout, index), PAGE_LIST_WORDS + cache * CACHE_SLOT_WORDS);
}

/** Address of the word that names a slot's open sheaf for what it retires of a cache in a domain. */
export function openSheafOf(layout: Layout, index: number, cache: number, domain: number): Address {
  return field(pageListOf(layout, index), PAGE_LIST_WORDS + layout.caches * (CACHE_SLOT_WORDS + domain) + cache);
}

/** Threads that have a slot. */
export function liveThreads(memory: Memory, layout: Layout): number[] {
  return [...slotsOfKind(memory, layout, SlotKind.LIVE)].map((index) => threadOf(memory.load(slotAddress(layout, index))));
}

/** Whether the thread has a slot, and says there that it holds its liveness lock. */
export function saysItHoldsLiveness(memory: Memory, layout: Layout, thread: number): boolean {
  const live = slotState(SlotKind.LIVE, thread);
  for (let index = 0; index < slotsUsed(memory); index++) {
    const address = slotAddress(layout, index);
    if (memory.load(address) !== live) continue;
    const says = memory.load(field(address, SlotWord.LIVENESS)) === 1;
    if (memory.load(address) === live) return says; // else the word may be another thread's
  }
  return false;
}

/** How a thread sleeps; the grace-period layer goes offline around it. */
export type Park = (address: Address, expected: number, timeout: number) => void;

/** This thread's hold on its slot. */
export class Slot {
  readonly memory: Memory;
  readonly index: number;
  /** The thread's number; no two threads ever have the same. */
  readonly thread: number;
  readonly address: Address;
  #detached = false;
  /** Spin locks that the thread holds: it must not wait for anything. */
  spinLocks = 0;
  /** Why the thread must not wait for anything now, undefined when it may (the kernel's might_sleep). The rooms above add their reasons. */
  mayNotBlock: () => string | undefined;
  /** Grace-period domains that the thread has opened (rcu/). */
  readonly openDomains: Set<number> = new Set();
  /** Sleeps until `address` is notified, at most `timeout` ms; may wake early. */
  park: Park;
  readonly #held: Address;
  /** What HELD says, without asking shared memory. */
  readonly #locks: Address[] = [];

  constructor(memory: Memory, layout: Layout, index: number, thread: number) {
    this.memory = memory;
    this.index = index;
    this.thread = thread;
    this.address = slotAddress(layout, index);
    this.#held = field(this.address, SlotWord.HELD);
    this.mayNotBlock = () => {
      if (this.spinLocks > 0) return "it holds a spin lock, for which others burn their time";
      return this.#locks.includes(Header.ARENA_LOCK) ? "it holds the arena lock" : undefined;
    };
    this.park = (address, expected, timeout) => {
      // A thread that may not block spins: locks are held for microseconds.
      if (memory.canBlock) memory.wait(address, expected, timeout);
    };
  }

  /** @throws ClosedError after `detach`: the slot's record may be another thread's by now */
  mustBeAttached(): void {
    if (this.#detached) throw new ClosedError("this arena");
  }

  /** Nothing of the slot's record is touched by this thread from here on. */
  detach(): void {
    this.#detached = true;
  }

  /** Whether the thread holds a lock. */
  hasNoted(lock: Address): boolean {
    return this.#locks.includes(lock);
  }

  /** Whether it holds as many locks as it may. */
  get holdsMost(): boolean {
    return this.#locks.length === MOST_HELD;
  }

  /** Locks that the thread holds. */
  get locksHeld(): number {
    return this.#locks.length;
  }

  /** Note that this thread is about to take a lock, so that a reaper finds it. */
  noteLock(lock: Address): void {
    this.mustBeAttached();
    if (this.#locks.length === MOST_HELD) throw new QuiesceError("ERR_TOO_MANY_LOCKS", `a thread may hold at most ${MOST_HELD} locks at once.`);
    this.memory.write(field(this.#held, this.#locks.length), lock);
    this.#locks.push(lock);
  }

  /** Note that a lock has been let go (or was not had). */
  forgetLock(lock: Address): void {
    const locks = this.#locks;
    const hole = locks.lastIndexOf(lock);
    if (hole < 0) return;
    const last = locks.pop() as Address;
    if (hole < locks.length) {
      // Locks are let go in any order; the last note fills the hole.
      locks[hole] = last;
      this.memory.write(field(this.#held, hole), last);
    }
    this.memory.write(field(this.#held, locks.length), 0);
  }
}

/** The locks a dead slot may hold. */
export function heldLocks(memory: Memory, slot: Address): Address[] {
  const locks: Address[] = [];
  for (let i = 0; i < MOST_HELD; i++) {
    const lock = memory.read(field(slot, SlotWord.HELD + i));
    if (lock !== 0) locks.push(lock as Address);
  }
  return locks;
}

/**
 * Claim a free slot for a thread.
 * @param thread its number, from 0 to 2^29 - 2, that no other thread has or had
 * @throws TooManyThreadsError when every slot is taken
 */
export function claimSlot(memory: Memory, layout: Layout, thread: number): Slot {
  for (let index = 0; index < layout.slots; index++) {
    const state = slotAddress(layout, index);
    if (memory.load(state) !== SlotKind.FREE) continue;
    // The bound rises before the claim, and so before the slot can go online: a grace period that reads the
    // old bound began before this thread's first load, which therefore sees all that was unlinked by then.
    for (let used = slotsUsed(memory); used <= index; used = slotsUsed(memory)) {
      memory.compareExchange(Header.SLOTS_USED, used, index + 1);
    }
    if (memory.compareExchange(state, SlotKind.FREE, slotState(SlotKind.LIVE, thread)) === SlotKind.FREE) {
      return new Slot(memory, layout, index, thread);
    }
  }
  throw new TooManyThreadsError(layout.slots);
}
