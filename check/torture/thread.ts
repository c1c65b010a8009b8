/**
 * A thread of a torture run: its hold on the shared memory, which storms of detaching and attaching renew; what it counts; and what its
 * last section did, for the report of a failure.
 */

import { Shared, TooManyThreadsError } from "../../src/index.js";
import { type Address, field } from "../../src/memory/address.js";
import type { Heap } from "../../src/memory/heap.js";
import type { Memory } from "../../src/memory/memory.js";
import type { CallOptions, Domain } from "../../src/rcu/domain.js";
import { DomainWord } from "../../src/rcu/layout.js";
import type { AttachedSelf } from "../support/hand.js";
import { Random } from "../support/seed.js";
import { sleep } from "../support/watchdog.js";
import type { TortureJob } from "./job.js";
import type { Ledger } from "./ledger.js";
import type { Place } from "./place.js";
import { type ErrorKind, ownCounts, type Tally } from "./tally.js";

/** Steps that the watchdog and the report of a stall show: what a thread is doing. */
export const Step = { PAUSE: 0, TURN: 1, LONG_SECTION: 2, SYNC: 3, STORM: 4, FLOOD: 5, HISTORY: 6, BURY: 7, DRAIN: 8, UPDATE: 9, BARRIER: 10 } as const;

/** Pieces of a section that are remembered. */
const MOST_SEGMENTS = 24;

export class Thread {
  readonly job: TortureJob;
  readonly random: Random;
  readonly tally: Tally;
  readonly ledger: Ledger;
  readonly counts = ownCounts();
  readonly self: AttachedSelf<TortureJob>;
  shared: Shared;
  /** Callbacks, and grace periods, that have not come yet. A thread with some of them must not detach: they would be lost. */
  outstanding = 0;
  /** Do what the thread may die in (deaths.ts); set by who knows of its death. */
  mayDieIn = (update: () => void): void => update();
  /** Of what it may die in, a part that is not counted: it is long, and others are for it. */
  mayNotDieIn = (part: () => void): void => part();
  readonly #opened = new Map<(shared: Shared) => unknown, unknown>();
  #side: Domain | undefined;
  #segments: { readonly what: string; readonly at: number }[] = [];

  constructor(self: AttachedSelf<TortureJob>, tally: Tally, ledger: Ledger) {
    this.self = self;
    this.job = self.job;
    this.tally = tally;
    this.ledger = ledger;
    this.random = new Random(self.job.seed, self.job.life);
    this.shared = self.shared;
  }

  get domain(): Domain {
    return this.shared.domain;
  }

  /** A phase domain beside it. */
  get side(): Domain {
    this.#side ??= this.shared.phaseDomain("side");
    return this.#side;
  }

  get memory(): Memory {
    return this.shared.domain.arena.memory;
  }

  get heap(): Heap {
    return this.shared.domain.arena.heap;
  }

  /** What `open` opens in the shared memory as this thread holds it now. */
  opened<T>(open: (shared: Shared) => T): T {
    let opened = this.#opened.get(open) as T | undefined;
    if (opened === undefined) {
      opened = open(this.shared);
      this.#opened.set(open, opened);
    }
    return opened;
  }

  /** Whether one in so many times. */
  oneIn(times: number): boolean {
    return this.random.below(times) === 0;
  }

  // What a section did -------------------------------------------------------------------------------

  /** A section begins. */
  begin(what: string): void {
    this.#segments = [];
    this.segment(what);
  }

