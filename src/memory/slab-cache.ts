/**
 * The slab allocator as one thread sees it: two magazines of the slot, a depot that all share, and behind it the slabs
 * (Bonwick and Adams, "Magazines and Vmem", USENIX 2001).
 *
 *   alloc  <- loaded  <-> previous  <- a sheaf of the depot   (or a refill) <- slabs
 *   free   -> loaded  <-> previous  -> the depot              (or a flush)  -> slabs
 *             no lock                   under the arena lock
 *
 * Magazines are sheaves. One that went through limbo goes into the depot whole: its objects cost nothing more to reclaim.
 * Two magazines a slot, so that a thread that takes and gives in turn at the edge of one does not go to the depot each time.
 *
 * Law table
 *   word                         class
 *   DEPOT, DEPOT_SHEAVES         locked by the arena lock
 *   sheaves, side words          see sheaf.ts, slab.ts
 * Which sheaves are a slot's magazines only its thread knows; after it, their OWNER says that they are the slot's.
 *
 * Where the thread may die, and what is left (the reaper empties all sheaves of a dead slot into the slabs, reap.ts):
 *   alloc    before its entry is emptied: the object is in the sheaf or just behind its last; its user never had it
 *   free     before COUNT: the object is just behind the last entry; its user has given it up
 *   refill   between out bits and COUNT: likewise
 *   without a sheaf (the arena is full): INTENT names the object until the user has it, or the slab
 */

import { type Address, field, NULL } from "./address.js";
import type { ArenaLock, Cache, CacheInfo } from "./cache.js";
import { DoubleFreeError } from "./errors.js";
import { cacheName, Descriptor } from "./geometry.js";
import type { Memory } from "./memory.js";
import { countWord, inDepotOf, lastEntry, ownedBySlot, SHEAF_CAPACITY, type Sheaves } from "./sheaf.js";
import { popCount, type Slabs } from "./slab.js";
import { LIVE, NOT_LIVE } from "./slab-places.js";
import { SlabsCache } from "./slabs-cache.js";
import { type Slot, SlotWord } from "./slot.js";

/** Words that a full magazine's objects have at most: few large objects are kept for speed, many small ones. */
const MAGAZINE_WORDS = 4096;
/** Words that a depot's objects have at most. */
const DEPOT_WORDS = 32768;

/** Objects of one size, from slabs. */
export class SlabCache extends SlabsCache<Slabs> implements Cache {
  /** Objects that a magazine holds at most. */
  readonly capacity: number;
  readonly #memory: Memory;
  readonly #arena: ArenaLock;
  readonly #slot: Slot;
  readonly #sheaves: Sheaves;
  readonly #mostSheaves: number;
  #loaded: Address = NULL;
  #previous: Address = NULL;

  constructor(memory: Memory, arena: ArenaLock, slot: Slot, slabs: Slabs, sheaves: Sheaves) {
    super(slabs);
    this.capacity = Math.max(2, Math.min(SHEAF_CAPACITY, Math.floor(MAGAZINE_WORDS / slabs.stride)));
    this.#mostSheaves = Math.max(1, Math.floor(DEPOT_WORDS / (slabs.stride * this.capacity)));
    this.#memory = memory;
    this.#arena = arena;
    this.#slot = slot;
    this.#sheaves = sheaves;
  }

  // The common path of these two calls nothing but reads and writes, and asks no other object, so that the optimizer has all of it in their callers
  // and it costs a few ns. What they work out is what `sideOf` and `checkedSideOf` of slab.ts do.

  alloc(tag = 0): Address {
    const memory = this.#memory;
    const loaded = this.#loaded;
    const count = loaded === NULL ? 0 : memory.read((loaded + 1) as Address);
    if (count === 0) return this.#loadAndAlloc(tag);
    const entry = (loaded + 1 + count) as Address;
    const object = memory.read(entry) as Address;
    if (this.isPlain) {
      const index = Math.imul((object & this.offsetMask) - this.firstObject, this.reciprocal) >>> this.shift;
      memory.write(((object & ~this.offsetMask) + this.side + index) as Address, LIVE);
    } else this.slabs.setLive(object, tag);
    memory.write((loaded + 1) as Address, count - 1);
    memory.write(entry, 0);
    return object;
  }

  free(object: Address): void {
    const loaded = this.#loaded;
    if (loaded === NULL || !this.isPlain) {
      this.#freeSlowly(object);
      return;
    }
    const memory = this.#memory;
    const offset = (object & this.offsetMask) - this.firstObject;
    const index = Math.imul(offset, this.reciprocal) >>> this.shift;
    const side = ((object & ~this.offsetMask) + this.side + index) as Address;
    const count = memory.read((loaded + 1) as Address);
    if (count >= this.capacity || index >= this.slabCapacity || index * this.stride !== offset || memory.read(side) !== LIVE) {
      this.#freeSlowly(object);
      return;
    }
    memory.write((loaded + 2 + count) as Address, object);
    memory.write(side, NOT_LIVE);
    memory.write((loaded + 1) as Address, count + 1);
  }

