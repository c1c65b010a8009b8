/**
 * The tree flavor: readers go by the task switch (online-reader.ts) and report their quiescent states into a tree, so that nobody has to look at all slots again and
 * again (B4; the kernel's kernel/rcu/tree.c), without a leader.
 *
 * One grace period at a time. GP_SEQ is 4n + state, and goes 4n + 1 idle, 4n + 2 being set up, 4n + 3 waiting, 4n + 5 idle after grace period n:
 *
 *   start    whoever needs one: compareExchange idle -> set-up
 *   set-up   any waiter: each node gets a bit for each slot that is online and has seen nothing newer; then set-up -> waiting, and one more look at those slots
 *   waiting  a slot that passes a quiescent state clears its bit; the last one out of a node clears that of its parent
 *   end      whoever clears the root: waiting -> idle, and wakes those who wait
 *
 * A cookie is the kernel's rcu_seq_snap: the idle state after the next grace period that has not begun yet; one that is under way never counts.
 * Every step is a compareExchange that any thread may do, or do again: a thread that dies in it, or is held up, stops nobody.
 *
 * Who works on the nodes is online meanwhile. Then grace period n + 1, for a thread that last saw n, waits for that thread; so no thread's late compareExchange can
 * meet a node of another grace period that looks the same (tree-nodes.ts).
 *
 * A slot that goes offline clears SEEN and then looks whether a grace period has begun that may have found it set: then it comes back for a moment, and reports.
 * Slots that were offline all the time are not waited for: setting up looks at SEEN. What is left (a reporter that died, a node that was not set up when its
 * slot came) is found by a scan after setting up, and by forced scans of those who sleep too long.
 *
 * Law table: layout.ts (GP_SEQ, SEEN), tree-nodes.ts; all atomic.
 *
 * Guarantees: A to D of event-loop.ts, and
 *   E  a slot's report costs a handful of accesses, to words that its 16 neighbours share; a waiter looks at two words.
 */

import { ReaderWord } from "../layout.js";
import { type Cookie, isPast, notBefore } from "../sequence.js";
import { tracepoints } from "../tracepoints.js";
import type { Flavor, GracePeriods } from "./flavor.js";
import { OnlineReader } from "./online-reader.js";
import type { ReaderEvents, Site } from "./site.js";
import { TreeNodes } from "./tree-nodes.js";

const State = { IDLE: 1, SET_UP: 2, WAITING: 3 } as const;
const stateOf = (sequence: number): number => sequence & 3;
const isUnderWay = (sequence: number): boolean => stateOf(sequence) === State.SET_UP || stateOf(sequence) === State.WAITING;
const numberOf = (sequence: number): number => sequence >>> 2;
/** GP_SEQ when the grace period that `sequence` is in began. */
const startOf = (sequence: number): number => (sequence & ~3) | State.SET_UP;
/** Furthest that a cookie is ahead of GP_SEQ. */
const MOST_AHEAD = 7;

/** The read side: reports what it passes. */
export class TreeReader extends OnlineReader {
  readonly #nodes: TreeNodes;

  constructor(site: Site, events: ReaderEvents, nodes: TreeNodes) {
    super(site, events);
    this.#nodes = nodes;
  }

  protected moved(): void {
    this.#report(this.seen);
  }

  protected leave(): void {
    const { memory, sequence } = this.site;
    let seen = this.seen;
    for (;;) {
      this.clear();
      const now = memory.load(sequence);
      // A grace period that began later than this load finds SEEN cleared; one that began before it may have found it set.
      if (!isUnderWay(now) || notBefore(seen, startOf(now))) return;
      this.record(); // online again: who works on the nodes is
      seen = this.seen;
      this.#report(seen);
    }
  }

  /** GP_SEQ; outside a section it is recorded, and what it says is reported. Only online. */
  look(): number {
    if (this.nesting > 0) return this.site.memory.load(this.site.sequence);
    this.quiescent();
    return this.seen;
  }

  /** Run `work`, which is on the nodes, with GP_SEQ. */
  whileOnline<T>(work: (now: number) => T): T {
    if (this.seen !== 0) return work(this.look());
    this.mustBeOpen(); // the slot may be another thread's by now
    this.record();
    let left = false;
    try {
      const result = work(this.seen);
      left = true;
      this.leave();
      return result;
    } finally {
      if (!left) this.offlineAtEndOfTurn(); // the stack has overflowed: no more than this now
    }
  }

  /** This slot is done with the grace period that was under way when it recorded `seen`. */
  #report(seen: number): void {
    if (!isUnderWay(seen)) return;
    if (this.#nodes.report(numberOf(seen), this.site.slot)) endOf(this.site, seen);
  }
}

