/**
 * Slabs that a slot holds for itself, and whose objects others may free all the same (the frozen slabs of Linux's mm/slub.c; the remote frees of
 * Leijen, Zorn and de Moura, "Mimalloc: Free List Sharding in Action", APLAS 2019).
 *
 *   slab   | ... HOLDER | out bits | tracked bits | remote bits | side words | objects |
 *
 * An object of such a slab is in one of these places, and its side word says which:
 *                          out   side word
 *   in its slab             0     anything: the arena lock gives it
 *   in its holder's list    1     the next of the list, as ~address - 1: at most -2
 *   freed by another        1     FREED; its remote bit says so to whoever holds the slab next
 *   live, or in limbo       1     see slab.ts
 *
 * A remote free is one compareExchange of the side word, from LIVE to FREED: that commits it, and of two who free one object one is refused. Then the
 * object's remote bit is set, which only tells where to look. mimalloc and SLUB push the object onto a list instead; but whether a push by a thread that died
 * in it took place cannot be told when the holder may have taken, used and freed the object since. A bit can be set again by the reaper, and does no
 * harm: whoever finds it looks at the side word. For the same reason there is no ABA.
 *
 * Each word of remote bits has a flag FULL, set in slabs that nobody holds and that have no object to give: nobody would look there, so
 * whoever sets a bit and finds the flag enters the slab into the partial list, under the arena lock. The flag is set first and the bits are looked
 * at again after it, so a free in between is seen by one side or the other.
 *
 * Law table
 *   word                      class
 *   HOLDER                    locked by the arena lock: 0 for none, slot + 1, or SETTLING
 *   remote bits               atomic
 *   side word of an object that is in the holder's list   private to the holder
 *   FREE, out bits, tracked bits, other side words         see slab.ts, slab-places.ts
 *
 * Guarantees: an object that another thread freed is found by the slab's holder, or its next one; a slab with a free object that nobody holds is in the partial
 * list.
 *
 * Where the thread may die, and what is left:
 *   settle    HOLDER is SETTLING: the next owner of the arena lock takes the slab for one that nobody holds, and settles it
 *   collect   between an object's side word and its bit: the bit names an object that is not FREED, and nobody heeds it
 */

import { type Address, field, PAGE_SHIFT } from "./address.js";
import { REMOTE_BITS, SlabWord } from "./geometry.js";
import type { Layout } from "./layout.js";
import type { Memory } from "./memory.js";
import type { Pages } from "./pages.js";
import { type SlabHooks, Slabs } from "./slab.js";
import { NOT_LIVE } from "./slab-places.js";
import { cacheWordsOf } from "./slot.js";

/** Side word of an object that another thread than its slab's holder has freed. */
export const FREED = -0x80000000;
/** Side word of an object in a holder's list, by the next one of it. */
export const linkTo = (next: Address): number => -2 - next;
/** The next one of the list. */
export const nextOf = (link: number): Address => (-2 - link) as Address;
const isLink = (side: number): boolean => side <= -2 && side !== FREED;

/** A slab that nobody holds and that has no object to give. */
const FULL = -0x80000000;
/** HOLDER while the arena lock's holder looks after a slab. */
const SETTLING = -1;

/** The slabs of one cache. Methods need the arena lock unless they say otherwise. */
export class SlubSlabs extends Slabs {
  readonly #layout: Layout;
  readonly #remoteWords: number;

  constructor(memory: Memory, layout: Layout, pages: Pages, descriptor: Address, index: number, hooks: SlabHooks) {
    super(memory, pages, descriptor, index, hooks);
    this.#layout = layout;
    this.#remoteWords = Math.ceil(this.capacity / REMOTE_BITS);
  }

