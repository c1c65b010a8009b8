/**
 * Touching the virtual space: words and bytes by their addresses, wherever their pages are.
 *
 *   address -> page -> translations.ts -> a frame, touched in place
 *                                      -> an entry (swappable): pinned, copied, unpinned (swap.ts)
 *
 * Addresses of the arena (kvmalloc) are touched where they are.
 *
 * Law table: this file owns no word; those of an area are its users'.
 *
 * Guarantee: a touch of what is not mapped is a PageFaultError, and nothing of what it was to read or write is read or written.
 */

import { type Address, field, NULL, PAGE_BYTES, PAGE_WORDS, WORD_BYTES } from "../address.js";
import { AtomicContextError, InvalidAddressError, InvalidSizeError, LockTimeoutError, PageFaultError } from "../errors.js";
import type { Heap } from "../heap.js";
import type { Memory } from "../memory.js";
import type { Slot } from "../slot.js";
import type { VirtualSpace } from "./space.js";
import type { Swap } from "./swap.js";
import { inFrame, Translations } from "./translations.js";
import { ACCESSED, DIRTY, isVirtual, pageOfAddress, VIRTUAL_BASE, VIRTUAL_PAGES, type VirtualAddress } from "./virtual.js";

/** One thread's touches. */
export class Touches {
  readonly #memory: Memory;
  readonly #slot: Slot;
  readonly #space: VirtualSpace;
  readonly #swap: Swap;
  readonly #translations: Translations;
  /** For parts of words, and pages at odd bytes. */
  readonly #scratch = new Uint8Array(PAGE_BYTES + WORD_BYTES);

  constructor(heap: Heap, space: VirtualSpace, swap: Swap) {
    this.#memory = heap.memory;
    this.#slot = heap.slot;
    this.#space = space;
    this.#swap = swap;
    this.#translations = new Translations(heap.memory, space.table);
  }

  /** @throws AtomicContextError where this thread must not wait */
  protected mayWait(operation: string): void {
    const why = this.#slot.mayNotBlock();
    if (why !== undefined) throw new AtomicContextError(operation, why);
  }

  /**
   * Where in the arena a word is now, for any access by `Memory`; the words behind it follow up to the end of its page. Not for swappable pages,
   * which may go at any time.
   * @throws PageFaultError, InvalidAddressError
   */
  translate(address: Address | VirtualAddress): Address {
    if (!isVirtual(address)) return address;
    const page = pageOfAddress(address);
    const frame = this.#translations.frame(page);
    if (frame !== NULL) return inFrame(frame, address);
    if (this.#translations.entry(page) === NULL) throw this.#fault(page, address);
    throw new InvalidAddressError(address, "is in a swappable page, which stays nowhere: use read, write, readBytes or writeBytes");
  }

  /** Read a word. @throws PageFaultError; for a swappable page also AtomicContextError, and as `Swap.pin` */
  read(address: Address | VirtualAddress): number {
    const swappable = this.#swappable(address);
    if (swappable === NULL) return this.#memory.read(this.#at);
    const value = this.#memory.read(this.#pin(address, swappable, ACCESSED));
    this.#swap.unpin();
    return value;
  }

  /** Write a word. @throws as `read` */
  write(address: Address | VirtualAddress, value: number): void {
    const swappable = this.#swappable(address);
    if (swappable === NULL) {
      this.#memory.write(this.#at, value);
      return;
    }
    this.#memory.write(this.#pin(address, swappable, ACCESSED | DIRTY), value);
    this.#swap.unpin();
  }

  /** Copy `target.length` bytes from `offset` bytes behind an address, across pages. @throws as `read`, when a page on the way is not mapped */
  readBytes(address: Address | VirtualAddress, target: Uint8Array, offset = 0): void {
    this.#eachPage(address, offset, target.length, ACCESSED, (from, skip, done, count) => this.#copyOut(from, skip, target.subarray(done, done + count)));
  }

  /** Copy bytes to `offset` bytes behind an address. A word of which only a part is written is read and written whole. @throws as `readBytes` */
  writeBytes(address: Address | VirtualAddress, source: Uint8Array, offset = 0): void {
    this.#eachPage(address, offset, source.length, ACCESSED | DIRTY, (to, skip, done, count) => this.#copyIn(to, skip, source.subarray(done, done + count)));
  }

  /** Set in `#swappable`: where a word that stays is. A field, because a touch must not make objects. */
  #at: Address = NULL;

  /** NULL for a word that stays, whose place is in `#at`; else the entry of its page. */
  #swappable(address: Address | VirtualAddress): Address {
    if (!isVirtual(address)) {
      this.#at = address;
      return NULL;
    }
    const page = pageOfAddress(address);
    const frame = this.#translations.frame(page);
    if (frame !== NULL) {
      this.#at = inFrame(frame, address);
      return NULL;
    }
    const entry = this.#translations.entry(page);
    if (entry === NULL) throw this.#fault(page, address);
    this.mayWait("a touch of a swappable area");
    return entry;
  }

