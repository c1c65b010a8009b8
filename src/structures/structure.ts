/** What a structure is given by whoever opens it by name. */

import type { Address } from "../memory/address.js";
import type { Domain } from "../rcu/domain.js";

/** A structure's place in the arena. */
export interface Place {
  readonly domain: Domain;
  /** Its header: zeroed bytes, at the start of a cache line. */
  readonly header: Address;
  /** Its own slab cache; NO_CACHE when it has none. */
  readonly cache: number;
  /** Marks the blocks it takes from kmalloc, so that what a dead writer left can be found. */
  readonly tag: number;
  /** Marks its tables, which are found apart from its other blocks. */
  readonly tableTag: number;
  /** Shown in messages. */
  readonly name: string;
}

export const NO_CACHE = -1;

/** Bytes of a structure's header: four cache lines of 64 bytes. */
export const HEADER_BYTES = 256;