/** The root is clear: end the grace period, unless another thread was first (or it is still being set up: then whoever does that goes on). */
function endOf(site: Site, sequence: number): void {
  const { memory } = site;
  const waiting = (sequence & ~3) | State.WAITING;
  const idle = (waiting + 2) | 0;
  if (memory.compareExchange(site.sequence, waiting, idle) !== waiting) return;
  site.countGracePeriod(idle);
  site.events.wake();
}

/** Grace periods by reports. */
export class TreePeriods implements GracePeriods {
  readonly #site: Site;
  readonly #nodes: TreeNodes;
  readonly #reader: TreeReader;

  constructor(site: Site, nodes: TreeNodes, reader: TreeReader) {
    this.#site = site;
    this.#nodes = nodes;
    this.#reader = reader;
  }

  snap(): Cookie {
    return snapOf(this.#site.memory.load(this.#site.sequence));
  }

  start(): Cookie {
    const { memory, sequence } = this.#site;
    const now = memory.load(sequence);
    if (stateOf(now) === State.IDLE) this.#begin(now);
    return snapOf(now);
  }

  isOver(cookie: Cookie): boolean {
    const now = this.#site.memory.load(this.#site.sequence);
    return isPast(now, now, cookie, MOST_AHEAD) || this.#reader.whileOnline((sequence) => this.#bringOn(sequence, cookie));
  }

  #begin(idle: number): void {
    const { memory, sequence, domain } = this.#site;
    if (memory.compareExchange(sequence, idle, (idle + 1) | 0) !== idle) return;
    if (tracepoints.gracePeriodStart.hasSubscribers) tracepoints.gracePeriodStart.publish({ domain, sequence: (idle + 4) >>> 0 });
  }

  /** Do whatever is to be done until the cookie is over, or slots must be waited for. Gives whether it is over. */
  #bringOn(sequence: number, cookie: Cookie): boolean {
    for (let now = sequence; ; now = this.#reader.look()) {
      if (isPast(now, now, cookie, MOST_AHEAD)) return true;
      if (stateOf(now) === State.IDLE) this.#begin(now);
      else if (stateOf(now) === State.SET_UP) this.#setUp(now);
      else if (this.#nodes.isDone(numberOf(now))) endOf(this.#site, now);
      else return false;
    }
  }

  #setUp(now: number): void {
    const { memory, sequence } = this.#site;
    const isWaitedFor = this.#isWaitedFor(now);
    this.#nodes.setUp(numberOf(now), this.#site.slotsUsed(), isWaitedFor);
    memory.compareExchange(sequence, now, (now + 1) | 0);
    // Those that came while it was being set up may have found their leaf not ready.
    this.#nodes.scan(numberOf(now), isWaitedFor);
  }

  /** Whether the grace period that is under way waits for a slot. */
  #isWaitedFor(sequence: number): (slot: number) => boolean {
    const began = startOf(sequence);
    return (slot) => {
      const seen = this.#site.memory.load(this.#site.readerWord(slot, ReaderWord.SEEN));
      return seen !== 0 && !notBefore(seen, began) && this.#site.isLive(slot);
    };
  }

  force(): void {
    this.#reader.whileOnline((now) => {
      if (stateOf(now) !== State.WAITING) return;
      const { domain } = this.#site;
      if (tracepoints.forcedScan.hasSubscribers) tracepoints.forcedScan.publish({ domain, sequence: now >>> 0 });
      this.#nodes.scan(numberOf(now), this.#isWaitedFor(now));
      if (this.#nodes.isDone(numberOf(now))) endOf(this.#site, now);
    });
  }

  completed(): Cookie {
    return ((this.#site.memory.load(this.#site.sequence) & ~3) | State.IDLE) as Cookie;
  }

  blockers(): number[] {
    const now = this.#site.memory.load(this.#site.sequence);
    return stateOf(now) === State.IDLE ? [] : [...this.#nodes.waiting(numberOf(now))];
  }
}

/** The idle state after the next grace period that has not begun. */
const snapOf = (sequence: number): Cookie => ((((sequence + 6) & ~3) + State.IDLE) | 0) as Cookie;

/** This thread's part. */
export function tree(site: Site, events: ReaderEvents, fanOut: number): Flavor {
  const nodes = new TreeNodes(site.memory, site.layout, fanOut);
  const reader = new TreeReader(site, events, nodes);
  return { name: "tree", reader, periods: new TreePeriods(site, nodes, reader) };
}
