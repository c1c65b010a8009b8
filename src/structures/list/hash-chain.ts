/**
 * What the two hash lists share: a chain of entries under a head of one word. hlist.ts and hlist-nulls.ts say how theirs ends and who may stand on what.
 *
 *   head               a                b
 *   | FIRST ----->  | NEXT ----->  | NEXT ----->  end: not above 0
 *      ^--------- PPREV |  ^--- PPREV |
 *
 * PPREV is the address of the word that leads to the entry: FIRST, or the NEXT of the one before, which is that one's own address. So deleting needs no head.
 *
 * Law table
 *   word    class
 *   FIRST   atomic
 *   NEXT    atomic from when the entry is added (hlist.ts, hlist-nulls.ts: before)
 *   PPREV   private until the entry is added; then locked. 0 or LIST_POISON2 outside a chain
 *
 * Guarantees: A, B, E and F of list.ts, with FIRST and NEXT for NEXT, and PPREV for PREV.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import { type EachEntry, entryOf, LIST_POISON2, ListView } from "./list-view.js";

const PPREV = 1;

/** One thread's view of chains. */
export abstract class HashChain extends ListView {
  /** Write the NEXT of an entry that is not in a chain yet. */
  protected abstract writeNext(node: Address, next: Address): void;

  // Reading: in a section, or with the lock -----------------------------------------------------------

  /** The first entry's node, or the end. */
  firstRcu(head: Address): Address {
    this.mayRead("firstRcu()", head);
    return this.memory.load(head) as Address;
  }

  /** The node after a node, or the end. Loop by it where speed counts. */
  nextRcu(node: Address): Address {
    this.mayRead("nextRcu()", node);
    return this.memory.load(node) as Address;
  }

  /**
   * The entries of a chain.
   * @returns what it ended with; undefined when `fn` ended the walk
   */
  protected walk(from: Address, member: number, fn: EachEntry): Address | undefined {
    let node = from;
    for (; node > NULL; node = this.memory.load(node) as Address) {
      if (fn(entryOf(node, member)) === false) return undefined;
    }
    return node;
  }

  // Updating: with the lock -----------------------------------------------------------------------------

  /** The word that leads to an entry: with the lock, to be given to `assignPointer`. @throws ListError (ERR_NOT_LINKED) */
  pprevRcu(node: Address): Address {
    this.mayUpdate("pprevRcu()", node);
    return this.pprev("pprevRcu()", node);
  }

  /** Whether an entry is in no chain, by `delInitRcu` or since it was made of zeros. */
  unhashed(node: Address): boolean {
    this.mayUpdate("unhashed()", node);
    return this.memory.read(field(node, PPREV)) === NULL;
  }

  /** Add an entry at the beginning. */
  addHeadRcu(node: Address, head: Address): void {
    this.mayUpdate("addHeadRcu()", head);
    this.link(node, head);
  }

  /** Add an entry at the end; walks the chain. */
  addTailRcu(node: Address, head: Address): void {
    this.mayUpdate("addTailRcu()", head);
    let last = head;
    for (let next = this.memory.load(last); next > NULL; next = this.memory.load(last)) last = next as Address;
    this.link(node, last);
  }

  /** Put an entry between the word `pointer` and what is next. */
  protected link(node: Address, pointer: Address, next = this.memory.load(pointer) as Address): void {
    const { memory } = this;
    this.writeNext(node, next);
    memory.write(field(node, PPREV), pointer);
    memory.store(pointer, node); // publishes; pairs with the load of whoever walks
    if (next > NULL) memory.write(field(next, PPREV), node);
  }

  /** The word that leads to an entry, seen to lead to it. @throws ListError */
  protected pprev(operation: string, node: Address): Address {
    const pointer = this.wayBack(operation, node, this.memory.read(field(node, PPREV)));
    this.mustLead(operation, node, pointer);
    return pointer;
  }

  /** Take an entry out. When it may be freed, or added again: hlist.ts, hlist-nulls.ts. @throws ListError (ERR_NOT_LINKED, ERR_LIST_CORRUPT): deleted already */
  delRcu(node: Address): void {
    this.#unlink("delRcu()", node);
    this.memory.write(field(node, PPREV), LIST_POISON2); // its NEXT stays: readers may stand on it
  }

  /** As `delRcu`, and nothing when it is `unhashed`, as it is afterwards. @throws as `delRcu` */
  delInitRcu(node: Address): void {
    this.mayUpdate("delInitRcu()", node);
    if (this.memory.read(field(node, PPREV)) === NULL) return;
    this.#unlink("delInitRcu()", node);
    this.memory.write(field(node, PPREV), NULL);
  }

  #unlink(operation: string, node: Address): void {
    const { memory } = this;
    this.mayUpdate(operation, node);
    const pointer = this.pprev(operation, node);
    const next = memory.load(node) as Address;
    memory.store(pointer, next); // commits
    if (next > NULL) memory.write(field(next, PPREV), pointer);
  }

  /** Put a new entry in the place of an old one, which is as deleted then. @throws as `delRcu` */
  replaceRcu(old: Address, node: Address): void {
    this.mayUpdate("replaceRcu()", old);
    this.link(node, this.pprev("replaceRcu()", old), this.memory.load(old) as Address);
    this.memory.write(field(old, PPREV), LIST_POISON2);
  }

  /** After a writer died with the lock: mend the way back in these chains, which the lock guards. May be repeated. */
  repair(...heads: Address[]): void {
    const { memory } = this;
    for (const head of heads) {
      this.mayUpdate("repair()", head);
      let pointer = head;
      for (let node = memory.load(pointer) as Address; node > NULL; node = memory.load(pointer) as Address) {
        memory.write(field(node, PPREV), pointer);
        pointer = node;
      }
    }
  }
}
