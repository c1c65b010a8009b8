/**
 * Torture of the lists with embedded links, RcuList, RcuHlist and RcuHlistNulls, as a caller uses them: under a lock of his own, and retiring himself what he has deleted.
 *
 * Anchors are there all the while: every walk shows each of its list once and in order. Others come and go between them; each says where it was put in, and is counted (items.ts).
 */

import type { Shared } from "../../src/index.js";
import { type Address, field, NULL } from "../../src/memory/address.js";
import { ItemState } from "./items.js";
import { BOTH_WAYS, CHAIN, CHAINS, COMING, FEEDER, Ground, LISTS, MAIN, MEMBER, NULLS, NULLS_CHAINS, type Told } from "./rculist-ground.js";
import { ListReader, Shown } from "./rculist-reader.js";
import type { Stage } from "./stage.js";
import { Step, type Thread } from "./thread.js";
import { type Work, workOf } from "./work.js";

/** Entries of a list above which more go than come. */
const MANY = 25;
/** The same of a chain with a numbered end: the fewer, the likelier is one moved that a reader stands on. */
const MANY_OBJECTS = 8;
/** Updates of the two lists of which one is a splice: it keeps all other writers waiting for a grace period. */
const SPLICES = 40;
/** The same of a splicer; of so many who are to die one is one, so that some die in the few stores of a splice. */
const SPLICES_OF_SPLICER = 2;
const SPLICERS = 3;

interface Entry {
  readonly entry: Address;
  readonly told: Told;
}

class Worker {
  readonly reader: ListReader;
  readonly #t: Thread;
  readonly #isSplicer: boolean;

  constructor(thread: Thread) {
    this.#t = thread;
    this.#isSplicer = thread.job.appointment !== undefined && thread.job.life % SPLICERS === 0;
    this.reader = new ListReader(thread, () => this.#ground);
  }

  readonly #open = (shared: Shared): Ground => new Ground(shared, this.#t.job.own);

  get #ground(): Ground {
    return this.#t.opened(this.#open);
  }

  /** One update, with the lock. */
  update(): void {
    const t = this.#t;
    const ground = this.#ground;
    t.self.step(Step.UPDATE);
    t.counts.updates++;
    const list = t.random.below(this.#isSplicer ? BOTH_WAYS : LISTS);
    t.begin(`an update of list ${list}`);
    t.mayDieIn(() => ground.lock()); // which repairs, where another has died
    let failed = true;
    try {
      if (list < CHAIN) this.#updateList(ground, list);
      else if (list < NULLS) this.#updateChain(ground, list);
      else this.#updateNulls(ground, list);
      failed = false;
    } finally {
      ground.unlock(failed);
    }
    t.self.step(Step.TURN);
  }

  /** A splice that is awaited. */
  async spliceOverTurns(): Promise<void> {
    const t = this.#t;
    const ground = this.#ground;
    t.self.step(Step.SYNC);
    t.begin("a splice over turns");
    ground.lock();
    try {
      const [from, to] = [ground.head(FEEDER), ground.head(MAIN)];
      await (t.oneIn(2) ? ground.list.spliceInitRcuAsync(from, to) : ground.list.spliceTailInitRcuAsync(from, to));
    } finally {
      ground.unlock();
    }
  }

  // What is known of entries and items ------------------------------------------------------------------

  #entriesOf(ground: Ground, list: number): Entry[] {
    return ground.entriesOf(list).flatMap((entry) => {
      const told = ground.read(entry);
      if (told === undefined) this.#t.fail("torn", `the writer of list ${list} found ${entry}, which is no entry`);
      return told === undefined ? [] : [{ entry, told }];
    });
  }

  /** A new entry for an item; undefined when no more may come. */
  #newEntry(ground: Ground, list: number, segment: number): { readonly link: Address; readonly item: number } | undefined {
    const item = ground.items.next();
    if (item === 0) return undefined;
    const entry = ground.make({ key: COMING + item, version: 0, list, segment }, this.#t.random.pick([0, 0, 16, 100]));
    return entry === NULL ? undefined : { link: field(entry, MEMBER), item };
  }

