/**
 * Torture of the list: elements that are there all the while are shown once and in their order, what is shown is whole, a reference does what it says or nothing.
 *
 *   segment 0    anchor 0    segment 1    anchor 1    ...    anchor 11    segment 12
 *
 * Anchors are never removed; each is replaced by one seat, in versions that go up. Between them elements come and go; each says which segment it was put into, and is counted (items.ts).
 */

import { jsonOf, type ListRef, type Shared, type SharedList } from "../../src/index.js";
import { ItemState, Items } from "./items.js";
import { dealt } from "./job.js";
import type { Stage } from "./stage.js";
import { isStampedText, type StampedText, stampText } from "./stamped.js";
import type { ErrorKind } from "./tally.js";
import { Step, type Thread } from "./thread.js";
import { type Work, workOf } from "./work.js";

const ANCHORS = 12;
/** Keys of other elements: this, and the item's number. */
const COMING = 1000;
/** Elements above which fewer come than go. */
const MANY = 150;
/** References of removed elements that a thread remembers. */
const GONE = 16;

type List = SharedList<StampedText>;

const openList = (shared: Shared): List => shared.list("things", jsonOf<StampedText>());

/** What a walk over the list gave. */
interface Shown {
  readonly anchors: Map<number, ListRef>;
  readonly comers: Map<number, { readonly ref: ListRef; readonly segment: number }>;
}

/** Walk over the list; all that was there all the while must be shown, in its place. */
function walk(list: List, fail: (kind: ErrorKind, what: string) => void, seen: (anchor: number, version: number) => void): Shown {
  const anchors = new Map<number, ListRef>();
  const comers = new Map<number, { ref: ListRef; segment: number }>();
  for (const [ref, value] of list.entries()) {
    const { key, version } = value;
    if (!isStampedText(value, key)) fail("torn", `an element is ${JSON.stringify(value).slice(0, 200)}`);
    if (key < ANCHORS) {
      if (anchors.has(key)) fail("twice", `anchor ${key} was shown twice`);
      if (key !== anchors.size) fail("order", `anchor ${key} was shown after ${anchors.size} anchors`);
      anchors.set(key, ref);
      seen(key, version);
    } else {
      const item = key - COMING;
      if (comers.has(item)) fail("twice", `item ${item} was shown twice`);
      if (version !== anchors.size) fail("order", `item ${item} of segment ${version} was shown after ${anchors.size} anchors`);
      comers.set(item, { ref, segment: version });
    }
  }
  if (anchors.size !== ANCHORS) fail("missing", `${anchors.size} of ${ANCHORS} anchors were shown`);
  return { anchors, comers };
}

class Worker {
  readonly #t: Thread;
  readonly #items: Items;
  readonly #versions = new Array<number>(ANCHORS).fill(0);
  readonly #own: readonly number[];
  readonly #gone: { readonly item: number; readonly ref: ListRef }[] = [];
  /** The item put in last, by this thread. */
  #last = 0;
  #shown: Shown | undefined;

  constructor(thread: Thread) {
    this.#t = thread;
    this.#items = new Items(thread.job.own);
    this.#own = dealt(ANCHORS, thread.job, () => true);
  }

