/**
 * The hash list whose end says which chain it is: the kernel's `hlist_nulls_*` (include/linux/rculist_nulls.h, list_nulls.h; Documentation/RCU/rculist_nulls.rst).
 *
 *   head of chain 7     a                b
 *   | FIRST  ----->  | NEXT ----->  | NEXT = ~7
 *
 * Made for objects that move to another chain, or are freed and used anew, without a grace period between (a cache that is `typesafeByRcu`): a reader who stands on one is carried
 * over with it, and comes to the end of another chain than he began in. There he sees that end's number, and begins again. `lookup` does so.
 *
 *   reader on a  |  chain 7:  a -> b -> ~7         a moves:  chain 9:  a -> c -> ~9         the end is ~9, not ~7: again
 *
 * An end is the complement of its number, so it is negative: a number from 0 to 2^31 - 1. A head of zeros is not ready: `initHead`.
 *
 * Which objects the reader met he must ask themselves: each may have become another since the pointer to it was loaded. So its key is atomic, compared, and compared again after what
 * was read of it. Who is moved within one chain, to its head, is met twice; to its tail, or by `replaceRcu` into the place of
 * one further on, it would carry a reader past those between: that is for nodes that have had a grace period since they were in a chain.
 *
 * Law table: hash-chain.ts; NEXT is atomic at all times, since a reader may stand on a node whenever it is added.
 *
 * Guarantees: hash-chain.ts, where nodes wait for a grace period; and where they do not:
 *   H  a walk that ends with its own number has met all nodes that were in its chain all the while, if nodes that readers may stand on are put in by `addHeadRcu` only.
 */

import { type Address, NULL } from "../../memory/address.js";
import { ListError } from "./errors.js";
import { HashChain } from "./hash-chain.js";
import { type EachEntry, entryOf } from "./list-view.js";

/** One thread's view of hash lists with numbered ends. */
export class RcuHlistNulls extends HashChain {
  protected writeNext(node: Address, next: Address): void {
    this.memory.store(node, next);
  }

  /** Make the head of an empty chain. @param nulls its number, from 0 to 2^31 - 1 */
  initHead(head: Address, nulls: number): void {
    this.mayUpdate("initHead()", head);
    this.memory.store(head, ~nulls);
  }

  /** Whether what `firstRcu` or `nextRcu` gave is an end. */
  isANulls(pointer: Address): boolean {
    return pointer <= NULL;
  }

  /** The number of an end. */
  getNullsValue(pointer: Address): number {
    return ~pointer;
  }

  /**
   * The entries of a chain, as far as it goes.
   * @returns the number of the end it came to: if it is not the chain's own, begin again. Undefined when `fn` ended the walk
   */
  forEachEntryRcu(head: Address, member: number, fn: EachEntry): number | undefined {
    const end = this.walk(this.firstRcu(head), member, fn);
    return end === undefined ? undefined : this.getNullsValue(end);
  }

  /** As `forEachEntryRcu`, and `fn` may delete or move the entry that it is given, with the lock. */
  forEachEntrySafe(head: Address, member: number, fn: EachEntry): number | undefined {
    let node = this.firstRcu(head);
    while (node > NULL) {
      const next = this.memory.load(node) as Address;
      if (fn(entryOf(node, member)) === false) return undefined;
      node = next;
    }
    return this.getNullsValue(node);
  }

  /**
   * The first entry for which `matches` holds; begins again when it was carried to another chain. In one section.
   * @param nulls the chain's number
   * @param matches looks at the entry's key; true only if it still is that entry's after all that was read of it
   * @returns the entry, or NULL
   * @throws ListError (ERR_NOT_LINKED): the head was never made one by `initHead`
   */
  lookup(head: Address, nulls: number, member: number, matches: (entry: Address) => boolean): Address {
    for (;;) {
      let found: Address = NULL;
      const end = this.forEachEntryRcu(head, member, (entry) => {
        if (!matches(entry)) return true;
        found = entry;
        return false;
      });
      if (end === undefined || end === nulls) return found;
      if (end < 0 && this.memory.load(head) === NULL)
        throw new ListError("ERR_NOT_LINKED", `lookup() in the chain ${nulls} came to an end without a number: initHead() makes a head of zeros one.`);
    }
  }
}
