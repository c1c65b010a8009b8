/**
 * The list that most people use: values in an order of their own, on the kernel's list (list.ts).
 *
 *   header HEAD          node                      node
 *   | NEXT -------->  | NEXT ---------------->  | NEXT -------->  HEAD
 *   | PREV            | PREV                    | PREV
 *                     | VALUE ---> block        | VALUE ---> block
 *                     | ID                      | ID
 *
 * Every value has a block of its own, so that replacing it is one store, to VALUE, and its node stays where it is: a reference is good for as long as its element is in the list. It names
 * the node and the element's number, which never comes back: whoever has kept it for too long is told so, whatever stands there now.
 *
 * Law table
 *   word                class
 *   header HEAD         atomic (list.ts)
 *   header LOCK         atomic (robust mutex); the writers' lock (K2)
 *   header NEXT_ID      locked: number of the element made last, high word first
 *   header SIZE         atomic; stored only with the lock
 *   node NEXT, PREV     as in list.ts
 *   node VALUE          private until the node is added; atomic; stored only with the lock
 *   node ID             immutable once added
 *   value block         immutable once VALUE leads to it; owned by the one node that names it
 *
 * Guarantees
 *   A  each update is published by one store: readers see it wholly or not at all.
 *   B  readers take no lock. What they see: elements.ts.
 *   C  a reference to an element that was removed does nothing, and never touches another.
 *   D  a failed call (bad input, no memory) leaves the list as it was.
 *   E  a writer that dies leaves the list as before its call or as after it; the next writer mends the ways back and frees what was left.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Cache } from "../../memory/cache.js";
import { InvalidAddressError, QuiesceError } from "../../memory/errors.js";
import type { Memory } from "../../memory/memory.js";
import { RobustMutex } from "../../memory/robust-mutex.js";
import type { Domain } from "../../rcu/domain.js";
import { type CodecBase, isCodec } from "../../values/codec.js";
import { show } from "../../values/errors.js";
import { HEADER_BYTES, type Place } from "../structure.js";
import { Elements, LIST_NODE_BYTES, type ListRef, NodeWord } from "./elements.js";
import { ListError } from "./errors.js";
import { RcuList } from "./list.js";

/** Words of the header. */
const HeaderWord = { HEAD: 0, LOCK: 16, NEXT_ID: 18, SIZE: 32 } as const;
if (HeaderWord.SIZE * 4 >= HEADER_BYTES) throw new Error("the header is too small");

/** Text of a list's schema, for comparison between threads. @throws QuiesceError (ERR_SCHEMA) */
export function listSchemaText<T>(codec: CodecBase<T>): string {
  if (!isCodec(codec)) {
    throw new QuiesceError("ERR_SCHEMA", `the schema of a list is the codec of its values, such as u32 or utf8; got ${show(codec)}.`);
  }
  return `list(${codec.name})`;
}

/** Values in an order. */
export class SharedList<T> {
  readonly #name: string;
  readonly #memory: Memory;
  readonly #domain: Domain;
  readonly #place: Place;
  readonly #cache: Cache;
  readonly #codec: CodecBase<T>;
  readonly #head: Address;
  readonly #nextId: Address;
  readonly #sizeWord: Address;
  readonly #lock: RobustMutex;
  readonly #list: RcuList;
  readonly #elements: Elements<T>;
  /** Node and block of the update under way that no reader can reach yet. */
  readonly #fresh: Address[] = [];

  constructor(place: Place, codec: CodecBase<T>) {
    const { domain, header, name } = place;
    const { memory, heap } = domain.arena;
    this.#name = name;
    this.#memory = memory;
    this.#domain = domain;
    this.#place = place;
    this.#cache = heap.cache(place.cache);
    this.#codec = codec;
    this.#head = field(header, HeaderWord.HEAD);
    this.#nextId = field(header, HeaderWord.NEXT_ID);
    this.#sizeWord = field(header, HeaderWord.SIZE);
    this.#lock = new RobustMutex(memory, field(header, HeaderWord.LOCK), heap.slot);
    this.#list = new RcuList(domain, { lock: this.#lock, name });
    this.#elements = new Elements(domain, codec, this.#list, this.#head);
  }

  // Reading ------------------------------------------------------------------------------------------

  /** Elements held. */
  get size(): number {
    return this.#memory.load(this.#sizeWord);
  }

  /** A copy of the first value, or undefined. @throws ClosedError */
  first(): T | undefined {
    return this.#elements.first();
  }

  /** A copy of the last value, or undefined. @throws ClosedError */
  last(): T | undefined {
    return this.#elements.last();
  }

  /**
   * References and copies of the values, from first to last. Elements are copied some at a time, each time in a section of its own: what the loop does in between, it may see
   * later than an element is shown. What may be seen of changes made meanwhile: guarantee A at the head of elements.ts.
   */
  entries(): Generator<[ref: ListRef, value: T]> {
    return this.#elements.entries();
  }

  /** Copies of the values, as `entries`. */
  values(): Generator<T> {
    return this.#elements.values();
  }

  [Symbol.iterator](): Generator<T> {
    return this.values();
  }

