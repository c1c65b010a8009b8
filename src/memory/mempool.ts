/**
 * A mempool (L11): a reserve of elements, so that who must go on can, when the allocator has none (mm/mempool.c of Linux).
 *
 *   alloc   allocator -> else the reserve -> else sleep on EVENT, and again
 *   free    reserve not full: into it, wake who sleeps; else to the allocator
 *
 *   block   MAGIC MIN CACHE | LOCK EVENT COUNT | ELEMENTS [ 0 .. MIN - 1 ]      the first COUNT are there
 *
 * Its words are in shared memory: any thread opens it by its address.
 *
 * Law table
 *   word               class
 *   MAGIC, MIN, CACHE  immutable once createMempool has given the pool
 *   LOCK               atomic (robust mutex)
 *   EVENT              atomic; an event count: odd while someone may be asleep, one more when there was a wake
 *   COUNT              atomic; stored by LOCK's owner only
 *   ELEMENTS           locked by LOCK
 *   side word of an element (pools over a cache)   atomic; RESERVED, which is the pool's address, while it is in the reserve, else its holder's tag
 *
 * Guarantees
 *   A  who holds elements and gives them back lets every waiter go on; each wake-up wakes all who sleep, so that one who dies as he wakes, or is
 *      aborted, takes nobody's turn.
 *   B  no lost wake-up: a waiter announces himself before his last look, and who frees looks for sleepers after he has put it in.
 *   C  whoever dies where, only what the dead held is missing, and of a pool over a cache `ownedBy(tag)` finds that: taking out is committed by COUNT,
 *      and marked after that, putting in is marked before; what is marked RESERVED and not in the reserve is put in by LOCK's next owner. EVENT is
 *      noted among the locks that a thread holds while it frees, so a reaper wakes whom the dead one may not have come to wake.
 *   D  an alloc that fails, times out or is aborted has taken nothing.
 */

import { type Address, field, NULL } from "./address.js";
import { AtomicContextError, DoubleFreeError, InvalidAddressError, InvalidSizeError, MempoolTimeoutError, QuiesceError } from "./errors.js";
import { type Heap, KMALLOC_BYTES, taggedCacheFor } from "./heap.js";
import type { Memory } from "./memory.js";
import { RobustMutex } from "./robust-mutex.js";

/** "POOL" */
const MAGIC = 0x504f4f4c;
/** Offsets of a pool's words. */
export const PoolWord = { MAGIC: 0, MIN: 1, CACHE: 2, LOCK: 3, EVENT: 4, COUNT: 5, ELEMENTS: 8 } as const;
/** CACHE of a pool over functions. */
const NO_CACHE = -1;

/** Longest sleep, in ms: the allocator may have something again, of which nobody tells (the kernel's 5 s). */
const LONGEST_SLEEP = 250;

/** An allocator of elements that waits for nothing. Elements are addresses, or any numbers but 0. */
export interface ElementAllocator {
  /** Gives 0 when there is none. */
  alloc(): number;
  free(element: number): void;
}

/** What the pool's elements are. */
export type Elements =
  | { /** Size of an element, up to 8192 bytes: kmalloc. */ readonly bytes: number }
  | { /** Index of a tracked cache whose side words nobody else uses. */ readonly cache: number }
  | ElementAllocator;

/** A pool to be made. */
export type MempoolOptions = Elements & {
  /** Elements of the reserve. */
  readonly min: number;
  /** Whom the pool's own block belongs to, for `Heap.ownedBy`. */
  readonly tag?: number;
};

export interface MempoolTake {
  /** Written to the element's side word while it is held (pools over a cache), for `ownedBy`; default one more than the pool's address. */
  readonly tag?: number;
}

export interface MempoolWait extends MempoolTake {
  /** ms to wait at most; default for ever. */
  readonly timeout?: number;
}

