/**
 * Torture of read-copy-update itself, by the method of the kernel's rcutorture.c.
 *
 * An updater takes an element off a pointer. From then on its pipe count is 1, and goes up once a grace period; after PIPE_LENGTH of them
 * it is wiped and freed. A reader that still holds an element at the end of its section may find a count of 1 (it was removed
 * meanwhile) but never 2: that grace period did not wait for it. Nor may it find it wiped, or, when the library was to free it, back in its slab.
 */

import { type Address, field, NULL } from "../../src/memory/address.js";
import { sleep } from "../support/watchdog.js";
import { ELEMENT_BYTES, Element, PIPE_LENGTH } from "./job.js";
import type { Place } from "./place.js";
import { PIPE_BUCKETS } from "./tally.js";
import { Step, type Thread } from "./thread.js";
import { Waits } from "./waits.js";

/** Elements that an updater has in the pipe at most. */
const MOST_IN_PIPE = 150;
/** Sections that one reader has open at once, over turns. */
const MOST_OVERLAPPING = 4;
/** Without grace periods a reader that had no very long section for so long, in ms, has one: on a slow machine chance alone would bring none while it is to be found. */
const VERY_LONG_AFTER = 400;

interface Held {
  readonly element: Address;
  readonly generation: number;
}

/** Reads elements. */
export class ElementReader {
  readonly #t: Thread;
  readonly #place: Place;
  /** When its last very long section ended, in ms of performance.now(). */
  #lastVeryLong = performance.now();

  constructor(thread: Thread, place: Place) {
    this.#t = thread;
    this.#place = place;
  }

  /** One section, of one of the kinds. */
  read(): void {
    const t = this.#t;
    const kind = t.random.below(2000);
    if (kind === 0) this.#section("long section", t.random.from(1, 12), 0);
    else if ((kind === 1 && t.oneIn(40)) || (t.job.busted && performance.now() > this.#lastVeryLong + VERY_LONG_AFTER)) this.#veryLongSection();
    else if (kind < 200) this.#section("nested sections", 0, t.random.from(1, 6));
    else if (kind < 260) this.#overlapping();
    else this.#section("section", 0, 0);
  }

  /** A section that stays open over turns of the event loop; in a phase domain several, that end in any order, beside what the thread does otherwise. */
  async readOverTurns(): Promise<void> {
    const t = this.#t;
    t.self.step(Step.LONG_SECTION);
    t.begin(`${this.#place.name}: sections over several turns`);
    const many = this.#place.domain.flavor === "phase" ? t.random.from(1, MOST_OVERLAPPING) : 1;
    await Promise.all(Array.from({ length: many }, () => this.#overTurns()));
  }

  async #overTurns(): Promise<void> {
    const t = this.#t;
    const { domain } = this.#place;
    const phase = domain.flavor === "phase";
    if (phase && t.oneIn(2)) {
      await domain.readAsync(() => this.#turns(domain));
      return;
    }
    const index = domain.readLock();
    await this.#turns(domain);
    domain.readUnlock(index);
  }

  async #turns(domain: Place["domain"]): Promise<void> {
    const t = this.#t;
    const held = this.#hold();
    let open = true;
    // Such a section is not the whole thread's: a grace period may be waited for beside it, and must wait for it.
    if (domain.flavor === "phase" && t.oneIn(3)) {
      t.outstanding++;
      void domain.synchronize({ expedited: t.oneIn(4) }).then(() => {
        t.outstanding--;
        if (open) t.fail("pipe", "synchronize(), called in a section that may be suspended, resolved before that section ended");
      });
    }
    for (let turns = t.random.below(4); turns >= 0; turns--) {
      await sleep(t.random.below(8));
      t.segment("another turn");
      domain.quiescent(); // is none in here
    }
    if (held !== undefined) this.#check(held);
    open = false;
  }

  /**
   * A reader that sleeps in the side domain until the main one has had a grace period: would it hold that up, neither would ever end.
   */
  async readWhile(other: Place): Promise<void> {
    const t = this.#t;
    t.self.step(Step.LONG_SECTION);
    t.begin(`${this.#place.name}: a section for a grace period of ${other.name}`);
    await this.#place.domain.readAsync(async () => {
      const held = this.#hold();
      await other.domain.synchronize({ expedited: t.oneIn(4) });
      t.segment("which is over");
      if (t.oneIn(4)) await sleep(t.random.from(1, 60));
      if (held !== undefined) this.#check(held);
    });
  }

  #section(what: string, milliseconds: number, depth: number): void {
    const t = this.#t;
    const { domain } = this.#place;
    if (milliseconds > 0) t.self.step(Step.LONG_SECTION);
    t.begin(what);
    const index = domain.readLock();
    const cookie = t.oneIn(24) ? t.checkedCookie(domain) : undefined;
    const held = this.#hold();
    if (held !== undefined) {
      for (let i = 0; i < depth; i++) this.#nested(held, t.random.below(3));
      for (const ends = performance.now() + milliseconds; milliseconds > 0 && performance.now() < ends; ) {
        if (t.memory.load(field(held.element, Element.GENERATION)) !== held.generation) break;
        domain.quiescent();
      }
      this.#check(held);
    }
    cookie?.notYet();
    domain.readUnlock(index);
    if (cookie !== undefined && t.oneIn(80)) {
      t.self.step(Step.SYNC);
      domain.synchronizeSync();
      cookie.now();
    }
    if (milliseconds > 0) t.self.step(Step.TURN);
  }

