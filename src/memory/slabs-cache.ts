/**
 * What the caches of slab and slub have in common: objects that are cut from slabs, and the shape of these for the common path of taking and freeing.
 *
 * Law table: this file owns no word.
 */

import type { Address } from "./address.js";
import type { Slabs } from "./slab.js";

/** Objects of one size, from slabs. */
export abstract class SlabsCache<S extends Slabs> {
  readonly slabs: S;
  readonly index: number;
  readonly objectWords: number;
  readonly isTracked: boolean;
  // For the common path, of caches whose objects are not tracked, coloured or watched: what `sideOf` and `checkAddress` of slab-places.ts go by.
  protected readonly isPlain: boolean;
  protected readonly offsetMask: number;
  protected readonly firstObject: number;
  protected readonly side: number;
  protected readonly stride: number;
  protected readonly slabCapacity: number;
  protected readonly reciprocal: number;
  protected readonly shift: number;

  constructor(slabs: S) {
    this.slabs = slabs;
    this.index = slabs.index;
    this.objectWords = slabs.objectWords;
    this.isTracked = slabs.isTracked;
    this.isPlain = !slabs.isTracked && slabs.colours === 1 && !slabs.isWatched;
    this.offsetMask = slabs.offsetMask;
    this.firstObject = slabs.objects;
    this.side = slabs.side;
    this.stride = slabs.stride;
    this.slabCapacity = slabs.capacity;
    this.reciprocal = slabs.reciprocal;
    this.shift = slabs.shift;
  }

  checkAddress(object: Address): void {
    this.slabs.checkAddress(object);
  }

  cacheIndexOf(): number {
    return this.index;
  }

  sideOf(object: Address): Address {
    return this.slabs.sideOf(object);
  }

  isLive(object: Address): boolean {
    return this.slabs.isLive(object);
  }

  retire(object: Address, side: number): boolean {
    return this.slabs.retire(object, side);
  }

  putBack(object: Address): void {
    this.slabs.putBack(object);
  }

  isPutBack(object: Address): boolean {
    return !this.slabs.isOut(object);
  }

  recoverBlock(page: number): void {
    this.slabs.recoverSlab(page);
  }

  objects(page: number): Iterable<Address> {
    return this.slabs.all(page);
  }

  live(page: number): Iterable<Address> {
    return this.slabs.live(page);
  }
}
