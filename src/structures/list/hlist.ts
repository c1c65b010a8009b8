/**
 * The hash list under RCU: the kernel's `hlist_*_rcu` (include/linux/rculist.h, list.h), on heads and nodes at any address. Its head is one word, for tables of many chains.
 *
 *   head               a                b
 *   | FIRST ----->  | NEXT ----->  | NEXT = 0
 *      ^--------- PPREV |  ^--- PPREV |
 *
 * A head (`hlistHead`) of zeros is empty; a node is two words (`hlistNode`). What was deleted may be freed, or added again, after a grace period: until then readers may stand on it.
 *
 * Swapping two heads is two stores. Between them both lead to one chain, and the other is known by the complement in the PPREV of the first of that one: `repair` of both heads
 * gives it to either of them.
 *
 * Law table: hash-chain.ts; NEXT is private until the node is added.
 *
 * Guarantees: hash-chain.ts; and
 *   G  who reads either head while two are swapped sees the one chain or the other, whole; between the two stores both may see the same.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Domain } from "../../rcu/domain.js";
import { HashChain } from "./hash-chain.js";
import type { EachEntry } from "./list-view.js";

const PPREV = 1;

/** One thread's view of hash lists. */
export class RcuHlist extends HashChain {
  protected writeNext(node: Address, next: Address): void {
    this.memory.write(node, next);
  }

  forEachEntryRcu(head: Address, member: number, fn: EachEntry): void {
    this.walk(this.firstRcu(head), member, fn);
  }

  /** As `forEachEntryRcu`, for readers in a section of another domain (a phase domain, SRCU), in which the entries are retired. */
  forEachEntrySrcu(head: Address, member: number, srcu: Domain, fn: EachEntry): void {
    this.mayRead("forEachEntrySrcu()", head, srcu);
    this.walk(this.memory.load(head) as Address, member, fn);
  }

  /** As `forEachEntryRcu`, without a look at where it is called: where no section is needed, and for tracing itself. */
  forEachEntryNotrace(head: Address, member: number, fn: EachEntry): void {
    this.walk(this.memory.load(head) as Address, member, fn);
  }

  /** The entries after this one. */
  forEachEntryContinueRcu(entry: Address, member: number, fn: EachEntry): void {
    this.walk(this.nextRcu(field(entry, member)), member, fn);
  }

  /** This entry and those after it. */
  forEachEntryFromRcu(entry: Address, member: number, fn: EachEntry): void {
    this.mayRead("forEachEntryFromRcu()", entry);
    this.walk(field(entry, member), member, fn);
  }

  /** Add an entry before another. @throws ListError (ERR_NOT_LINKED) */
  addBeforeRcu(node: Address, next: Address): void {
    this.mayUpdate("addBeforeRcu()", next);
    this.link(node, this.pprev("addBeforeRcu()", next));
  }

  /** Add an entry behind another. @throws ListError (ERR_NOT_LINKED, ERR_LIST_CORRUPT): that one was deleted */
  addBehindRcu(node: Address, prev: Address): void {
    this.mayUpdate("addBehindRcu()", prev);
    this.pprev("addBehindRcu()", prev); // behind a deleted one nobody would find it
    this.link(node, prev);
  }

  /** Exchange the chains of two heads, with the lock of both. */
  swapHeadsRcu(left: Address, right: Address): void {
    const { memory } = this;
    this.mayUpdate("swapHeadsRcu()", left);
    const ours = memory.load(left) as Address;
    const theirs = memory.load(right) as Address;
    if (left === right || ours === theirs) return; // one head, or both are empty
    if (theirs !== NULL) memory.write(field(theirs, PPREV), ~ours); // by this `repair` finds what only this thread knows between the stores
    // An empty head goes first: then nothing is out of reach between them.
    if (theirs === NULL) memory.store(right, ours);
    memory.store(left, theirs);
    if (theirs !== NULL) memory.store(right, ours);
    if (ours !== NULL) memory.write(field(ours, PPREV), right);
    if (theirs !== NULL) memory.write(field(theirs, PPREV), left);
  }

  /** As in hash-chain.ts; and of two heads that a writer died in swapping, both given in one call, each gets one of the two chains. */
  override repair(...heads: Address[]): void {
    const { memory } = this;
    const seen = new Set<Address>();
    for (const head of new Set(heads)) {
      this.mayUpdate("repair()", head);
      const first = memory.load(head) as Address;
      if (first !== NULL && seen.has(first)) {
        const other = memory.read(field(first, PPREV));
        memory.store(head, other < 0 ? ~other : NULL);
      }
      seen.add(first);
    }
    super.repair(...heads);
  }
}