  /** The first element whose value is looked for; as `entries`. */
  find(predicate: (value: T, ref: ListRef) => boolean): [ref: ListRef, value: T] | undefined {
    for (const entry of this.entries()) if (predicate(entry[1], entry[0])) return entry;
    return undefined;
  }

  // Updating -----------------------------------------------------------------------------------------

  /**
   * Add a value at the end.
   * @throws ValueError, OutOfMemoryError, LockTimeoutError, ContextError (in a section), ClosedError
   */
  push(value: T): ListRef {
    const prepared = this.#codec.prepare(value);
    return this.#update("push()", () => this.#insert(prepared, (node) => this.#list.addTailRcu(node, this.#head)));
  }

  /** Add a value at the beginning. @throws as `push` */
  unshift(value: T): ListRef {
    const prepared = this.#codec.prepare(value);
    return this.#update("unshift()", () => this.#insert(prepared, (node) => this.#list.addRcu(node, this.#head)));
  }

  /**
   * Add a value after an element.
   * @returns its reference; undefined when the element is no longer there
   * @throws as `push`; ListError (ERR_LIST_REF)
   */
  insertAfter(ref: ListRef, value: T): ListRef | undefined {
    const prepared = this.#codec.prepare(value);
    return this.#at("insertAfter()", ref, (place) => this.#insert(prepared, (node) => this.#list.addRcu(node, place)));
  }

  /** Add a value before an element. As `insertAfter`. */
  insertBefore(ref: ListRef, value: T): ListRef | undefined {
    const prepared = this.#codec.prepare(value);
    return this.#at("insertBefore()", ref, (place) => this.#insert(prepared, (node) => this.#list.addTailRcu(node, place)));
  }