  #pin(address: number, entry: Address, flags: number): Address {
    return inFrame(this.#swap.pin(pageOfAddress(address as VirtualAddress), entry, flags), address);
  }

  #fault(page: number, address: number): PageFaultError {
    let where = "in no area that can be told now";
    try {
      where = this.#space.withLock(() => this.#space.describe(page), 100);
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error;
    }
    return new PageFaultError(address, where);
  }

  /** Go through the pages of a range of bytes: `copy` gets the word of the arena, bytes to skip in it, bytes done before, and bytes to do. */
  #eachPage(
    address: Address | VirtualAddress,
    offset: number,
    bytes: number,
    flags: number,
    copy: (word: Address, skip: number, done: number, count: number) => void,
  ): void {
    if (!Number.isInteger(offset) || offset < 0) throw new InvalidSizeError("the offset", offset, "a whole number of bytes, not negative");
    const first = address * WORD_BYTES + offset;
    this.#mayTouch(address, first, bytes);
    for (let done = 0; done < bytes; ) {
      const byte = first + done;
      const count = Math.min(bytes - done, PAGE_BYTES - (byte % PAGE_BYTES));
      const word = Math.floor(byte / WORD_BYTES) as VirtualAddress;
      const swappable = this.#swappable(word);
      if (swappable === NULL) copy(this.#at, byte % WORD_BYTES, done, count);
      else {
        const place = this.#pin(word, swappable, flags);
        try {
          copy(place, byte % WORD_BYTES, done, count);
        } finally {
          this.#swap.unpin();
        }
      }
      done += count;
    }
  }

  /** Nothing is copied when any page of the range is not mapped. */
  #mayTouch(address: number, first: number, bytes: number): void {
    if (!isVirtual(address) || bytes === 0) return;
    for (let page = Math.floor(first / PAGE_BYTES); page <= Math.floor((first + bytes - 1) / PAGE_BYTES); page++) {
      const word = Math.max(page * PAGE_WORDS, Math.floor(first / WORD_BYTES));
      if (word >= VIRTUAL_BASE + VIRTUAL_PAGES * PAGE_WORDS) throw new PageFaultError(word, "behind the virtual space");
      this.#swappable(word as VirtualAddress);
    }
  }

  #copyOut(word: Address, skip: number, target: Uint8Array): void {
    if (skip === 0) {
      this.#memory.readBytes(word, target);
      return;
    }
    const whole = this.#scratch.subarray(0, skip + target.length);
    this.#memory.readBytes(word, whole);
    target.set(whole.subarray(skip));
  }

  #copyIn(word: Address, skip: number, source: Uint8Array): void {
    if (skip === 0) {
      this.#memory.writeBytes(word, source);
      return;
    }
    const head = this.#scratch.subarray(0, WORD_BYTES);
    const count = Math.min(WORD_BYTES - skip, source.length);
    this.#memory.readBytes(word, head);
    head.set(source.subarray(0, count), skip);
    this.#memory.writeBytes(word, head);
    if (count < source.length) this.#memory.writeBytes(field(word, 1), source.subarray(count));
  }
}
