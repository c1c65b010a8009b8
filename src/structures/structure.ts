/** What a structure is given by whoever opens it by name. */

import type { Address } from "../memory/address.js";
import type { Domain } from "../rcu/domain.js";

/** A structure's place in the arena. */
export interface Place {
  readonly domain: Domain;
  /** Its header: `HEADER_BYTES` zeroed bytes, at the start of a cache line. */
  readonly header: Address;
  /** Its own slab cache. */
  readonly cache: number;
  /** Marks the blocks it takes from kmalloc, so that what a dead writer left can be found. */
  readonly tag: number;
  /** Shown in messages. */
  readonly name: string;
}

/** Bytes of a structure's header: four cache lines of 64 bytes. */
export const HEADER_BYTES = 256;