  #freeSlowly(object: Address): void {
    this.#slot.mustBeAttached();
    this.checkAddress(object);
    if (!this.slabs.isLive(object)) refuse(object);
    const isFull = this.#loaded === NULL || this.#sheaves.count(this.#loaded) >= this.capacity;
    if (isFull && !this.#unload()) {
      this.#freeAlone(object);
      return;
    }
    const memory = this.#memory;
    const count = this.#sheaves.count(this.#loaded);
    const entry = lastEntry(this.#loaded, count + 1);
    memory.write(entry, object);
    if (!this.isTracked) memory.write(this.slabs.sideOf(object), NOT_LIVE);
    else if (!this.slabs.retire(object, NOT_LIVE)) {
      memory.write(entry, 0); // another thread was faster: the object is not this sheaf's
      refuse(object);
    }
    memory.write(countWord(this.#loaded), count + 1);
  }

  #loadAndAlloc(tag: number): Address {
    return this.#load() ? this.alloc(tag) : this.#allocAlone(tag);
  }

  // Magazines ----------------------------------------------------------------------------------------

  #setMagazines(loaded: Address, previous: Address): void {
    this.#loaded = loaded;
    this.#previous = previous;
  }

  /** See to it that the loaded magazine has an object. Gives whether it has. */
  #load(): boolean {
    this.#slot.mustBeAttached();
    const previous = this.#previous;
    if (previous !== NULL && this.#sheaves.count(previous) > 0) this.#setMagazines(previous, this.#loaded);
    else
      this.#arena.withArenaLock(() => {
        const full = this.#fromDepot();
        if (full !== NULL) {
          if (previous !== NULL) this.#sheaves.give(previous); // it is empty
          this.#setMagazines(full, this.#loaded);
          return;
        }
        if (!this.#hasFree()) return;
        if (this.#loaded === NULL) this.#setMagazines(this.#takeSheaf(), this.#previous);
        if (this.#loaded !== NULL) this.#refill(this.#loaded);
      });
    return this.#loaded !== NULL && this.#sheaves.count(this.#loaded) > 0;
  }

  /** See to it that the loaded magazine has room. Gives whether it has. */
  #unload(): boolean {
    this.#slot.mustBeAttached();
    const previous = this.#previous;
    if (previous !== NULL && this.#sheaves.count(previous) < this.capacity) this.#setMagazines(previous, this.#loaded);
    else
      this.#arena.withArenaLock(() => {
        const empty = this.#takeSheaf();
        if (empty !== NULL) {
          this.#setMagazines(empty, this.#loaded);
          if (previous !== NULL) this.adopt(previous);
        } else if (this.#loaded !== NULL) this.#sheaves.flush(this.#loaded, this.capacity >>> 1, (object) => this.putBack(object));
      });
    return this.#loaded !== NULL && this.#sheaves.count(this.#loaded) < this.capacity;
  }