  #remoteWord(slab: Address, word: number): Address {
    return field(slab, SlabWord.BITMAPS + 2 * this.bitmapWords + word);
  }

  #holderOf(slab: Address): number {
    return this.memory.read(field(slab, SlabWord.HOLDER));
  }

  #setHolder(slab: Address, holder: number): void {
    this.memory.write(field(slab, SlabWord.HOLDER), holder);
  }

  /** Whether a slot holds the slab. */
  isHeldBy(slab: Address, slot: number): boolean {
    return this.#holderOf(slab) === slot + 1;
  }

  protected override isListed(slab: Address): boolean {
    return this.#holderOf(slab) === 0;
  }

  protected override format(slab: Address): void {
    super.format(slab);
    this.#setHolder(slab, 0);
    for (let word = 0; word < this.#remoteWords; word++) this.memory.store(this.#remoteWord(slab, word), 0);
  }

  // The other way round: until it is in its slab, its side word tells whoever died here from those in a sheaf. And its slab's holder may look at that,
  // where a bit was set once more by a reaper.
  protected override enter(side: Address, word: Address, out: number): void {
    this.memory.write(word, out); // commit
    this.memory.store(side, NOT_LIVE);
  }

  override putBack(object: Address): void {
    const slab = this.slabOf(object);
    if (this.#holderOf(slab) !== 0 || this.countedFree(slab) > 0) {
      super.putBack(object);
      return;
    }
    // It is full no more.
    this.#setHolder(slab, SETTLING);
    super.putBack(object);
    this.letGo(slab);
  }

  // Remote frees: no lock --------------------------------------------------------------------------

  /** Whether an object was freed by another thread and not collected yet. */
  isFreed(object: Address): boolean {
    return !(this.isTracked && this.isTrackedLive(object)) && this.memory.load(this.sideOf(object)) === FREED;
  }

  /** Say that an object is FREED. Gives whether nobody will look: then `settle` is due. May be repeated, whatever became of the object. */
  announce(object: Address): boolean {
    const index = this.indexOf(object);
    const word = this.#remoteWord(this.slabOf(object), Math.floor(index / REMOTE_BITS));
    return (this.memory.or(word, 1 << (index % REMOTE_BITS)) & FULL) !== 0;
  }

  /** Give every object that is announced and FREED to `take`, which changes its side word. For the slab's holder, or with the lock where there is none. */
  collect(slab: Address, take: (object: Address) => void): void {
    for (let word = 0; word < this.#remoteWords; word++) {
      const bits = this.memory.load(this.#remoteWord(slab, word)) & ~FULL;
      let taken = 0;
      for (let left = bits; left !== 0; left &= left - 1) {
        const bit = 31 - Math.clz32(left & -left);
        const object = this.objectAt(slab, word * REMOTE_BITS + bit);
        // It may have been announced twice; its bit stays then, for the next time that it is freed.
        if (!this.isFreed(object)) continue;
        take(object);
        taken |= 1 << bit;
      }
      if (taken !== 0) this.memory.and(this.#remoteWord(slab, word), ~taken);
    }
  }

  // Holding ------------------------------------------------------------------------------------------

  /** Hold the first partial slab (a new one if need be) for a slot: NULL when there are no pages. `note` says so in the slot, before it is done. */
  hold(slot: number, note: (slab: Address) => void): Address {
    const found = this.findFree();
    if (found === undefined) return 0 as Address;
    note(found.slab);
    this.unlist(found.slab);
    this.#setHolder(found.slab, slot + 1); // commit
    return found.slab;
  }

  /** Take all objects that are in a held slab out of it, as a list for its holder. Gives the first. */
  takeAll(slab: Address): Address {
    const { memory } = this;
    let first = 0 as Address;
    // Of the reserve just what is asked for: the rest would be left to whoever asks next.
    const isOne = this.overdrawn;
    for (let i = this.bitmapWords - 1; i >= 0 && !(isOne && first !== 0); i--) {
      const word = field(slab, SlabWord.BITMAPS + i);
      const free = ~memory.read(word) & this.validBits(i);
      const mask = isOne ? free & -free : free;
      let count = 0;
      // The highest goes in first: objects taken one after the other then lie side by side.
      for (let left = mask; left !== 0; count++) {
        const bit = 31 - Math.clz32(left);
        left &= ~(1 << bit);
        const object = this.objectAt(slab, i * 32 + bit);
        memory.write(this.sideOf(object), linkTo(first));
        first = object;
      }
      if (count > 0) this.take(slab, word, mask, count);
    }
    return first;
  }

  /** Let go of a slab whose holder has no object of it in a list any more. It may be given back to the pages. */
  letGo(slab: Address): void {
    this.#level(slab);
    this.#setHolder(slab, 0);
    this.list(slab);
  }

  /** Put the objects of a dead holder's list back. */
  putBackList(slab: Address): void {
    for (const object of this.all(slab >>> PAGE_SHIFT)) if (this.#isInList(object)) this.putBack(object);
  }

  #isInList(object: Address): boolean {
    return this.isOut(object) && !(this.isTracked && this.isTrackedLive(object)) && isLink(this.memory.load(this.sideOf(object)));
  }

  /** See to a slab that nobody holds: collect what others freed, and enter it where it belongs. */
  settle(slab: Address): void {
    if (this.#holderOf(slab) !== 0) return;
    this.unlist(slab);
    this.#setHolder(slab, SETTLING);
    this.letGo(slab);
  }

  /** Collect, and say to those who free next whether anybody will look. */
  #level(slab: Address): void {
    const putBack = (object: Address): void => {
      if (this.isOut(object)) this.putBack(object);
      else this.memory.store(this.sideOf(object), NOT_LIVE); // somebody died in putting it back
    };
    this.collect(slab, putBack);
    if (this.countedFree(slab) === 0) {
      for (let word = 0; word < this.#remoteWords; word++) this.memory.or(this.#remoteWord(slab, word), FULL);
      this.collect(slab, putBack); // what was freed by those who did not see the flag
    }
    if (this.countedFree(slab) > 0) this.#clearFull(slab);
  }

  #clearFull(slab: Address): void {
    for (let word = 0; word < this.#remoteWords; word++) {
      const remote = this.#remoteWord(slab, word);
      if ((this.memory.load(remote) & FULL) !== 0) this.memory.and(remote, ~FULL);
    }
  }

  override shrink(): void {
    for (const page of [...this.partialPages()]) this.settle((page << PAGE_SHIFT) as Address);
    super.shrink();
  }

  // Recovery and checks --------------------------------------------------------------------------

  /** Rebuild what is derived from one slab's bitmaps. A dead holder's is left to `putBackList`. */
  override recoverSlab(page: number): void {
    const slab = (page << PAGE_SHIFT) as Address;
    const holder = this.#holderOf(slab);
    if (holder !== 0 && !this.#isNoted(slab, holder)) this.#setHolder(slab, 0);
    if (this.isListed(slab)) {
      this.#setHolder(slab, SETTLING);
      this.countAnew(slab);
      this.#level(slab);
      this.#setHolder(slab, 0);
    }
    super.recoverSlab(page);
  }

  #isNoted(slab: Address, holder: number): boolean {
    return holder > 0 && this.memory.read(cacheWordsOf(this.#layout, holder - 1, this.index)) === slab;
  }

  /** Objects that are out of a slab and not live, and that no remote bit tells of. While nobody else takes or gives any. */
  override *outNotLive(page: number): Generator<Address> {
    for (const object of super.outNotLive(page)) if (!this.#isTold(object)) yield object;
  }

  #isTold(object: Address): boolean {
    if (!this.isFreed(object)) return false;
    const index = this.indexOf(object);
    const remote = this.memory.load(this.#remoteWord(this.slabOf(object), Math.floor(index / REMOTE_BITS)));
    return (remote & FULL) === 0 && ((remote >>> (index % REMOTE_BITS)) & 1) === 1;
  }

  override checkSlab(page: number): string[] {
    const slab = (page << PAGE_SHIFT) as Address;
    const violations = super.checkSlab(page);
    const holder = this.#holderOf(slab);
    if (holder !== 0 && !this.#isNoted(slab, holder)) violations.push(`slab ${page}: is held by slot ${holder - 1}, which does not say so`);
    const isFull = holder === 0 && this.countFree(page) === 0;
    for (let word = 0; word < this.#remoteWords; word++) {
      if (((this.memory.load(this.#remoteWord(slab, word)) & FULL) !== 0) !== isFull)
        violations.push(`slab ${page}: ${isFull ? "is full and held by nobody" : "has free objects, or is held"}, its remote word ${word} says otherwise`);
    }
    return violations;
  }
}
