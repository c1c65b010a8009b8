/**
 * Readers of the lists with embedded links: what walks and lookups must show (rculists.ts).
 *
 * A walk may stand on an entry for a while, which may be deleted, replaced, spliced or swapped meanwhile: that stays what it is, and the walk goes on to the end it was on its way to.
 */

import { type Address, field, NULL } from "../../src/memory/address.js";
import { anchorKey, anchorsIn, BOTH_WAYS, CHAIN, COMING, FEEDER, type Ground, LISTS, MAIN, MEMBER, NULLS, type Told } from "./rculist-ground.js";
import type { ErrorKind } from "./tally.js";
import { Step, type Thread } from "./thread.js";

/** Items that a thread remembers to have taken out. */
const MOST_GONE = 32;
/** Entries that no walk shows so many of. */
const MOST = 100_000;

type Fail = (kind: ErrorKind, what: string) => void;
type See = (entry: Address) => boolean;

/** What one walk has shown. */
export class Shown {
  anchors = 0;
  readonly items = new Set<number>();
  /** The list, or chain, that the entries are of; the head's until the first has been seen. */
  list: number;
  readonly #from: number;
  readonly #fail: Fail;
  readonly #backwards: boolean;

  constructor(from: number, fail: Fail, backwards = false) {
    this.#from = from;
    this.list = from;
    this.#fail = fail;
    this.#backwards = backwards;
  }

  see({ key, list, segment }: Told): void {
    const from = this.#from;
    // The heads of chains exchange them, between walks or before the first entry; and what was spliced into MAIN says FEEDER.
    const isFirst = this.anchors === 0 && this.items.size === 0;
    if (isFirst && from >= CHAIN && list >= CHAIN) this.list = list;
    if (list !== this.list && !(from === MAIN && list === FEEDER))
      this.#fail("order", `the list ${from} showed an entry of list ${list} after one of ${this.list}`);
    const passed = this.#backwards ? anchorsIn(this.list) - this.anchors : this.anchors;
    if (key < COMING) {
      const expected = anchorKey(this.list, this.#backwards ? passed - 1 : passed);
      if (key !== expected) this.#fail("order", `the list ${from} showed the anchor ${key} where ${expected} must come`);
      this.anchors++;
      return;
    }
    const item = key - COMING;
    if (list !== FEEDER && segment !== passed) this.#fail("order", `item ${item} of segment ${segment} was shown in segment ${passed} of list ${from}`);
    if (this.items.has(item)) this.#fail("twice", `item ${item} was shown twice in list ${from}`);
    this.items.add(item);
  }

  /** The walk came to the list's end. */
  end(): void {
    const all = anchorsIn(this.list);
    if (this.anchors !== all) this.#fail("missing", `${this.anchors} of ${all} anchors of list ${this.#from} were shown`);
  }
}

/** Reads for a thread. */
export class ListReader {
  readonly #t: Thread;
  readonly #ground: () => Ground;
  readonly #fail: Fail;
  readonly #versions = new Map<number, number>();
  readonly #gone: number[] = [];
  /** By list or chain: the item put in last by this thread. */
  readonly #last = new Map<number, number>();

  constructor(thread: Thread, ground: () => Ground) {
    this.#t = thread;
    this.#ground = ground;
    this.#fail = (kind, what) => thread.fail(kind, what);
  }

  /** This thread has put an item into a list. */
  put(item: number, list: number): void {
    if (list !== FEEDER) this.#last.set(list, item); // of that, items are in no list in the midst of a splice
  }

  /** This thread has taken an item out. */
  took(item: number): void {
    this.#gone.push(item);
    if (this.#gone.length > MOST_GONE) this.#gone.shift();
  }

  read(): void {
    const t = this.#t;
    const ground = this.#ground(); // opened before the section
    t.counts.reads++;
    const list = t.random.below(LISTS);
    // Some stand on an entry for as long as grace periods take, or longer.
    const milliseconds = t.oneIn(100) ? t.random.below(t.oneIn(20) ? 100 : 4) : 0;
    t.begin(`list ${list}${milliseconds > 0 ? `, ${milliseconds} ms on an entry` : ""}`);
    if (milliseconds > 4) t.self.step(Step.LONG_SECTION);
    t.domain.read(() => {
      const cookie = milliseconds > 0 ? t.checkedCookie() : undefined;
      if (list < NULLS) this.#walk(ground, list, milliseconds);
      else this.#lookUp(ground, list, milliseconds);
      cookie?.notYet();
    });
    t.self.step(Step.TURN);
  }

  #stand(milliseconds: number): void {
    for (const ends = performance.now() + milliseconds; performance.now() < ends; ) this.#t.domain.quiescent(); // is none in here
  }

  // Lists and chains ----------------------------------------------------------------------------------------

