/**
 * Torture of read-copy-update itself, by the method of the kernel's rcutorture.c.
 *
 * An updater takes an element off a pointer. From then on its pipe count is 1, and goes up once a grace period; after PIPE_LENGTH of them
 * it is wiped and freed. A reader that still holds an element at the end of its section may find a count of 1 (it was removed
 * meanwhile) but never 2: that grace period did not wait for it. Nor may it find it wiped, or, when the library was to free it, back in its slab.
 */

import { type Address, field, NULL } from "../../src/memory/address.js";
import { sleep } from "../support/watchdog.js";
import { ELEMENT_BYTES, Element, PIPE_LENGTH, ROW } from "./job.js";
import { PIPE_BUCKETS } from "./tally.js";
import { Step, type Thread } from "./thread.js";

/** Elements that an updater has in the pipe at most. */
const MOST_IN_PIPE = 150;

/** Reads elements. */
export class ElementReader {
  readonly #t: Thread;

  constructor(thread: Thread) {
    this.#t = thread;
  }

  /** One section, of one of the kinds. */
  read(): void {
    const t = this.#t;
    const kind = t.random.below(2000);
    if (kind === 0) this.#section("long section", t.random.from(1, 12), 0);
    else if (kind === 1 && t.oneIn(40)) this.#section("very long section", t.random.from(50, 300), 0);
    else if (kind < 200) this.#section("nested sections", 0, t.random.from(1, 6));
    else this.#section("section", 0, 0);
  }

  /** A section that stays open over turns of the event loop. */
  async readOverTurns(): Promise<void> {
    const t = this.#t;
    t.self.step(Step.LONG_SECTION);
    t.begin("section over several turns");
    const index = t.domain.readLock();
    const held = this.#hold();
    for (let turns = t.random.below(4); turns >= 0; turns--) {
      await sleep(t.random.below(8));
      t.segment("another turn");
      t.domain.quiescent(); // is none in here
    }
    if (held !== undefined) this.#check(held);
    t.domain.readUnlock(index);
  }

  #section(what: string, milliseconds: number, depth: number): void {
    const t = this.#t;
    if (milliseconds > 0) t.self.step(Step.LONG_SECTION);
    t.begin(what);
    const index = t.domain.readLock();
    const cookie = t.oneIn(24) ? t.checkedCookie() : undefined;
    const held = this.#hold();
    if (held !== undefined) {
      for (let i = 0; i < depth; i++) this.#nested(held, t.random.below(3));
      for (const ends = performance.now() + milliseconds; milliseconds > 0 && performance.now() < ends; ) {
        if (t.memory.load(field(held.element, Element.GENERATION)) !== held.generation) break;
        t.domain.quiescent();
      }
      this.#check(held);
    }
    cookie?.notYet();
    t.domain.readUnlock(index);
    if (cookie !== undefined && t.oneIn(80)) {
      t.self.step(Step.SYNC);
      t.domain.synchronizeSync();
      cookie.now();
    }
    if (milliseconds > 0) t.self.step(Step.TURN);
  }

  /** An inner section's end must not end the outer one. */
  #nested(held: { element: Address; generation: number }, deeper: number): void {
    const t = this.#t;
    t.segment(`nested, ${deeper} deeper`);
    t.domain.read(() => {
      t.domain.dereference(t.pointer(0));
      if (deeper > 0) this.#nested(held, deeper - 1);
    });
    t.domain.quiescent();
  }

  #hold(): { element: Address; generation: number } | undefined {
    const t = this.#t;
    const element = t.domain.dereference(t.pointer(t.random.below(ROW * t.job.seats)));
    if (element === NULL) return undefined;
    return { element, generation: t.memory.load(field(element, Element.GENERATION)) };
  }

  #check({ element, generation }: { element: Address; generation: number }): void {
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
  readonly #row: readonly number[];
  #pending: Address[] = [];
  #inPipe = 0;

  constructor(thread: Thread) {
    this.#t = thread;
    this.#row = Array.from({ length: ROW }, (_, i) => thread.job.seat * ROW + i);
  }

  /** What the dead had published is removed first: nobody can be left to think it is still theirs. */
  begin(): void {
    const t = this.#t;
    const removed = this.#row.map((index) => t.memory.exchange(t.pointer(index), NULL) as Address).filter((element) => element !== NULL);
    for (const element of removed) t.memory.add(field(element, Element.PIPE), 1);
    t.bury((block) => {
      if (removed.includes(block)) t.memory.add(field(block, Element.PIPE), 1);
      this.#wipe(block);
    });
  }

  update(): void {
    const t = this.#t;
    if (this.#inPipe < MOST_IN_PIPE) {
      const index = t.random.pick(this.#row);
      const element = this.#make();
      if (element !== NULL) {
        const old = t.memory.load(t.pointer(index)) as Address;
        t.domain.assignPointer(t.pointer(index), element);
        if (old !== NULL) this.#remove(old);
        t.counts.updates++;
      }
    }
    if (t.oneIn(3)) this.#waitSomehow();
  }

  /** Take everything back. */
  async end(): Promise<void> {
    const t = this.#t;
    for (const index of this.#row) {
      const old = t.memory.exchange(t.pointer(index), NULL) as Address;
      if (old !== NULL) this.#remove(old);
    }
    while (this.#inPipe > 0) {
      t.self.step(Step.DRAIN);
      this.#waitSomehow();
      await sleep(0);
    }
  }

  #make(): Address {
    const t = this.#t;
    const element = t.heap.kmalloc(ELEMENT_BYTES, t.job.tag);
    if (element === NULL) return NULL;
    this.#wipe(element); // whoever still holds what this memory was must see it
    t.memory.store(field(element, Element.PIPE), 0);
    t.memory.store(field(element, Element.GENERATION), t.tally.nextVersion());
    return element;
  }

  #wipe(element: Address): void {
    this.#t.memory.store(field(element, Element.GENERATION), 0);
  }

  #remove(element: Address): void {
    const t = this.#t;
    t.memory.add(field(element, Element.PIPE), 1);
    if (t.oneIn(5)) {
      t.domain.retire(element);
      return;
    }
    this.#pending.push(element);
    this.#inPipe++;
  }

  /** One grace period for all that wait for one, by one of the primitives. */
  #waitSomehow(): void {
    const t = this.#t;
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    const cookie = t.checkedCookie();
    const over = (): void => {
      cookie.now();
      for (const element of batch) this.#oneMore(element);
    };
    switch (t.random.below(3)) {
      case 0:
        t.self.step(Step.SYNC);
        t.domain.synchronizeSync();
        t.self.step(Step.TURN);
        over();
        break;
      case 1:
        t.outstanding++;
        void t.domain.synchronize().then(() => {
          t.outstanding--;
          over();
        });
        break;
      default:
        t.call(over);
    }
  }

  #oneMore(element: Address): void {
    const t = this.#t;
    if (t.memory.add(field(element, Element.PIPE), 1) < PIPE_LENGTH) {
      this.#pending.push(element);
      return;
    }
    this.#inPipe--;
    this.#wipe(element);
    t.heap.kfree(element);
  }
}
