/**
 * What readers see of a shared list (shared-list.ts): its first and its last value, and what an iteration shows. Nothing here takes a lock or writes a word.
 *
 * An iteration copies some elements at a time, each time in a section of its own, and then goes on after the last it has shown that still is there: it notes the numbers of all.
 *
 * Law table: as in shared-list.ts; this file owns no word.
 *
 * Guarantees
 *   A  an iteration takes no lock and is no snapshot. It shows every element that is there from its beginning to its end, once and in order, also when those it has shown are removed meanwhile;
 *      of others it may show some. A value is one that its element had in the course of the iteration.
 *   B  first() and last() are linearizable.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import type { Domain } from "../../rcu/domain.js";
import { inSection } from "../../rcu/in-section.js";
import type { CodecBase } from "../../values/codec.js";
import type { RcuList } from "./list.js";

/** Words of a node. */
export const NodeWord = { NEXT: 0, PREV: 1, VALUE: 2, ID: 3 } as const;
/** Bytes of a node; ID takes two words, and one is left so that they are an even number. */
export const LIST_NODE_BYTES = 24;

/** Elements that an iteration copies in its first section, and in any. Each section copies twice as many as the one before, so that finding the place again costs no more than going on. */
const FIRST_BATCH = 16;
const LARGEST_BATCH = 2 ** 16;

/** An element of a list, in whichever thread: may be posted. Whatever it says, it is checked before anything is touched. */
export interface ListRef {
  readonly node: number;
  /** Number of the element in its list, which no other one will have. */
  readonly id: number;
}

/** One thread's view of the elements of a list. */
export class Elements<T> {
  readonly #memory: Memory;
  readonly #domain: Domain;
  readonly #codec: CodecBase<T>;
  readonly #list: RcuList;
  readonly #head: Address;

  constructor(domain: Domain, codec: CodecBase<T>, list: RcuList, head: Address) {
    this.#memory = domain.arena.memory;
    this.#domain = domain;
    this.#codec = codec;
    this.#list = list;
    this.#head = head;
  }

  /** A copy of the first value, or undefined. @throws ClosedError */
  first(): T | undefined {
    const memory = this.#memory;
    return inSection(this.#domain.reader, () => {
      for (;;) {
        const node = memory.load(this.#head) as Address;
        if (this.#isEnd(node)) return undefined;
        const block = this.blockOf(node);
        // The block was the value all the while between its two loads, since none comes back in a section; and in between, the node was the first.
        if (memory.load(this.#head) === node && this.blockOf(node) === block) return this.#codec.read(memory, block);
      }
    });
  }

  /** A copy of the last value, or undefined. @throws ClosedError */
  last(): T | undefined {
    const memory = this.#memory;
    return inSection(this.#domain.reader, () => {
      for (;;) {
        if (this.#isEnd(memory.load(this.#head) as Address)) return undefined;
        let node = this.#list.tailRcu(this.#head);
        // What is behind it a writer is adding right now, or had added when it died.
        for (let next = memory.load(node) as Address; !this.#isEnd(next); next = memory.load(node) as Address) node = next;
        if (this.#isEnd(node)) return undefined;
        const block = this.blockOf(node);
        // As in first(). A node that was removed meanwhile keeps what it had when it was the last.
        if (this.#isEnd(memory.load(node) as Address) && this.blockOf(node) === block) return this.#codec.read(memory, block);
      }
    });
  }

  /** The end of the chain: the head, or NULL in a list that nobody has written to. */
  #isEnd(node: Address): boolean {
    return node === this.#head || node === NULL;
  }

  /** The value block of a node. */
  blockOf(node: Address): Address {
    return this.#memory.load(field(node, NodeWord.VALUE)) as Address;
  }

  /** A copy of a node's value. In a section, or with the lock. */
  valueAt(node: Address): T {
    return this.#codec.read(this.#memory, this.blockOf(node));
  }

  /** The number of a node's element. */
  idOf(node: Address): number {
    const id = field(node, NodeWord.ID);
    return this.#memory.read(id) * 2 ** 32 + (this.#memory.read(field(id, 1)) >>> 0);
  }

  /** References and copies of the values, from first to last. */
  entries(): Generator<[ref: ListRef, value: T]> {
    return this.#each((node, id) => [{ node, id }, this.valueAt(node)]);
  }

  /** Copies of the values, as `entries`. */
  values(): Generator<T> {
    return this.#each((node) => this.valueAt(node));
  }

  /** What `copy` makes of each element, in a section. */
  *#each<R>(copy: (node: Address, id: number) => R): Generator<R> {
    const shown: number[] = [];
    for (let batch = FIRST_BATCH; ; batch = Math.min(2 * batch, LARGEST_BATCH)) {
      const copies = inSection(this.#domain.reader, () => this.#copyAfter(shown, batch, copy));
      for (let i = 0; i < copies.length; i++) yield copies[i] as R;
      if (copies.length < batch) return;
    }
  }

  /** Copies of the next elements after those that were shown, whose numbers are noted. In a section. */
  #copyAfter<R>(shown: number[], count: number, copy: (node: Address, id: number) => R): R[] {
    const copies: R[] = [];
    const memory = this.#memory;
    let node = memory.load(this.#placeAfter(shown)) as Address;
    for (; !this.#isEnd(node) && copies.length < count; node = memory.load(node) as Address) {
      const id = this.idOf(node);
      copies.push(copy(node, id));
      shown.push(id);
    }
    return copies;
  }

  /**
   * Where an iteration goes on: the last of the elements it has shown that still is in the list. Elements never change places and what has been shown was shown in order, so all that was
   * there all the while and has not been shown comes after it.
   */
  #placeAfter(shown: readonly number[]): Address {
    const last = shown.at(-1);
    let place = this.#head;
    if (last === undefined) return place;
    const memory = this.#memory;
    for (let node = memory.load(this.#head) as Address; !this.#isEnd(node); node = memory.load(node) as Address) if (this.idOf(node) === last) return node;
    const ids = new Set(shown); // it was removed: seldom
    for (const node of this.nodes()) if (ids.has(this.idOf(node))) place = node;
    return place;
  }

  /** The nodes in the list, in a section or with the lock. */
  *nodes(): Generator<Address> {
    const memory = this.#memory;
    for (let node = memory.load(this.#head) as Address; !this.#isEnd(node); node = memory.load(node) as Address) yield node;
  }
}