export interface MempoolAsyncWait extends MempoolWait {
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Make a pool, and fill its reserve.
 * @returns it; undefined when there is not so much memory, and then nothing is taken
 * @throws InvalidSizeError
 */
export function createMempool(heap: Heap, options: MempoolOptions): Mempool | undefined {
  const { min, tag = 0 } = options;
  if (!Number.isInteger(min) || min < 1 || min > 2 ** 20) throw new InvalidSizeError("the reserve of a mempool", min, "a whole number from 1 to 2^20");
  const cache = cacheFor(options);
  if (cache !== NO_CACHE && !heap.cache(cache).isTracked)
    throw new QuiesceError("ERR_NOT_TRACKED", `cache ${cache} is not tracked: a mempool's elements are told by their side words; create it with \`tracked\`.`);
  const block = heap.kmalloc((PoolWord.ELEMENTS + min) * 4, tag);
  if (block === NULL) return undefined;
  const { memory } = heap;
  memory.fill(block, PoolWord.ELEMENTS, 0);
  memory.write(field(block, PoolWord.MIN), min);
  memory.write(field(block, PoolWord.CACHE), cache);
  memory.write(field(block, PoolWord.MAGIC), MAGIC);
  const pool = new Mempool(heap, block, options);
  if (pool.fill()) return pool;
  pool.destroy();
  return undefined;
}

function cacheFor(options: Elements): number {
  if ("cache" in options) return options.cache;
  if (!("bytes" in options)) return NO_CACHE;
  const { bytes } = options;
  const most = KMALLOC_BYTES.at(-1) as number;
  if (!Number.isInteger(bytes) || bytes < 1 || bytes > most)
    throw new InvalidSizeError("the element size of a mempool", bytes, "a whole number of bytes from 1 to 8192; larger ones by functions of your own");
  return taggedCacheFor(bytes);
}

/** One thread's view of a pool. */
export class Mempool {
  /** By which any thread opens it. */
  readonly address: Address;
  /** Elements of the full reserve. */
  readonly min: number;
  readonly #heap: Heap;
  readonly #memory: Memory;
  readonly #cache: number;
  readonly #functions: ElementAllocator | undefined;
  readonly #lock: RobustMutex;
  readonly #event: Address;
  readonly #count: Address;