  #veryLongSection(): void {
    this.#section("very long section", this.#t.random.from(50, 300), 0);
    this.#lastVeryLong = performance.now();
  }

  /** Two sections, of which the first ends first. */
  #overlapping(): void {
    const t = this.#t;
    const { domain } = this.#place;
    t.begin("overlapping sections");
    const first = domain.readLock();
    const older = this.#hold();
    const second = domain.readLock();
    const newer = this.#hold();
    if (older !== undefined) this.#check(older);
    domain.readUnlock(first);
    t.segment("the first has ended");
    domain.quiescent();
    domain.read(() => domain.dereference(t.random.pick(this.#place.all)));
    if (newer !== undefined) this.#check(newer);
    domain.readUnlock(second);
  }

  /** An inner section's end must not end the outer one. */
  #nested(held: Held, deeper: number): void {
    const t = this.#t;
    const { domain } = this.#place;
    t.segment(`nested, ${deeper} deeper`);
    domain.read(() => {
      domain.dereference(this.#place.all[0] as Address);
      if (deeper > 0) this.#nested(held, deeper - 1);
    });
    domain.quiescent();
  }

  #hold(): Held | undefined {
    const t = this.#t;
    const element = this.#place.domain.dereference(t.random.pick(this.#place.all));
    if (element === NULL) return undefined;
    return { element, generation: t.memory.load(field(element, Element.GENERATION)) };
  }

  #check({ element, generation }: Held): void {
    const t = this.#t;
    const now = t.memory.load(field(element, Element.GENERATION));
    const pipe = t.memory.load(field(element, Element.PIPE));
    const bucket = pipe >= 0 && pipe < PIPE_BUCKETS ? pipe : PIPE_BUCKETS - 1;
    t.counts.pipe[bucket] = (t.counts.pipe[bucket] as number) + 1;
    if (now === 0 || now !== generation)
      t.fail("freed", `the element ${element} was of generation ${generation} at first and is of ${now} at the section's end`);
    else if (t.heap.isPutBack(element)) t.fail("freed", `the element ${element} is back in its slab at the end of a section that holds it`);
    else if (pipe > 1) t.fail("pipe", `the element ${element} was removed ${pipe - 1} whole grace periods before the end of a section that holds it`);
  }
}

/** Replaces elements, and sees them through their grace periods in every way there is. */
export class ElementUpdater {
  readonly #t: Thread;
  readonly #place: Place;
  readonly #waits: Waits;
  #pending: Address[] = [];
  #inPipe = 0;

