/**
 * The doubly linked list under RCU: the kernel's `list_*_rcu` (include/linux/rculist.h, list.h), on heads and entries at any address.
 *
 *          head               a                  b
 *        | NEXT  ------>  | NEXT  ------>  | NEXT  ------>  head
 *  b <------ PREV |   head <-- PREV |   a <--- PREV |
 *
 * A head or entry is two words (`listHead` in a struct; `offsetOf` says how far into it, which the functions take as `member`). Readers walk by NEXT in a section and take no lock;
 * writers hold the list's. An update is published by one store, to the NEXT of the one before. What was deleted keeps its NEXT, so that a reader who stands on it goes on from
 * there; it may be freed, or added again, after a grace period.
 *
 * Deliberately absent, as in the kernel: `listEmptyRcu` and `listFirstEntryRcu`. Who asks whether a list is empty and then takes its first entry loads NEXT twice, and between the
 * two the list may have become empty: what he takes for an entry is the head. `firstOrNullRcu` loads once.
 *
 * Splicing takes a grace period between unlinking and linking anew: a reader on its way through the entries must come to the end of the list it began in. Meanwhile the head's PREV
 * holds the complement of the last entry, by which `repair` finds the entries when the writer died.
 *
 *   list | NEXT=list, PREV=~c |   a <-> b <-> c     nobody's, until the grace period is over
 *
 * Law table
 *   word   class
 *   NEXT   private until the entry is added; atomic
 *   PREV   private until the entry is added; atomic (readers that go backwards); stored only with the lock.
 *          LIST_POISON2 in a deleted entry (but for `bidirDelRcu`); of a head, negative while its entries are being spliced
 *
 * Guarantees
 *   A  a reader sees each update wholly or not at all; what is in the list all the while it sees, once and in order.
 *   B  a reader who stands on a deleted or replaced entry reaches all that comes after it and stays.
 *   C  a reader who began in a spliced list ends at that list's head.
 *   D  who goes backwards, in a list where deleting is by `bidirDelRcu` only, and nothing is replaced, comes to the head, by entries that are or were in the list.
 *   E  NEXT alone is the truth: a writer that dies leaves the list as before its call or as after it, and `repair` mends PREV and ends or undoes a splice.
 *   F  deleting twice is refused, and changes nothing.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Domain } from "../../rcu/domain.js";
import { ListError } from "./errors.js";
import { type EachEntry, entryOf, LIST_POISON2, ListView } from "./list-view.js";

const PREV = 1;

/** Entries that are on their way from one list to another. */
interface Body {
  readonly first: Address;
  readonly last: Address;
}

/** One thread's view of lists. */
export class RcuList extends ListView {
  // Reading: in a section, or with the lock -----------------------------------------------------------

  /** What comes after a head or entry: an entry's link, or the head. Loop by it where speed counts. */
  nextRcu(link: Address): Address {
    this.mayRead("nextRcu()", link);
    return this.memory.load(link) as Address;
  }

  /** The last entry's link, or the head; for walking backwards by `bidirPrevRcu`. */
  tailRcu(head: Address): Address {
    this.mayRead("tailRcu()", head);
    const last = this.memory.load(field(head, PREV));
    return last < 0 ? head : (last as Address); // its entries are being spliced: it is empty
  }

  /** What comes before an entry, in a list where deleting is by `bidirDelRcu` only. @throws ListError (ERR_NOT_LINKED): it was deleted or replaced otherwise */
  bidirPrevRcu(link: Address): Address {
    this.mayRead("bidirPrevRcu()", link);
    const prev = this.memory.load(field(link, PREV));
    if (prev === LIST_POISON2) this.wayBack("bidirPrevRcu()", link, prev);
    return prev < 0 ? link : (prev as Address); // as tailRcu()
  }

  /** The struct whose embedded link a pointer leads to. */
  entryRcu(pointer: Address, member: number): Address {
    this.mayRead("entryRcu()", pointer);
    return entryOf(this.memory.load(pointer) as Address, member);
  }

  /** As `entryRcu`, where no section is needed: entries are never freed, or something else keeps them. */
  entryLockless(pointer: Address, member: number): Address {
    return entryOf(this.memory.load(pointer) as Address, member);
  }

  /** The first entry, or NULL. */
  firstOrNullRcu(head: Address, member: number): Address {
    return this.nextOrNullRcu(head, head, member);
  }

  /** The entry after a link, or NULL. */
  nextOrNullRcu(head: Address, link: Address, member: number): Address {
    const next = this.nextRcu(link);
    return next === head ? NULL : entryOf(next, member);
  }

  forEachEntryRcu(head: Address, member: number, fn: EachEntry): void {
    this.forEachEntryFromRcu(entryOf(this.nextRcu(head), member), head, member, fn);
  }

  /** As `forEachEntryRcu`, for readers in a section of another domain (a phase domain, SRCU), in which the entries are retired. */
  forEachEntrySrcu(head: Address, member: number, srcu: Domain, fn: EachEntry): void {
    this.mayRead("forEachEntrySrcu()", head, srcu);
    this.forEachEntryLockless(head, member, fn);
  }