  segment(what: string): void {
    if (this.#segments.length < MOST_SEGMENTS) this.#segments.push({ what, at: performance.now() });
  }

  /** Count an error, with what this section did. */
  fail(kind: ErrorKind, what: string): void {
    const now = performance.now();
    const segments = this.#segments.map(({ what: segment, at }) => `  ${(at - now).toFixed(3).padStart(10)} ms  ${segment}`);
    const { domain } = this;
    const { index } = this.heap.slot;
    const { sequence, completed } = domain.stats();
    const head = `${what}\n  in ${this.self.name}, slot ${index}, sequence ${sequence}, completed ${completed}; its segments:`;
    this.tally.fail(kind, [head, ...segments].join("\n"));
  }

  // Coming and going ---------------------------------------------------------------------------------

  /** Detach and attach some times. */
  async storm(times: number): Promise<void> {
    if (this.outstanding > 0) return;
    this.self.step(Step.STORM);
    for (let i = 0; i < times; i++) {
      this.shared.close();
      this.#opened.clear();
      this.#side = undefined;
      for (;;) {
        try {
          this.shared = Shared.attach(this.self.shared.handle);
          break;
        } catch (error) {
          if (!(error instanceof TooManyThreadsError)) throw error;
          await sleep(1); // all slots are taken, by those that wait for their grace period too
        }
      }
      // Sometimes it is somebody for a moment, so that grace periods see it come and go.
      if (this.oneIn(2)) this.domain.read(() => this.domain.dereference(this.job.pointers as Address));
    }
  }

  // Faults and checks that go with every structure -----------------------------------------------------

  /** A cookie of before a section's end is not over inside it; and it is after a grace period. */
  checkedCookie({ periods }: Domain = this.domain): { notYet(): void; now(): void } {
    const cookie = periods.start();
    return {
      notYet: () => {
        if (periods.isOver(cookie)) this.fail("cookie early", `cookie ${cookie >>> 0} was over in a section that began before it`);
      },
      now: () => {
        if (!periods.isOver(cookie)) this.fail("cookie late", `cookie ${cookie >>> 0} was not over after a grace period`);
      },
    };
  }

  /** Wake sleepers for nothing. */
  notifyForNothing(): void {
    this.memory.notify(field(this.domain.arena.layout.root, DomainWord.WANTED));
  }

  /** A callback; it must come, and not before the grace period of a cookie that was taken before it. */
  call({ domain }: Pick<Place, "domain">, then: () => void, options?: CallOptions): void {
    domain.call(this.#callback(domain, then), options);
    this.#registered(domain);
  }

  /** As `call`, by an embedded head. */
  callHead({ domain }: Pick<Place, "domain">, head: Address, then: () => void, options?: CallOptions): void {
    const run = this.#callback(domain, then);
    domain.callHead(
      head,
      (found) => {
        if (found !== head) this.fail("callback early", `a callback of the head ${head} was given the head ${found}`);
        run();
      },
      options,
    );
    this.#registered(domain);
  }

  #callback(domain: Domain, then: () => void): () => void {
    const { periods } = domain;
    const cookie = periods.start();
    return () => {
      this.outstanding--;
      this.counts.callbacks++;
      this.ledger.ran(domain);
      if (!periods.isOver(cookie)) this.fail("callback early", `a callback ran before the cookie ${cookie >>> 0}, taken before call(), was over`);
      then();
    };
  }

  #registered(domain: Domain): void {
    this.outstanding++;
    this.ledger.posted(domain);
  }

  /** Wait for the callbacks of all threads. */
  async barrier({ domain }: Pick<Place, "domain">): Promise<void> {
    this.self.step(Step.BARRIER);
    this.outstanding++;
    for (const wrong of await this.ledger.barrier(domain)) this.fail("callback lost", wrong);
    this.outstanding--;
  }

  /** Many callbacks at once, of all kinds; some call themselves again and again. */
  flood(place: Pick<Place, "domain">): void {
    this.self.step(Step.FLOOD);
    const again = (times: number): void => {
      if (times > 0 && !this.self.stopping()) this.call(place, () => again(times - 1));
    };
    const count = this.random.pick([10, 100, 1000]);
    const options = this.random.pick([{}, {}, { lazy: true }, { hurry: true }]);
    for (let i = 0; i < count; i++) this.call(place, i === 0 ? () => again(5) : () => {}, options);
  }

  /** Many objects at once for the allocator. */
  retireFlood({ domain }: Pick<Place, "domain">): void {
    this.self.step(Step.FLOOD);
    for (let i = this.random.pick([10, 100, 400]); i > 0; i--) {
      const object = this.heap.kmalloc(this.random.pick([8, 24, 64, 200, 5000]), this.job.tag);
      if (object !== 0) domain.retire(object);
    }
  }

  /** Free what those left who died in this seat. Nobody else can reach it any more but readers. */
  bury(beforeFreed: (block: Address) => void): void {
    if (this.job.graves.length === 0) return;
    this.self.step(Step.BURY);
    const blocks = this.job.graves.flatMap((tag) => this.heap.ownedBy(tag));
    // Readers of either domain may hold them.
    for (const domain of [this.domain, this.side]) domain.synchronizeSync();
    for (const block of blocks) {
      beforeFreed(block);
      this.heap.kfree(block);
    }
  }
}