  constructor(thread: Thread, place: Place) {
    this.#t = thread;
    this.#place = place;
    this.#waits = new Waits(thread, place);
  }

  update(): void {
    const t = this.#t;
    if (this.#inPipe < MOST_IN_PIPE) {
      const pointer = t.random.pick(this.#place.own);
      const element = this.#make();
      if (element !== NULL) {
        const old = this.#publish(pointer, element);
        if (old !== NULL) this.#remove(old);
        t.counts.updates++;
      }
    }
    this.#waits.poll();
    if (t.oneIn(3)) this.#wait();
  }

  /** In one of the ways; only this thread stores the pointer. */
  #publish(pointer: Address, element: Address): Address {
    const { domain } = this.#place;
    switch (this.#t.random.below(4)) {
      case 0:
        return domain.replacePointer(pointer, element);
      case 1:
        return domain.exchangePointer(pointer, element);
      case 2:
        return domain.compareExchangePointer(pointer, domain.accessPointer(pointer), element);
      default: {
        const old = domain.accessPointer(pointer);
        domain.assignPointer(pointer, element);
        return old;
      }
    }
  }

  /** Take everything back. */
  async end(): Promise<void> {
    const t = this.#t;
    for (const pointer of this.#place.own) {
      const old = t.memory.exchange(pointer, NULL) as Address;
      if (old !== NULL) this.#remove(old);
    }
    while (this.#inPipe > 0) {
      t.self.step(Step.DRAIN);
      this.#waits.poll();
      this.#wait();
      await this.#place.domain.barrier(); // hurries those that may be late
      await sleep(0);
    }
  }

  #make(): Address {
    const t = this.#t;
    const element = t.heap.kmalloc(ELEMENT_BYTES, t.job.tag);
    if (element === NULL) return NULL;
    wipe(t, element); // whoever still holds what this memory was must see it
    t.memory.store(field(element, Element.PIPE), 0);
    t.memory.store(field(element, Element.HEAD), 0);
    t.memory.store(field(element, Element.GENERATION), t.tally.nextVersion());
    return element;
  }

  #remove(element: Address): void {
    const t = this.#t;
    t.memory.add(field(element, Element.PIPE), 1);
    if (t.oneIn(5)) this.#place.domain.retire(element);
    else if (t.oneIn(100)) {
      t.self.step(Step.SYNC);
      this.#place.domain.retireSync(element);
      t.self.step(Step.TURN);
    } else {
      this.#pending.push(element);
      this.#inPipe++;
    }
  }

  /** One grace period for all that wait for one. */
  #wait(): void {
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    const cookie = this.#t.checkedCookie(this.#place.domain);
    const over = (): void => {
      cookie.now();
      for (const element of batch) this.#oneMore(element);
    };
    const heads = batch.map((element) => field(element, Element.HEAD));
    this.#waits.somehow(heads, over);
  }

  #oneMore(element: Address): void {
    const t = this.#t;
    if (t.memory.add(field(element, Element.PIPE), 1) < PIPE_LENGTH) {
      this.#pending.push(element);
      return;
    }
    this.#inPipe--;
    wipe(t, element);
    t.heap.kfree(element);
  }
}

/** Whoever still holds it must see it. */
function wipe(t: Thread, element: Address): void {
  t.memory.store(field(element, Element.GENERATION), 0);
}

/** What the dead of this seat had published is removed first, so that nobody can be left to think it is still theirs; then all they had is freed. */
export function buryElements(t: Thread, places: readonly Place[]): void {
  const removed = places.flatMap(({ own }) => own.map((pointer) => t.memory.exchange(pointer, NULL) as Address)).filter((element) => element !== NULL);
  for (const element of removed) t.memory.add(field(element, Element.PIPE), 1);
  t.bury((block) => {
    if (removed.includes(block)) t.memory.add(field(block, Element.PIPE), 1);
    wipe(t, block);
  });
}
