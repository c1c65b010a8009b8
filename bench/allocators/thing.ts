/** @thi.ng/malloc (Karsten Schmidt): first fit over one ArrayBuffer, for one thread. Its blocks in use are a list that each `free` searches. */

import type { MemPool } from "@thi.ng/malloc";
import type { Allocator } from "./patterns.js";
import type { Player } from "./replay.js";
import { bytesOf } from "./trace.js";

/** Bytes of a block's header. */
const HEADER = 8;

export class Thing implements Allocator, Player {
  readonly #pool: MemPool;

  private constructor(pool: MemPool) {
    this.#pool = pool;
  }

  /** A pool of so many bytes; undefined where the package is not installed. */
  static async open(bytes: number): Promise<Thing | undefined> {
    try {
      const { MemPool } = await import("@thi.ng/malloc");
      return new Thing(new MemPool({ size: bytes }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
      throw error;
    }
  }

  alloc(bytes: number): number {
    return this.#pool.malloc(bytes);
  }
  free(address: number): void {
    this.#pool.free(address);
  }
  take(event: number): number {
    return this.#pool.malloc(bytesOf(event));
  }
  give(address: number): void {
    this.#pool.free(address);
  }
  usable(_address: number, event: number): number {
    return Math.ceil((bytesOf(event) + HEADER) / 8) * 8 - HEADER;
  }
  handedOut(): number {
    return (this.#pool as unknown as { readonly top: number }).top;
  }
}