  /**
   * Take an element out.
   * @returns whether it was there: of several threads that remove one, one is told so
   * @throws as `insertAfter`, and never OutOfMemoryError
   */
  remove(ref: ListRef): boolean {
    const removed = this.#at("remove()", ref, (node) => {
      this.#list.delRcu(node); // commits
      this.#memory.store(this.#sizeWord, this.size - 1);
      this.#discard(node);
      return true;
    });
    return removed === true;
  }

  /**
   * Give an element another value. Its reference stays good.
   * @returns whether it was there
   * @throws as `insertAfter`
   */
  replace(ref: ListRef, value: T): boolean {
    const prepared = this.#codec.prepare(value);
    const replaced = this.#at("replace()", ref, (node) => {
      const pointer = field(node, NodeWord.VALUE);
      const old = this.#memory.load(pointer) as Address;
      this.#memory.store(pointer, this.#makeBlock(prepared)); // commits; pairs with the load of whoever reads the value
      this.#fresh.length = 0;
      this.#domain.retire(old);
      return true;
    });
    return replaced === true;
  }

  /** Take all elements out: readers go from all to none at one instant. @throws as `remove` */
  clear(): void {
    this.#update("clear()", () => {
      const nodes = [...this.#elements.nodes()];
      this.#list.initHead(this.#head); // commits
      this.#memory.store(this.#sizeWord, 0);
      for (const node of nodes) this.#discard(node);
    });
  }

  /**
   * A copy of an element's value, or undefined when it is no longer there. Takes the writers' lock, since what a reference of unknown age leads to may be anything.
   * @throws as `remove`
   */
  get(ref: ListRef): T | undefined {
    return this.#at("get()", ref, (node) => this.#elements.valueAt(node), false);
  }

  /** A node for a prepared value, added by one store. */
  #insert(prepared: unknown, add: (node: Address) => void): ListRef {
    const memory = this.#memory;
    const block = this.#makeBlock(prepared);
    const node = this.#domain.allocate(LIST_NODE_BYTES, () => this.#cache.alloc());
    this.#fresh.push(node);
    const id = this.#newId(field(node, NodeWord.ID));
    memory.write(field(node, NodeWord.VALUE), block);
    add(node); // commits
    this.#fresh.length = 0;
    memory.store(this.#sizeWord, this.size + 1);
    return { node, id };
  }

  /** The next element's number, counted on in the header first, so that none is given twice. */
  #newId(target: Address): number {
    const memory = this.#memory;
    const low = field(this.#nextId, 1);
    if (memory.read(low) === -1) memory.write(this.#nextId, memory.read(this.#nextId) + 1); // the high word first: who dies here skips numbers
    memory.write(low, (memory.read(low) + 1) | 0);
    memory.write(target, memory.read(this.#nextId));
    memory.write(field(target, 1), memory.read(low));
    return memory.read(this.#nextId) * 2 ** 32 + (memory.read(low) >>> 0);
  }

  #makeBlock(prepared: unknown): Address {
    const codec = this.#codec;
    const bytes = codec.bytes(prepared);
    const block = this.#domain.allocate(bytes, () => this.#domain.arena.heap.kmalloc(bytes, this.#place.tag));
    this.#fresh.push(block);
    codec.write(this.#memory, block, prepared);
    return block;
  }

  /** A node that no new reader finds, with its block. */
  #discard(node: Address): void {
    this.#domain.retire(this.#memory.load(field(node, NodeWord.VALUE)) as Address);
    this.#domain.retire(node);
  }

  /** Run an update at an element, if it is there. */
  #at<R>(operation: string, ref: ListRef, change: (node: Address) => R, changes = true): R | undefined {
    if (!Number.isInteger(ref?.node) || !Number.isInteger(ref.id)) {
      throw new ListError("ERR_LIST_REF", `${this.#name}: ${operation} takes a reference that push(), entries() or their like gave; got ${show(ref)}.`);
    }
    return this.#update(
      operation,
      () => {
        const node = this.#find(ref);
        return node === NULL ? undefined : change(node);
      },
      changes,
    );
  }

  /** The node of an element, or NULL when it is not in the list any more. With the lock: then what is live of the list's cache is in the list, and what is not may be anything. */
  #find({ node, id }: ListRef): Address {
    const address = node as Address;
    try {
      const cache = this.#domain.arena.heap.cacheOf(address);
      return cache?.index === this.#cache.index && cache.isLive(address) && this.#elements.idOf(address) === id ? address : NULL;
    } catch (error) {
      if (error instanceof InvalidAddressError) return NULL; // no object begins there any more
      throw error;
    }
  }

  /** Run an update, which commits all of it or throws; or what `changes` nothing, with the lock. */
  #update<R>(operation: string, change: () => R, changes = true): R {
    this.#domain.beforeUpdate(`${this.#name}.${operation}`);
    this.#lock.lockRepaired(this.#recover);
    let failed = true;
    let result: R;
    try {
      if (this.#memory.load(this.#head) === NULL) this.#list.initHead(this.#head);
      result = change();
      failed = false;
    } catch (error) {
      // Our own refusals come before anything is published. Anything else (a stack overflow) may come at any point: then the next writer goes over the list as if this one had died.
      failed = changes && !(error instanceof QuiesceError);
      const fresh = this.#fresh.splice(0);
      // Never published, but to free it at once may have to wait for the arena lock; retiring never waits.
      if (!failed) for (const object of fresh) this.#domain.retire(object);
      throw error;
    } finally {
      this.#lock.unlock(failed);
    }
    this.#domain.afterUpdate();
    return result;
  }

  // Recovery and checks --------------------------------------------------------------------------------

  /** After a writer died with the lock: mend the ways back, and free the nodes and blocks that no reader can reach. May be repeated. */
  readonly #recover = (): void => {
    const { heap } = this.#domain.arena;
    if (this.#memory.load(this.#head) === NULL) this.#list.initHead(this.#head);
    this.#list.repair(this.#head); // first: HEAD's PREV may lead to what is to be freed
    const reachable = new Set<Address>();
    for (const node of this.#elements.nodes()) reachable.add(node).add(this.#memory.load(field(node, NodeWord.VALUE)) as Address);
    this.#memory.store(this.#sizeWord, reachable.size / 2);
    for (const node of heap.liveObjects(this.#place.cache)) if (!reachable.has(node)) this.#domain.retire(node);
    for (const block of heap.ownedBy(this.#place.tag)) if (!reachable.has(block)) this.#domain.retire(block);
  };

  /** Violated invariants: ways there and back, numbers, size, blocks, nothing left over. Takes the writers' lock. */
  check(): string[] {
    return this.#update("check()", () => this.#check());
  }

  #check(): string[] {
    const memory = this.#memory;
    const { heap } = this.#domain.arena;
    const violations: string[] = [];
    const say = (violation: string): void => {
      violations.push(`${this.#name}: ${violation}`);
    };
    const ids = new Set<number>();
    const blocks = new Set<Address>();
    const newest = this.#elements.idOf(field(this.#nextId, -NodeWord.ID));
    let before = this.#head;
    for (const node of this.#elements.nodes()) {
      const id = this.#elements.idOf(node);
      if (ids.has(id)) {
        say(`element ${id} is there twice`);
        return violations;
      }
      ids.add(id);
      if (!(id > 0 && id <= newest)) say(`element ${id} is there, and the newest is ${newest}`);
      if (!heap.isLive(node)) say(`node ${node} is in the list but not live`);
      if (memory.load(field(node, NodeWord.PREV)) !== before) say(`node ${node} does not lead back to ${before}`);
      const block = memory.load(field(node, NodeWord.VALUE)) as Address;
      if (blocks.has(block)) say(`two nodes have the value block ${block}`);
      blocks.add(block);
      if (!heap.isLive(block)) say(`the value block of node ${node} is not live`);
      before = node;
    }
    if (memory.load(field(this.#head, NodeWord.PREV)) !== before) say(`the head does not lead back to ${before}`);
    if (ids.size !== this.size) say(`${ids.size} elements, its size says ${this.size}`);
    const live = heap.liveObjects(this.#place.cache).length;
    if (live !== ids.size) say(`${live} nodes are live, ${ids.size} are in the list`);
    const owned = heap.ownedBy(this.#place.tag).length;
    if (owned !== blocks.size) say(`${owned} value blocks are live, ${blocks.size} are in the list`);
    return violations;
  }
}