  #put(ground: Ground, item: number, list: number): void {
    ground.items.say(item, ItemState.IN);
    this.reader.put(item, list);
  }

  /** Take an item out by `del`. */
  #take(ground: Ground, item: number, del: () => void): void {
    ground.items.say(item, ItemState.TAKING);
    this.#t.mayDieIn(del);
    if ((ground.items.say(item, ItemState.OUT) & ItemState.OUT) !== 0) this.#t.fail("twice", `item ${item} was taken out twice`);
    this.reader.took(item);
  }

  #remove(ground: Ground, { entry, told }: Entry, del: (link: Address) => void): void {
    this.#take(ground, told.key - COMING, () => del(field(entry, MEMBER)));
    this.#t.domain.retire(entry);
  }

  /** The same anew, in the place of an old one; an anchor gets a new version. */
  #replace(ground: Ground, { entry, told }: Entry, replace: (old: Address, link: Address) => void): void {
    const version = told.key < COMING ? this.#t.tally.nextVersion() : told.version;
    const anew = ground.make({ ...told, version }, this.#t.random.pick([0, 16]));
    if (anew === NULL) return;
    this.#t.mayDieIn(() => replace(field(entry, MEMBER), field(anew, MEMBER)));
    this.#t.domain.retire(entry);
  }

  // Lists -------------------------------------------------------------------------------------------------

  #updateList(ground: Ground, which: number): void {
    const t = this.#t;
    const { list } = ground;
    const entries = this.#entriesOf(ground, which);
    const items = entries.filter(({ told }) => told.key >= COMING);
    const kind = t.random.below(12);
    if (which !== BOTH_WAYS && t.oneIn(this.#isSplicer ? SPLICES_OF_SPLICER : SPLICES)) {
      t.segment("a splice");
      const [from, to] = [ground.head(FEEDER), ground.head(MAIN)];
      const sync = (): void => t.mayNotDieIn(() => t.domain.synchronizeSync({ expedited: t.oneIn(2) }));
      t.mayDieIn(() => (t.oneIn(2) ? list.spliceInitRcu(from, to, sync) : list.spliceTailInitRcu(from, to, sync)));
    } else if (which !== BOTH_WAYS && kind < 3 && entries.length > 0) {
      this.#replace(ground, t.random.pick(entries), (old, link) => list.replaceRcu(old, link));
    } else if (kind < (entries.length > MANY ? 9 : 5) && items.length > 0) {
      this.#remove(ground, t.random.pick(items), (link) => (which === BOTH_WAYS ? list.bidirDelRcu(link) : list.delRcu(link)));
    } else this.#insertIntoList(ground, which, entries);
  }

  #insertIntoList(ground: Ground, which: number, entries: readonly Entry[]): void {
    const t = this.#t;
    const { list } = ground;
    const anchors = entries.filter(({ told }) => told.key < COMING);
    const atTail = t.oneIn(2);
    // Between a head, or an anchor, and what comes next, or was before.
    const at = t.random.below(anchors.length + 1);
    const place = at === 0 ? ground.head(which) : field((anchors[at - 1] as Entry).entry, MEMBER);
    const segment = at > 0 ? (atTail ? at - 1 : at) : atTail ? anchors.length : 0;
    const made = this.#newEntry(ground, which, segment);
    if (made === undefined) return;
    t.mayDieIn(() => (atTail ? list.addTailRcu(made.link, place) : list.addRcu(made.link, place)));
    this.#put(ground, made.item, which);
  }

  // Chains ------------------------------------------------------------------------------------------------

  #updateChain(ground: Ground, which: number): void {
    const t = this.#t;
    const { hash } = ground;
    const entries = this.#entriesOf(ground, which);
    const items = entries.filter(({ told }) => told.key >= COMING);
    const kind = t.random.below(12);
    if (t.oneIn(4)) t.mayDieIn(() => hash.swapHeadsRcu(ground.head(CHAIN), ground.head(CHAIN + CHAINS - 1)));
    else if (kind < 3) this.#replace(ground, t.random.pick(entries), (old, link) => hash.replaceRcu(old, link));
    else if (kind < (entries.length > MANY ? 9 : 5) && items.length > 0)
      this.#remove(ground, t.random.pick(items), (link) => (t.oneIn(2) ? hash.delRcu(link) : hash.delInitRcu(link)));
    else this.#insertIntoChain(ground, which, entries);
  }

  #insertIntoChain(ground: Ground, which: number, entries: readonly Entry[]): void {
    const t = this.#t;
    const { hash } = ground;
    const anchors = entries.filter(({ told }) => told.key < COMING);
    const at = t.random.below(anchors.length);
    const kind = t.random.below(4);
    const { entry, told } = anchors[at] as Entry;
    const made = this.#newEntry(ground, told.list, [0, anchors.length, at, at + 1][kind] as number);
    if (made === undefined) return;
    t.mayDieIn(() => {
      if (kind === 0) hash.addHeadRcu(made.link, ground.head(which));
      else if (kind === 1) hash.addTailRcu(made.link, ground.head(which));
      else if (kind === 2) hash.addBeforeRcu(made.link, field(entry, MEMBER));
      else hash.addBehindRcu(made.link, field(entry, MEMBER));
    });
    this.#put(ground, made.item, told.list);
  }

  // Chains with numbered ends -----------------------------------------------------------------------------

  #updateNulls(ground: Ground, which: number): void {
    const t = this.#t;
    const { nulls, items } = ground;
    const coming = ground.entriesOf(which).filter((object) => ground.keyOf(object) >= COMING);
    const kind = t.random.below(10);
    if (coming.length > 0 && kind < (coming.length > MANY_OBJECTS ? 8 : 4)) {
      const object = t.random.pick(coming);
      const link = field(object, MEMBER);
      this.#take(ground, ground.keyOf(object) - COMING, () => (t.oneIn(2) ? nulls.delRcu(link) : nulls.delInitRcu(link)));
      if (t.oneIn(2)) ground.freeObject(object);
      else this.#addObject(ground, object, NULLS + t.random.below(NULLS_CHAINS)); // at once, readers or not
    } else if (coming.length > 0 && kind < 6) {
      // The first, since readers may stand on the object that takes its place, as it was: further on it would carry them past others.
      const [old, item] = [coming[0] as Address, items.next()];
      const object = item === 0 ? NULL : ground.takeObject();
      if (object === NULL) return;
      ground.sayKey(object, COMING + item, t.tally.nextVersion());
      this.#take(ground, ground.keyOf(old) - COMING, () => nulls.replaceRcu(field(old, MEMBER), field(object, MEMBER)));
      this.#put(ground, item, which);
      ground.freeObject(old);
    } else {
      const object = ground.takeObject();
      if (object !== NULL) this.#addObject(ground, object, which);
    }
  }

  #addObject(ground: Ground, object: Address, list: number): void {
    const item = ground.items.next();
    if (item === 0) {
      ground.freeObject(object);
      return;
    }
    ground.sayKey(object, COMING + item, this.#t.tally.nextVersion());
    const link = field(object, MEMBER);
    this.#t.mayDieIn(() => ground.nulls.addHeadRcu(link, ground.head(list))); // not at the tail: a reader on it would be carried past the others
    this.#put(ground, item, list);
  }
}