  /** As `forEachEntryRcu`, where no section is needed. */
  forEachEntryLockless(head: Address, member: number, fn: EachEntry): void {
    this.#walk(this.memory.load(head) as Address, head, member, fn);
  }

  /** The entries after this one. */
  forEachEntryContinueRcu(entry: Address, head: Address, member: number, fn: EachEntry): void {
    this.#walk(this.nextRcu(field(entry, member)), head, member, fn);
  }

  /** This entry and those after it. */
  forEachEntryFromRcu(entry: Address, head: Address, member: number, fn: EachEntry): void {
    this.mayRead("forEachEntryFromRcu()", head);
    this.#walk(field(entry, member), head, member, fn);
  }

  #walk(from: Address, head: Address, member: number, fn: EachEntry): void {
    for (let link = from; link !== head; link = this.memory.load(link) as Address) {
      if (fn(entryOf(link, member)) === false) return;
    }
  }

  // Updating: with the lock -----------------------------------------------------------------------------

  /** Make a head of an empty list (INIT_LIST_HEAD_RCU), also of one that readers walk: they go on through its entries to their end. */
  initHead(head: Address): void {
    this.mayUpdate("initHead()", head);
    this.memory.store(field(head, PREV), head);
    this.memory.store(head, head);
  }

  /** Add an entry after a head or entry: at the beginning, after a head. @throws ListError (ERR_NOT_LINKED, ERR_LIST_CORRUPT): that one was deleted */
  addRcu(entry: Address, head: Address): void {
    this.mayUpdate("addRcu()", head);
    this.#insert(entry, head, this.#after("addRcu()", head));
  }

  /** What comes after a head or entry, seen to lead back to it (the kernel's __list_add_valid, __list_del_entry_valid). @throws ListError */
  #after(operation: string, link: Address): Address {
    const next = this.memory.load(link) as Address;
    if (next !== NULL && this.memory.load(field(next, PREV)) === link) return next;
    this.#before(operation, link); // it was deleted, mostly
    throw new ListError(
      "ERR_LIST_CORRUPT",
      `${operation} at ${link}, which leads to ${next}, but that does not lead back: it is being spliced, somebody changed the list without its lock, or a writer died and nobody called repair().`,
    );
  }

  /** Add an entry before a head or entry: at the end, before a head. @throws ListError (ERR_NOT_LINKED) */
  addTailRcu(entry: Address, head: Address): void {
    this.mayUpdate("addTailRcu()", head);
    this.#insert(entry, this.#before("addTailRcu()", head), head);
  }

  #insert(entry: Address, prev: Address, next: Address): void {
    const { memory } = this;
    memory.write(entry, next);
    memory.write(field(entry, PREV), prev);
    memory.store(prev, entry); // publishes; pairs with the load of whoever walks
    memory.store(field(next, PREV), entry);
  }

  /** What is before an entry, seen to lead to it. @throws ListError */
  #before(operation: string, entry: Address): Address {
    const prev = this.wayBack(operation, entry, this.memory.load(field(entry, PREV)));
    this.mustLead(operation, entry, prev);
    return prev;
  }

  /** Take an entry out. It may be freed, or added again, after a grace period. @throws ListError (ERR_NOT_LINKED, ERR_LIST_CORRUPT): deleted already */
  delRcu(entry: Address): void {
    this.#unlink("delRcu()", entry);
    this.memory.store(field(entry, PREV), LIST_POISON2); // its NEXT stays: readers may stand on it
  }

  /** As `delRcu`, in a list that readers walk backwards, too: the entry keeps both ways. Never both in one list. @throws as `delRcu` */
  bidirDelRcu(entry: Address): void {
    this.#unlink("bidirDelRcu()", entry);
  }

  #unlink(operation: string, entry: Address): void {
    const { memory } = this;
    this.mayUpdate(operation, entry);
    const prev = this.#before(operation, entry);
    const next = this.#after(operation, entry);
    memory.store(field(next, PREV), prev);
    memory.store(prev, next); // commits
  }

  /** Put a new entry in the place of an old one, which may be freed after a grace period. @throws as `delRcu` */
  replaceRcu(old: Address, entry: Address): void {
    const { memory } = this;
    this.mayUpdate("replaceRcu()", old);
    const prev = this.#before("replaceRcu()", old);
    this.#insert(entry, prev, this.#after("replaceRcu()", old));
    memory.store(field(old, PREV), LIST_POISON2);
  }

  // Splicing --------------------------------------------------------------------------------------------

  /**
   * Move all entries of `list` to the beginning of the list of `head`, with the lock of both. Between the two nobody finds them, for a grace period.
   * @param sync waits for the readers of `list`; default `domain.synchronizeSync`
   * @throws ListError (ERR_SPLICE); ContextError (in a section, under a spin lock); what `sync` throws. The entries are in `list` then
   */
  spliceInitRcu(list: Address, head: Address, sync?: () => void): void {
    this.#splice("spliceInitRcu()", list, head, sync, false);
  }

  /** As `spliceInitRcu`, to the end. @throws as `spliceInitRcu` */
  spliceTailInitRcu(list: Address, head: Address, sync?: () => void): void {
    this.#splice("spliceTailInitRcu()", list, head, sync, true);
  }

  /** As `spliceInitRcu`, where the thread may not block; the lock is held until the promise is settled. @throws as `spliceInitRcu` */
  async spliceInitRcuAsync(list: Address, head: Address, sync?: () => PromiseLike<void>): Promise<void> {
    await this.#spliceAsync("spliceInitRcuAsync()", list, head, sync, false);
  }

  /** As `spliceTailInitRcu`, where the thread may not block; the lock is held until the promise is settled. @throws as `spliceInitRcu` */
  async spliceTailInitRcuAsync(list: Address, head: Address, sync?: () => PromiseLike<void>): Promise<void> {
    await this.#spliceAsync("spliceTailInitRcuAsync()", list, head, sync, true);
  }

  #splice(operation: string, list: Address, head: Address, sync: () => void = () => this.domain.synchronizeSync(), atTail: boolean): void {
    const body = this.#detach(operation, list, head);
    if (body === undefined) return;
    try {
      sync();
      this.#before(operation, head); // which is not being spliced itself by now
    } catch (error) {
      this.#giveBack(list, body);
      throw error;
    }
    this.#attach(list, body, head, atTail);
  }

  async #spliceAsync(
    operation: string,
    list: Address,
    head: Address,
    sync: () => PromiseLike<void> = () => this.domain.synchronize(),
    atTail: boolean,
  ): Promise<void> {
    const body = this.#detach(operation, list, head);
    if (body === undefined) return;
    try {
      await sync();
      this.#before(operation, head);
    } catch (error) {
      this.#giveBack(list, body);
      throw error;
    }
    this.#attach(list, body, head, atTail);
  }

  /** Take all entries out of a list, whose head says where they are; undefined when there are none. */
  #detach(operation: string, list: Address, head: Address): Body | undefined {
    const { memory } = this;
    this.mayUpdate(operation, list);
    this.domain.beforeUpdate(operation);
    if (list === head) throw new ListError("ERR_SPLICE", `${operation} of the list at ${list} into itself: give it another head.`);
    const first = memory.load(list) as Address;
    const last = this.#before(operation, list);
    if (first === list) return undefined;
    this.#before(operation, head);
    memory.store(field(list, PREV), ~last); // from here on `repair` finds the entries
    memory.store(list, list); // commits: it is empty
    return { first, last };
  }

  #giveBack(list: Address, { first, last }: Body): void {
    const { memory } = this;
    memory.store(last, list);
    memory.store(list, first); // commits
    memory.store(field(list, PREV), last);
  }

  /** No reader of `list` is left in the body: link it into another list. */
  #attach(list: Address, { first, last }: Body, head: Address, atTail: boolean): void {
    const { memory } = this;
    const prev = atTail ? (memory.load(field(head, PREV)) as Address) : head;
    const next = memory.load(prev) as Address;
    memory.store(last, next);
    memory.store(prev, first); // publishes
    memory.store(field(first, PREV), prev);
    memory.store(field(next, PREV), last);
    memory.store(field(list, PREV), list);
  }

  // After a writer's death ----------------------------------------------------------------------------------

  /**
   * After a writer died with the lock (its next `lock()` gives true): mend the way back in these lists, which the lock guards, and end or undo a splice between any of them. May be repeated.
   * What was being added and is not in its list, and what was deleted and not retired, the lists' owner knows (a tracked cache's `liveObjects`).
   */
  repair(...heads: Address[]): void {
    for (const head of heads) {
      this.mayUpdate("repair()", head);
      this.#endSplice(head);
      this.#mend(head);
    }
  }

  /** Each PREV on the way round, as NEXT says. */
  #mend(from: Address): void {
    const { memory } = this;
    let prev = from;
    do {
      const link = memory.load(prev) as Address;
      if (memory.load(field(link, PREV)) !== prev) memory.store(field(link, PREV), prev);
      prev = link;
    } while (prev !== from);
  }

  /** If a writer died while it spliced this list: its entries are in the other list, or come back. */
  #endSplice(list: Address): void {
    const { memory } = this;
    const mark = memory.load(field(list, PREV));
    if (mark >= 0 || memory.load(list) !== list) return;
    const last = ~mark as Address;
    const goal = memory.load(last) as Address;
    // Round the other list, if they were about to be linked into one: they are in it, or its NEXTs pass them by.
    let link = goal;
    if (goal !== list)
      do link = memory.load(link) as Address;
      while (link !== goal && link !== last);
    if (link === last) {
      this.#mend(goal);
      memory.store(field(list, PREV), list);
      return;
    }
    let first = last; // their own PREVs are as they were, up to the head
    for (let prev = memory.load(field(first, PREV)); prev !== list; prev = memory.load(field(first, PREV))) first = prev as Address;
    this.#giveBack(list, { first, last });
  }
}