  /**
   * Open a pool.
   * @param functions for a pool that was made over functions: this thread's
   * @throws InvalidAddressError when there is no pool, or functions are missing
   */
  constructor(heap: Heap, address: Address, functions?: Elements) {
    const { memory } = heap;
    if (address === NULL || memory.read(field(address, PoolWord.MAGIC)) !== MAGIC) throw new InvalidAddressError(address, "is not that of a mempool");
    this.#heap = heap;
    this.#memory = memory;
    this.address = address;
    this.min = memory.read(field(address, PoolWord.MIN));
    this.#cache = memory.read(field(address, PoolWord.CACHE));
    this.#functions = functions !== undefined && "alloc" in functions ? functions : undefined;
    if (this.#cache === NO_CACHE && this.#functions === undefined)
      throw new InvalidAddressError(address, "is that of a mempool over functions: give this thread's { alloc, free }");
    this.#lock = new RobustMutex(memory, field(address, PoolWord.LOCK), heap.slot);
    this.#event = field(address, PoolWord.EVENT);
    this.#count = field(address, PoolWord.COUNT);
  }

  // Taking -------------------------------------------------------------------------------------------

  /** Take an element without waiting, anywhere. Gives 0 when there is none. */
  allocNow({ tag = this.address + 1 }: MempoolTake = {}): Address {
    if (this.#functions === undefined && tag === this.address)
      throw new InvalidSizeError("the tag of an element that is taken", tag, "any but the pool's address, which marks its reserve");
    const fresh = this.#allocate(tag);
    return fresh === NULL ? this.#fromReserve(tag) : fresh;
  }

  /**
   * Take an element; block until there is one.
   * @throws AtomicContextError where waiting is not allowed; MempoolTimeoutError; QuiesceError (ERR_CANNOT_BLOCK)
   */
  allocSync({ timeout = Number.POSITIVE_INFINITY, ...take }: MempoolWait = {}): Address {
    this.#mayWait("allocSync()", timeout);
    const deadline = performance.now() + timeout;
    for (;;) {
      const first = this.allocNow(take);
      if (first !== NULL) return first;
      const ticket = this.#announceSleep();
      const second = this.allocNow(take);
      if (second !== NULL) return second;
      const left = deadline - performance.now();
      if (left <= 0) throw new MempoolTimeoutError(this.address, timeout);
      if (!this.#memory.canBlock)
        throw new QuiesceError("ERR_CANNOT_BLOCK", "this thread may not block (a browser's main thread): use the asynchronous twin, as `await pool.alloc()`.");
      this.#heap.slot.park(this.#event, ticket, Math.min(left, LONGEST_SLEEP));
    }
  }

  /**
   * Take an element; resolves once there is one. Keeps the process alive meanwhile.
   * @throws AtomicContextError where waiting is not allowed; MempoolTimeoutError; the signal's reason
   */
  async alloc({ timeout = Number.POSITIVE_INFINITY, signal, ...take }: MempoolAsyncWait = {}): Promise<Address> {
    this.#mayWait("alloc()", timeout);
    signal?.throwIfAborted();
    const first = this.allocNow(take);
    if (first !== NULL) return first;
    const deadline = performance.now() + timeout;
    // An asynchronous wait on shared memory never keeps a loop alive, so a timer does.
    const alive = setInterval(() => {}, 0x3fffffff);
    let wake: () => void = () => {};
    const onAbort = (): void => wake();
    signal?.addEventListener("abort", onAbort);
    try {
      for (;;) {
        const ticket = this.#announceSleep();
        const element = this.allocNow(take);
        if (element !== NULL) return element;
        const left = deadline - performance.now();
        if (left <= 0) throw new MempoolTimeoutError(this.address, timeout);
        await new Promise<void>((resolve) => {
          wake = resolve;
          const wait = this.#memory.waitAsync(this.#event, ticket, Math.min(left, LONGEST_SLEEP));
          if (wait.async) void wait.value.then(() => resolve());
          else setTimeout(resolve, 0); // events must get their turn, though others wake without end
        });
        signal?.throwIfAborted();
      }
    } finally {
      clearInterval(alive);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #announceSleep(): number {
    return this.#memory.or(this.#event, 1) | 1;
  }

  #fromReserve(tag: number): Address {
    const memory = this.#memory;
    if (memory.load(this.#count) === 0) return NULL;
    return this.#withLock(() => {
      const count = memory.load(this.#count);
      if (count === 0) return NULL;
      const element = memory.read(this.#element(count - 1)) as Address;
      memory.store(this.#count, count - 1); // commit
      this.#mark(element, tag);
      return element;
    });
  }

  // Giving back --------------------------------------------------------------------------------------

  /**
   * Give an element back. Any thread may, anywhere.
   * @throws DoubleFreeError, InvalidAddressError
   */
  free(element: Address): void {
    this.#mustBeOut(element);
    if (this.#memory.load(this.#count) < this.min && this.#toReserve(element)) return;
    this.#release(element);
  }

  #toReserve(element: Address): boolean {
    const { slot } = this.#heap;
    slot.noteLock(this.#event);
    try {
      const put = this.#withLock(() => {
        this.#mustBeOut(element); // two may give it back at once
        return this.#push(element);
      });
      if (put) this.#wake();
      return put;
    } finally {
      slot.forgetLock(this.#event);
    }
  }

  /** With the lock. */
  #push(element: Address): boolean {
    const memory = this.#memory;
    const count = memory.load(this.#count);
    if (count >= this.min) return false;
    if (this.#functions !== undefined && this.#reserve().includes(element)) throw new DoubleFreeError(element, "free");
    this.#mark(element, this.address);
    memory.write(this.#element(count), element);
    memory.store(this.#count, count + 1); // commit
    return true;
  }

  #wake(): void {
    const memory = this.#memory;
    const word = memory.load(this.#event); // after COUNT: pairs with #announceSleep
    if ((word & 1) === 0) return;
    // A count and not just a flag: who announced before this and is not asleep yet must not sleep on a later announcement.
    memory.compareExchange(this.#event, word, (word + 1) | 0);
    memory.notify(this.#event);
  }

  /** Fill the reserve from the allocator. Gives whether it is full. */
  fill(): boolean {
    while (this.reserve < this.min) {
      const element = this.#allocate(this.address + 1);
      if (element === NULL) return false;
      if (!this.#toReserve(element)) this.#release(element);
    }
    return true;
  }

  /** Give the reserve and the pool's block back. Nobody holds an element, waits, or uses the pool again. */
  destroy(): void {
    for (let element = this.#fromReserve(this.address + 1); element !== NULL; element = this.#fromReserve(this.address + 1)) this.#release(element);
    this.#memory.write(field(this.address, PoolWord.MAGIC), 0);
    this.#heap.kfree(this.address);
  }

  // What there is ------------------------------------------------------------------------------------

  /** Elements in the reserve now. */
  get reserve(): number {
    return this.#memory.load(this.#count);
  }

  /**
   * Elements that were taken with this tag and not given back (pools over a cache): what a dead thread held, when each thread takes with a tag of its own.
   * Give them back with `free`.
   */
  ownedBy(tag: number): Address[] {
    if (this.#cache === NO_CACHE) return [];
    const cache = this.#heap.cache(this.#cache);
    return this.#heap.liveObjects(this.#cache).filter((object) => this.#memory.load(cache.sideOf(object)) === tag);
  }

  /** Every violated invariant; none is good. */
  check(): string[] {
    return this.#withLock(() => {
      const violations: string[] = [];
      const reserve = this.#reserve();
      if (reserve.length > this.min) violations.push(`mempool ${this.address}: ${reserve.length} elements in a reserve of ${this.min}`);
      if (new Set(reserve).size < reserve.length) violations.push(`mempool ${this.address}: an element is in the reserve twice`);
      if (this.#cache === NO_CACHE) return violations;
      const marked = new Set(this.ownedBy(this.address));
      for (const element of reserve) if (!marked.delete(element)) violations.push(`mempool ${this.address}: element ${element} of the reserve is not its own`);
      for (const element of marked) violations.push(`mempool ${this.address}: element ${element} is marked as in the reserve, and is not`);
      return violations;
    });
  }

  // --------------------------------------------------------------------------------------------------

  #element(index: number): Address {
    return field(this.address, PoolWord.ELEMENTS + index);
  }

  #reserve(): Address[] {
    return Array.from({ length: this.reserve }, (_, index) => this.#memory.read(this.#element(index)) as Address);
  }

  #withLock<T>(fn: () => T): T {
    this.#lock.lockRepaired(() => this.#recover());
    try {
      return fn();
    } finally {
      this.#lock.unlock();
    }
  }

  /** After an owner of the lock died: what he was putting in, or had just taken out, is put in. */
  #recover(): void {
    const reserve = new Set(this.#reserve());
    for (const element of this.ownedBy(this.address)) if (!reserve.has(element) && !this.#push(element)) this.#release(element);
  }

  #mark(element: Address, tag: number): void {
    if (this.#cache !== NO_CACHE) this.#memory.store(this.#heap.cache(this.#cache).sideOf(element), tag);
  }

  #allocate(tag: number): Address {
    return this.#functions === undefined ? this.#heap.cache(this.#cache).alloc(tag) : (this.#functions.alloc() as Address);
  }

  #release(element: Address): void {
    if (this.#functions === undefined) this.#heap.cache(this.#cache).free(element);
    else this.#functions.free(element);
  }

  #mustBeOut(element: Address): void {
    if (this.#cache === NO_CACHE) return;
    const cache = this.#heap.cache(this.#cache);
    cache.checkAddress(element);
    const isOut = this.#heap.isLive(element) && this.#memory.load(cache.sideOf(element)) !== this.address;
    if (!isOut) throw new DoubleFreeError(element, "free");
  }

  #mayWait(operation: string, timeout: number): void {
    if (!(timeout >= 0)) throw new InvalidSizeError("timeout", timeout, "a number of ms that is not negative");
    const why = this.#heap.slot.mayNotBlock();
    if (why !== undefined) throw new AtomicContextError(operation, why);
  }
}
