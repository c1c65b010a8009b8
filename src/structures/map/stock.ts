/**
 * Memory for a map's blocks. Blocks are made in sections, where nobody can wait for what was retired to come back; so a block that cannot be had there is
 * fetched outside, and the update, or the moving of a bucket, that needed it begins anew.
 *
 * Law table: this file owns no word. A block is private to its thread until it is published (memory/publication.ts).
 */

import { type Address, NULL } from "../../memory/address.js";
import { type Heap, KMALLOC_BYTES } from "../../memory/heap.js";
import type { Publication } from "../../memory/publication.js";
import type { Domain } from "../../rcu/domain.js";

/** The sizes that are tried where those below are used up, in bytes. */
const LARGER: readonly number[] = KMALLOC_BYTES.filter((bytes) => bytes <= 1024);

/** One thread's memory for one map. */
export class Stock {
  readonly #heap: Heap;
  readonly #domain: Domain;
  readonly #publication: Publication;
  #spare: Address = NULL;
  #spareBytes = 0;
  /** Bytes that could not be had. */
  needed = 0;
  /** What is under way gives back more than it takes, and must go on in a full arena: it takes larger blocks too, whatever sizes are left, and of the reserve. */
  givesBack = false;

  constructor(heap: Heap, domain: Domain, publication: Publication) {
    this.#heap = heap;
    this.#domain = domain;
    this.#publication = publication;
  }

  /**
   * A block to be published, or freed.
   * @returns NULL, and `needed` says how many bytes, when there is none: leave the section, `fetch`, and try again
   */
  take(bytes: number): Address {
    if (this.#spareBytes >= bytes) {
      const block = this.#spare;
      this.#spareBytes = 0;
      return block;
    }
    const block = this.#get(bytes);
    if (block === NULL) this.needed = bytes;
    return block;
  }

  #get(bytes: number): Address {
    let block = this.#publication.take(bytes);
    if (block !== NULL || !this.givesBack) return block;
    for (const size of LARGER) if (size > bytes && block === NULL) block = this.#publication.take(size);
    return block;
  }

  /**
   * Outside a section: get what could not be had, for the next `take`.
   * @throws OutOfMemoryError
   */
  fetch(): void {
    this.drop();
    const bytes = this.needed;
    const get = (): Address => this.#domain.allocate(bytes, () => this.#get(bytes));
    this.#spare = this.givesBack ? this.#heap.withReserve(get) : get();
    this.#spareBytes = bytes;
  }

  /** Give back what was fetched and not taken. */
  drop(): void {
    if (this.#spareBytes === 0) return;
    this.#spareBytes = 0;
    this.#heap.kfree(this.#spare);
  }
}