/** Main's part. */
export const rculists: Stage = {
  open: (shared, own) => [new Ground(shared, own)],
  fill: (shared, _random, own) => new Ground(shared, own).fill(),
  judge(shared, own, _kills, fail) {
    const ground = new Ground(shared, own);
    ground.lock(); // and mend what the last ones have left
    const there = new Set<number>();
    const see = (item: number): void => {
      if (there.has(item)) fail("twice", `item ${item} is in two lists`);
      there.add(item);
    };
    for (let list = 0; list < NULLS; list++) {
      const shown = new Shown(list, fail);
      for (const entry of ground.entriesOf(list)) {
        const told = ground.read(entry);
        if (told === undefined) fail("torn", `${entry} in list ${list} is no entry`);
        else shown.see(told);
      }
      shown.end();
      for (const item of shown.items) see(item);
    }
    for (let list = NULLS; list < LISTS; list++) {
      for (const object of ground.entriesOf(list)) {
        const key = ground.keyOf(object);
        if (ground.isWhole(object, key) !== true) fail("torn", `the object ${object} of key ${key} in chain ${list} is not whole`);
        if (key >= COMING) see(key - COMING);
      }
    }
    for (const wrong of ground.violations()) fail("torn", wrong);
    ground.items.judge((item) => there.has(item), fail);
    ground.unlock();
  },
};

/** A thread's. */
export function workOnRculists(thread: Thread): Work {
  const worker = new Worker(thread);
  return workOf(thread, {
    read: () => worker.reader.read(),
    update: () => worker.update(),
    choosesDeaths: true,
    specialTurns: 200,
    special: () => worker.spliceOverTurns(),
  });
}
