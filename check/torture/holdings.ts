/**
 * What a thread of a torture of the allocators does: it takes blocks of every kind, writes its numbers into them, looks whether they still stand there, and gives
 * them back in every way, also those that another thread took.
 *
 *   own       found after its death by its tag, or (`unpublished`) freed by the reaper
 *   exchanged taken without a tag, or published, then put into a cell by compare-and-swap; whoever takes it out frees it (a remote free)
 *   untagged  held by threads only that are not killed
 */

import { type Address, NULL, type Order, PAGE_BYTES } from "../../src/memory/address.js";
import { isVirtual, type VirtualAddress } from "../../src/memory/vmalloc/virtual.js";
import type { Random } from "../support/seed.js";
import { type AllocatorJob, type Allocators, CELLS, isConstructed, NUMBERS_A_LIFE, PUBLIC_TAG, poolTagOf, tagOf } from "./allocator-job.js";
import type { LifeWords } from "./calls.js";
import { Contents } from "./contents.js";
import type { ErrorKind } from "./tally.js";

type How = "object" | "pages" | "named" | "area" | "pool";

interface Held {
  readonly block: Address | VirtualAddress;
  readonly bytes: number;
  readonly number: number;
  readonly how: How;
  /** Of a named cache, or of a pool. */
  readonly index: number;
}

/** Blocks and bytes that a thread holds at most. */
const MOST_HELD = 120;
const MOST_BYTES = 2 * 2 ** 20;
/** Order of the largest block that goes into a cell: of such a few may be out of use until the next drain. */
const MOST_EXCHANGED_ORDER = 4;

export class Holdings {
  readonly #a: Allocators;
  readonly #random: Random;
  readonly #life: LifeWords;
  readonly #job: AllocatorJob;
  readonly #cells: Int32Array;
  readonly #contents: Contents;
  readonly #fail: (kind: ErrorKind, what: string) => void;
  readonly #held: Held[] = [];
  readonly #tag: number;
  #bytes = 0;
  #numbers = 0;

  constructor(allocators: Allocators, job: AllocatorJob, life: LifeWords, random: Random, fail: (kind: ErrorKind, what: string) => void) {
    this.#a = allocators;
    this.#job = job;
    this.#life = life;
    this.#random = random;
    this.#fail = fail;
    this.#cells = new Int32Array(job.cells);
    this.#contents = new Contents(allocators.heap.memory, allocators.vm);
    this.#tag = tagOf(job.life);
  }

  /** Any one thing. */
  act(): void {
    const { heap, vm } = this.#a;
    const kind = this.#random.below(1000);
    if (kind < 400 && this.#held.length < MOST_HELD && this.#bytes < MOST_BYTES) this.#take();
    else if (kind < 800) this.#give();
    else if (kind < 980) this.#exchange();
    else if (kind < 988) this.#look();
    else if (kind < 992) this.#life.in("purge", () => vm.purge());
    else if (kind < 996) this.#life.in("trim", () => heap.trim());
    else if (kind < 998) this.#life.in("ownedBy", () => heap.ownedBy(this.#tag));
    else if (this.#random.below(10) === 0) this.#takeAll();
  }

  /** Give all back that this thread holds. */
  giveAll(): void {
    while (this.#held.length > 0) this.#give();
  }

  // Taking -------------------------------------------------------------------------------------------

  #nextNumber(): number {
    this.#numbers = (this.#numbers + 1) % NUMBERS_A_LIFE;
    return (this.#job.life * NUMBERS_A_LIFE + this.#numbers) | 0;
  }

  /** Of all sizes equally many by their logarithm. */
  #size(mostBits: number): number {
    const bits = this.#random.from(0, mostBits);
    return this.#random.below(2 ** bits + 1);
  }

  /** The tag of what is found again after this thread's death. */
  #someTag(): number {
    const kind = this.#random.below(this.#job.survives ? 3 : 2);
    if (kind === 0) return this.#tag;
    return kind === 1 ? this.#a.heap.unpublished : 0;
  }

  #hold(block: Address | VirtualAddress, how: How, bytes: number, index = 0): void {
    if (block === NULL) {
      this.#life.noneLeft();
      return;
    }
    const number = this.#nextNumber();
    this.#contents.write(block, bytes, number);
    this.#held.push({ block, how, bytes, number, index });
    this.#bytes += bytes;
  }