  #walk(ground: Ground, list: number, milliseconds: number): void {
    const t = this.#t;
    const backwards = list === BOTH_WAYS && t.oneIn(2);
    const shown = new Shown(list, this.#fail, backwards);
    const { items } = ground;
    const last = [...this.#last].filter(([, item]) => items.isIn(item));
    let steps = 0;
    const standAt = milliseconds > 0 ? t.random.from(1, 10) : 0;
    const see: See = (entry) => {
      const told = ground.read(entry);
      if (told === undefined || ++steps > MOST) {
        this.#fail(
          told === undefined ? "freed" : "order",
          `list ${list}: step ${steps} led to ${entry}, which is ${told === undefined ? "no entry" : "one too many"}`,
        );
        return false;
      }
      shown.see(told);
      if (told.key < COMING) this.#version(told);
      if (steps === standAt) {
        this.#stand(milliseconds);
        const now = ground.read(entry);
        if (now?.key !== told.key || now.version !== told.version || ground.isPutBack(entry))
          this.#fail("freed", `list ${list}: item ${told.key} became ${JSON.stringify(now)} under who stood on it for ${milliseconds} ms`);
      }
      return true;
    };
    if (!(list < CHAIN ? this.#alongList(ground, list, backwards, see) : this.#alongChain(ground, list, see))) return; // told
    shown.end();
    for (const item of this.#gone) if (shown.items.has(item)) this.#fail("twice", `item ${item} was shown after it had been taken out`);
    for (const [of, item] of last) {
      if (of === shown.list && items.isIn(item) && !shown.items.has(item))
        this.#fail("missing", `item ${item} was in list ${of} all the while, and was not shown`);
    }
  }

  #version({ key, version }: Told): void {
    const known = this.#versions.get(key) ?? 0;
    if (version < known) this.#fail("backwards", `the anchor ${key} went from version ${known} back to ${version}`);
    this.#versions.set(key, version);
  }

  /** In one of the ways there are; gives whether it came to the end. */
  #alongList(ground: Ground, which: number, backwards: boolean, see: See): boolean {
    const { list } = ground;
    const head = ground.head(which);
    if (backwards) {
      let link = list.tailRcu(head);
      while (link !== head && see(field(link, -MEMBER))) link = list.bidirPrevRcu(link);
      return link === head;
    }
    switch (this.#t.random.below(3)) {
      case 0: {
        let link = list.nextRcu(head);
        while (link !== head && see(field(link, -MEMBER))) link = list.nextRcu(link);
        return link === head;
      }
      case 1: {
        let entry = list.firstOrNullRcu(head, MEMBER);
        while (entry !== NULL && see(entry)) entry = list.nextOrNullRcu(head, field(entry, MEMBER), MEMBER);
        return entry === NULL;
      }
      default: {
        let ended = true;
        list.forEachEntryRcu(head, MEMBER, (entry) => {
          ended = see(entry);
          return ended;
        });
        return ended;
      }
    }
  }

  #alongChain(ground: Ground, which: number, see: See): boolean {
    const { hash } = ground;
    const head = ground.head(which);
    if (this.#t.oneIn(2)) {
      let node = hash.firstRcu(head);
      while (node !== NULL && see(field(node, -MEMBER))) node = hash.nextRcu(node);
      return node === NULL;
    }
    let ended = true;
    hash.forEachEntryRcu(head, MEMBER, (entry) => {
      ended = see(entry);
      return ended;
    });
    return ended;
  }

  // Chains with numbered ends -------------------------------------------------------------------------------

  #lookUp(ground: Ground, list: number, milliseconds: number): void {
    const t = this.#t;
    const anchors = Array.from({ length: anchorsIn(list) }, (_, anchor) => anchorKey(list, anchor));
    switch (t.random.below(4)) {
      case 0: {
        const left = new Set(anchors);
        let steps = 0;
        const end = ground.nulls.forEachEntryRcu(ground.head(list), MEMBER, (entry) => {
          left.delete(ground.keyOf(entry));
          if (++steps === 2) this.#stand(milliseconds);
          return steps < MOST;
        });
        if (end === ground.nullsOf(list) && left.size > 0)
          this.#fail("missing", `chain ${list} came to its own end without its anchors ${[...left].join(" ")}`);
        return;
      }
      case 1: {
        const item = this.#last.get(list);
        if (item === undefined || !ground.items.isIn(item)) return;
        const entry = this.#find(ground, list, COMING + item, milliseconds);
        if (entry === NULL && ground.items.isIn(item)) this.#fail("missing", `item ${item} was in chain ${list} all the while, and was not found`);
        if (entry !== NULL && ground.isWhole(entry, COMING + item) === false) this.#fail("torn", `item ${item} of chain ${list} is not whole`);
        return;
      }
      case 2:
        if (this.#gone.length > 0) {
          const item = t.random.pick(this.#gone);
          if (this.#find(ground, list, COMING + item) !== NULL) this.#fail("twice", `item ${item} was found in chain ${list} after it had been taken out`);
        }
        return;
      default: {
        const key = t.random.pick(anchors);
        const entry = this.#find(ground, list, key, milliseconds);
        if (entry === NULL) this.#fail("missing", `the anchor ${key} was not found in chain ${list}`);
        else if (ground.isWhole(entry, key) !== true) this.#fail("torn", `the anchor ${key} of chain ${list} is not whole`);
      }
    }
  }

  /** By a lookup that stands on the first entry for a while: objects that come stand before anchors. */
  #find(ground: Ground, list: number, key: number, milliseconds = 0): Address {
    let left = milliseconds;
    return ground.nulls.lookup(ground.head(list), ground.nullsOf(list), MEMBER, (entry) => {
      if (ground.keyOf(entry) === key) return true;
      this.#stand(left);
      left = 0;
      return false;
    });
  }
}