  #takeSheaf(): Address {
    return this.#sheaves.take(ownedBySlot(this.#slot.index));
  }

  #fromDepot(): Address {
    const full = this.#sheaves.pop(field(this.slabs.descriptor, Descriptor.DEPOT));
    if (full === NULL) return NULL;
    this.#countDepot(-1);
    this.#sheaves.setOwner(full, ownedBySlot(this.#slot.index)); // commit
    return full;
  }

  #countDepot(by: number): void {
    const word = field(this.slabs.descriptor, Descriptor.DEPOT_SHEAVES);
    this.#memory.write(word, this.#memory.read(word) + by);
  }

  adopt(sheaf: Address): void {
    const hasRoom = this.#memory.read(field(this.slabs.descriptor, Descriptor.DEPOT_SHEAVES)) < this.#mostSheaves;
    if (hasRoom && !this.slabs.isShort) {
      this.#sheaves.setOwner(sheaf, inDepotOf(this.index)); // commit
      this.#sheaves.push(field(this.slabs.descriptor, Descriptor.DEPOT), sheaf);
      this.#countDepot(1);
    } else this.#empty(sheaf);
  }

  #empty(sheaf: Address): void {
    this.#sheaves.dissolve(sheaf, (object) => this.putBack(object));
  }

  #refill(sheaf: Address): void {
    const memory = this.#memory;
    const { slabs } = this;
    // Of the reserve just what is asked for: the rest would be left to whoever asks next.
    const target = slabs.overdrawn ? 1 : this.capacity >>> 1;
    const room = slabs.overdrawn ? 1 : this.capacity;
    for (let count = memory.read(countWord(sheaf)); count < target; ) {
      const found = slabs.findFree();
      if (found === undefined) return;
      // Half a bitmap word at most: two threads that refill from one slab then have their objects' side words on lines of their own.
      let mask = (found.free & 0xffff) === 0 ? found.free : found.free & 0xffff;
      while (popCount(mask) > room - count) mask &= ~(1 << (31 - Math.clz32(mask)));
      // The highest goes in first: objects taken one after the other then lie side by side.
      let end = count;
      for (let left = mask; left !== 0; ) {
        const bit = 31 - Math.clz32(left);
        left &= ~(1 << bit);
        memory.write(lastEntry(sheaf, ++end), slabs.objectAt(found.slab, found.firstIndex + bit));
      }
      slabs.take(found.slab, found.word, mask, end - count);
      memory.write(countWord(sheaf), end);
      count = end;
    }
  }

  /** Whether a slab has a free object, if need be after everything is given back that is kept for speed: this thread's magazines too. */
  #hasFree(): boolean {
    if (this.slabs.findFree() !== undefined) return true;
    this.#arena.shrink();
    return this.slabs.findFree() !== undefined;
  }

  // Without a magazine: there is no page for one ------------------------------------------------------

  #allocAlone(tag: number): Address {
    const memory = this.#memory;
    const intent = field(this.#slot.address, SlotWord.INTENT);
    const object = this.#arena.withArenaLock(() => {
      const found = this.#hasFree() ? this.slabs.findFree() : undefined;
      if (found === undefined) return NULL;
      const bit = 31 - Math.clz32(found.free);
      const taken = this.slabs.objectAt(found.slab, found.firstIndex + bit);
      memory.write(intent, -taken);
      this.slabs.take(found.slab, found.word, 1 << bit, 1);
      return taken;
    });
    if (object === NULL) return NULL;
    this.slabs.setLive(object, tag);
    memory.write(intent, 0);
    return object;
  }

  #freeAlone(object: Address): void {
    const intent = field(this.#slot.address, SlotWord.INTENT);
    this.#arena.withArenaLock(() => {
      this.#memory.write(intent, -object);
      const mine = this.slabs.retire(object, NOT_LIVE);
      if (mine) this.slabs.putBack(object);
      this.#memory.write(intent, 0); // with the lock still: what INTENT names is nobody's
      if (!mine) throw new DoubleFreeError(object, "free");
    });
  }

  // With the arena lock -------------------------------------------------------------------------------

  forget(): void {
    this.#loaded = NULL;
    this.#previous = NULL;
  }

  drain(): void {
    // What a slot has is in its sheaves, which the reaper empties.
  }

  shrink(): void {
    const own = [this.#loaded, this.#previous];
    this.forget();
    for (const sheaf of own) if (sheaf !== NULL) this.#empty(sheaf);
    // As this slot's, and not as the depot's: of a thread that dies in emptying it the reaper then goes on, and does not list it in the depot again.
    for (let sheaf = this.#fromDepot(); sheaf !== NULL; sheaf = this.#fromDepot()) this.#empty(sheaf);
    this.slabs.shrink();
  }

  recoverCounts(): void {
    this.slabs.recoverCounts();
    const { descriptor } = this.slabs;
    this.#memory.write(field(descriptor, Descriptor.DEPOT), 0);
    this.#memory.write(field(descriptor, Descriptor.DEPOT_SHEAVES), 0);
    for (const sheaf of this.#sheaves.all()) {
      if (this.#sheaves.owner(sheaf) !== inDepotOf(this.index)) continue;
      this.#sheaves.push(field(descriptor, Descriptor.DEPOT), sheaf);
      this.#countDepot(1);
    }
  }

  outNotLive(page: number): Iterable<Address> {
    return this.slabs.outNotLive(page);
  }

  check(pages: readonly number[]): string[] {
    const violations = pages.flatMap((page) => this.slabs.checkSlab(page));
    violations.push(...this.slabs.checkCache(pages));
    const depot = [...this.#sheaves.list(field(this.slabs.descriptor, Descriptor.DEPOT))];
    let inDepot = 0;
    for (const sheaf of this.#sheaves.all()) if (this.#sheaves.owner(sheaf) === inDepotOf(this.index)) inDepot++;
    const counted = this.#memory.read(field(this.slabs.descriptor, Descriptor.DEPOT_SHEAVES));
    if (depot.length !== counted || inDepot !== counted) {
      const name = cacheName(this.#memory, this.slabs.descriptor);
      violations.push(`cache ${name}: ${inDepot} sheaves are its depot's, ${depot.length} in its list, it counts ${counted}`);
    }
    return violations;
  }

  info(): CacheInfo {
    let inDepot = 0;
    for (const sheaf of this.#sheaves.list(field(this.slabs.descriptor, Descriptor.DEPOT))) inDepot += this.#sheaves.count(sheaf);
    return { ...this.slabs.info(), inDepot };
  }
}

function refuse(object: Address): never {
  throw new DoubleFreeError(object, "free");
}