  #usable(block: Address | VirtualAddress): number {
    return block === NULL ? 0 : this.#a.vm.usableBytes(block);
  }

  #take(): void {
    const { heap, vm, pools, caches, named } = this.#a;
    const random = this.#random;
    const life = this.#life;
    const kind = random.below(100);
    if (kind < 50) {
      const bytes = this.#size(random.below(20) === 0 ? 18 : 13);
      const tag = this.#someTag();
      const block = life.in("kmalloc", () => heap.kmalloc(bytes, tag));
      this.#hold(block, "object", this.#usable(block));
    } else if (kind < 65) {
      const order = (random.below(4) === 0 ? random.below(7) : random.below(2)) as Order;
      const options = { tag: this.#someTag(), zero: random.below(4) === 0, atomic: random.below(4) === 0 };
      const block = life.in("allocPages", () => heap.allocPages(order, options));
      this.#hold(block, "pages", PAGE_BYTES << order);
    } else if (kind < 70) {
      const count = random.below(20);
      const options = { tag: this.#someTag(), atomic: random.below(4) === 0 };
      for (const page of life.in("allocPagesBulk", () => heap.allocPagesBulk(count, options)) ?? []) this.#hold(page, "pages", PAGE_BYTES);
    } else if (kind < 85) {
      const index = random.pick(named);
      const cache = heap.cache(index);
      const object = life.in("cache.alloc", () => cache.alloc(this.#tag));
      if (object !== NULL && index === caches.constructed && !isConstructed(heap, object))
        this.#fail("torn", `object ${object} came not as it was constructed`);
      this.#hold(object, "named", cache.objectWords * 4, index);
    } else if (kind < 90) {
      const index = random.below(pools.length);
      const element = life.in("mempool.alloc", () => pools[index]?.allocNow({ tag: poolTagOf(this.#job.life) }) ?? NULL);
      this.#hold(element, "pool", this.#usable(element), index);
    } else if (kind < 95) {
      const bytes = this.#size(16);
      const area = life.in("vmalloc", () => vm.vmalloc(bytes, { tag: this.#tag, zero: random.below(4) === 0 }));
      this.#hold(area as VirtualAddress, "area", this.#usable(area));
    } else {
      const bytes = this.#size(17);
      const block = life.in("kvmalloc", () => vm.kvmalloc(bytes, { tag: this.#tag }));
      this.#hold(block, "area", this.#usable(block));
    }
  }

  /** Take all pages there are, for a moment: the others, and mempools, must do without. */
  #takeAll(): void {
    const { heap } = this.#a;
    const pages: Address[] = [];
    for (let count = 512; count > 0; ) {
      const some = this.#life.in("allocPagesBulk", () => heap.allocPagesBulk(count, { tag: this.#tag }));
      if (some === undefined) count >>>= 1;
      else pages.push(...some);
    }
    this.#take();
    for (const page of pages) this.#life.in("freePages", () => heap.freePages(page));
  }

  // Looking, and giving back --------------------------------------------------------------------------

  #verify({ block, bytes, number }: Held): void {
    const wrong = this.#contents.wrong(block, bytes, number);
    this.#life.verified();
    if (wrong !== undefined) this.#fail("torn", wrong);
  }

  #look(): void {
    for (const held of this.#held) this.#verify(held);
  }

  #give(): void {
    if (this.#held.length === 0) return;
    const at = this.#random.below(this.#held.length);
    const held = this.#held[at] as Held;
    this.#held[at] = this.#held.at(-1) as Held;
    this.#held.pop();
    this.#bytes -= held.bytes;
    this.#verify(held);
    const { heap, vm, pools, shared } = this.#a;
    const { block, how, index } = held;
    const object = block as Address;
    if (how === "named") this.#a.leaveNamed(object, index);
    if (how !== "pool" && !isVirtual(block) && this.#random.below(3) === 0) this.#life.in("retire", () => shared.domain.retire(block));
    else if (how === "named") this.#life.in("cache.free", () => heap.cache(index).free(object));
    else if (how === "pages" && this.#random.below(2) === 0) this.#life.in("freePages", () => heap.freePages(object));
    else if (how === "pool") this.#life.in("mempool.free", () => pools[index]?.free(object));
    else if (how === "area") this.#life.in("kvfree", () => vm.kvfree(block));
    else this.#life.in("kfree", () => heap.kfree(object));
  }

  // Exchanging ---------------------------------------------------------------------------------------

  /** Put a new block, or none, into a cell, and free what was there. */
  #exchange(): void {
    const life = this.#life;
    const cell = this.#random.below(CELLS);
    const old = Atomics.load(this.#cells, cell) as Address;
    const block = this.#random.below(8) === 0 ? NULL : this.#makePublic();
    life.takes(old);
    if (Atomics.compareExchange(this.#cells, cell, old, block) === old) {
      life.gives(0);
      if (old !== NULL) this.#free(old);
    } else if (block !== NULL) this.#free(block);
    life.takes(0);
    life.gives(0);
  }

  /** A block that is this thread's own, and has no owner's tag. */
  #free(block: Address): void {
    const { heap, shared } = this.#a;
    const wrong = this.#contents.wrong(block, heap.usableBytes(block));
    this.#life.verified();
    if (wrong !== undefined) this.#fail("torn", `of a cell: ${wrong}`);
    if (this.#random.below(3) === 0) this.#life.in("retire", () => shared.domain.retire(block));
    else this.#life.in("kfree", () => heap.kfree(block));
  }

  #makePublic(): Address {
    const block = this.#random.below(2) === 0 ? this.#makeUntagged() : this.#makePublished();
    if (block === NULL) this.#life.noneLeft();
    else this.#contents.write(block, this.#a.heap.usableBytes(block), this.#nextNumber());
    return block;
  }

  /** Nobody can find it by a tag if this thread dies now: so it says what it takes. */
  #makeUntagged(): Address {
    const { heap, caches } = this.#a;
    const random = this.#random;
    const life = this.#life;
    const kind = random.below(10);
    let block: Address;
    if (kind < 7) {
      const bytes = this.#size(14);
      life.asks(Math.max(1, bytes)); // 0 bytes are a block too
      block = life.in("kmalloc", () => heap.kmalloc(bytes));
    } else if (kind < 9) {
      const order = random.below(MOST_EXCHANGED_ORDER + 1) as Order;
      life.asks(PAGE_BYTES << order);
      block = life.in("allocPages", () => heap.allocPages(order));
    } else {
      const cache = heap.cache(caches.plain);
      life.asks(cache.objectWords * 4);
      block = life.in("cache.alloc", () => cache.alloc());
    }
    life.gives(block);
    life.asksNoMore();
    return block;
  }

  /** Found by the reaper until it is published. */
  #makePublished(): Address {
    const { heap } = this.#a;
    const bytes = this.#size(14);
    const block = this.#life.in("kmalloc", () => heap.kmalloc(bytes, heap.unpublished));
    if (block === NULL) return NULL;
    this.#life.gives(block);
    this.#life.in("publish", () => heap.publish(block, PUBLIC_TAG));
    return block;
  }
}