  get #list(): List {
    return this.#t.opened(openList);
  }

  readonly #fail = (kind: ErrorKind, what: string): void => this.#t.fail(kind, what);

  readonly #seen = (anchor: number, version: number): void => {
    const known = this.#versions[anchor] as number;
    if (version < known) this.#t.fail("backwards", `anchor ${anchor} went from version ${known} back to ${version}`);
    this.#versions[anchor] = version;
  };

  read(): void {
    const t = this.#t;
    t.counts.reads++;
    switch (t.random.below(4)) {
      case 0:
        t.begin("first");
        this.#end("first()", this.#list.first(), 0, 0);
        break;
      case 1:
        t.begin("last");
        this.#end("last()", this.#list.last(), ANCHORS, ANCHORS - 1);
        break;
      default:
        this.#walk();
    }
  }

  /** The first or last value: of the segment there, or, when that is empty, of the anchor. */
  #end(what: string, value: StampedText | undefined, segment: number, anchor: number): void {
    if (value === undefined) this.#t.fail("missing", `${what} found nothing`);
    else if (!isStampedText(value, value.key)) this.#t.fail("torn", `${what} is ${JSON.stringify(value).slice(0, 200)}`);
    else if (value.key < ANCHORS ? value.key !== anchor : value.version !== segment) this.#t.fail("order", `${what} is ${JSON.stringify(value)}`);
    else if (value.key < ANCHORS) this.#seen(value.key, value.version);
  }

  #walk(): Shown {
    const t = this.#t;
    t.begin("entries()");
    const list = this.#list; // opened before the section
    this.#shown = t.oneIn(10) ? t.domain.read(() => this.#inSection(list, t.oneIn(40) ? t.random.below(100) : 0)) : this.#entries(list);
    return this.#shown;
  }

  /** A walk in a section that lasts so many ms. */
  #inSection(list: List, milliseconds: number): Shown {
    const t = this.#t;
    if (milliseconds > 4) t.self.step(Step.LONG_SECTION);
    const cookie = t.checkedCookie();
    let shown: Shown;
    const ends = performance.now() + milliseconds;
    do shown = this.#entries(list);
    while (performance.now() < ends);
    cookie.notYet();
    t.self.step(Step.TURN);
    return shown;
  }

  #entries(list: List): Shown {
    const last = this.#last;
    const shown = walk(list, this.#fail, this.#seen);
    for (const { item } of this.#gone) if (shown.comers.has(item)) this.#t.fail("twice", `item ${item} was shown after it had been removed`);
    if (last !== 0 && this.#items.isIn(last) && !shown.comers.has(last))
      this.#t.fail("missing", `item ${last} was in the list all the while, and was not shown`);
    return shown;
  }

  update(): void {
    const t = this.#t;
    const { random } = t;
    const list = this.#list;
    t.self.step(Step.UPDATE);
    t.counts.updates++;
    const shown = this.#shown ?? this.#walk();
    const kind = random.below(10);
    if (kind < 2 && this.#own.length > 0) this.#replace(shown, random.pick(this.#own));
    else if (kind < 6) this.#insert(shown);
    else {
      const most = list.size > MANY ? 12 : 2;
      for (const [item, { ref }] of shown.comers) {
        if (!t.oneIn(shown.comers.size / most + 1)) continue;
        this.#remove(item, ref);
      }
      this.#shown = undefined;
    }
    if (t.oneIn(10)) this.#shown = undefined;
    t.self.step(Step.TURN);
  }

  /** An anchor that only this thread replaces. */
  #replace({ anchors }: Shown, anchor: number): void {
    const t = this.#t;
    const ref = anchors.get(anchor);
    if (ref === undefined) return; // told
    const value = stampText(anchor, t.tally.nextVersion());
    t.begin(`replace(anchor ${anchor})`);
    if (!this.#list.replace(ref, value)) t.fail("missing", `anchor ${anchor} was not found by its reference`);
    const found = this.#list.get(ref);
    if (found === undefined || !isStampedText(found, anchor) || found.version !== value.version) {
      t.fail("lost", `anchor ${anchor} is ${JSON.stringify(found)?.slice(0, 200)} after version ${value.version} was put in`);
    }
  }

  #insert({ anchors, comers }: Shown): void {
    const t = this.#t;
    const { random } = t;
    const list = this.#list;
    if (list.size > 2 * MANY) return;
    const item = this.#items.next();
    if (item === 0) return;
    const of = (segment: number): StampedText => stampText(COMING + item, segment);
    t.begin(`insert item ${item}`);
    let ref: ListRef | undefined;
    const anchor = random.below(ANCHORS);
    switch (random.below(5)) {
      case 0:
        ref = list.push(of(ANCHORS));
        break;
      case 1:
        ref = list.unshift(of(0));
        break;
      case 2:
        ref = list.insertAfter(anchors.get(anchor) as ListRef, of(anchor + 1));
        break;
      case 3:
        ref = list.insertBefore(anchors.get(anchor) as ListRef, of(anchor));
        break;
      default: {
        const near = [...comers.values()].at(random.below(comers.size + 1));
        if (near === undefined) return;
        ref = t.oneIn(2) ? list.insertAfter(near.ref, of(near.segment)) : list.insertBefore(near.ref, of(near.segment));
        if (ref === undefined) return; // it has gone since
      }
    }
    if (ref === undefined) {
      t.fail("missing", `anchor ${anchor} was not found by its reference`);
      return;
    }
    this.#items.say(item, ItemState.IN);
    this.#last = item;
  }

  #remove(item: number, ref: ListRef): void {
    const t = this.#t;
    t.begin(`remove item ${item}`);
    this.#items.say(item, ItemState.TAKING);
    if (!this.#list.remove(ref)) return;
    if ((this.#items.say(item, ItemState.OUT) & ItemState.OUT) !== 0) t.fail("twice", `item ${item} was removed twice`);
    this.#gone.push({ item, ref });
    if (this.#gone.length > GONE) this.#gone.shift();
    const old = t.random.pick(this.#gone).ref;
    const found = t.oneIn(2) ? this.#list.get(old) !== undefined : this.#list.insertAfter(old, stampText(0, 0)) !== undefined;
    if (found) t.fail("twice", "a reference to an element that was removed led to one");
  }
}

/** Main's part. */
export const lists: Stage = {
  open: (shared) => [openList(shared)],
  fill(shared) {
    const list = openList(shared);
    for (let anchor = 0; anchor < ANCHORS; anchor++) list.push(stampText(anchor, 0));
  },
  judge(shared, own, _kills, fail) {
    const list = openList(shared);
    const items = new Items(own);
    const { comers } = walk(list, fail, () => {});
    items.judge((item) => comers.has(item), fail);
    list.push(stampText(ANCHORS, 0)); // its first writer mends what the dead have left
    if (list.size !== ANCHORS + comers.size + 1) fail("lost", `the list's size is ${list.size}; ${ANCHORS + comers.size + 1} elements are in it`);
  },
};

/** A thread's. */
export function workOnLists(thread: Thread): Work {
  const worker = new Worker(thread);
  return workOf(thread, { read: () => worker.read(), update: () => worker.update() });
}
