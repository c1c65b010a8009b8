/**
 * The phase flavor: old readers and new readers (B3; the kernel's SRCU, kernel/rcu/srcutree.c), without a leader.
 *
 * Each slot counts the sections it begins and those it ends, in two phases. The phase that is current takes the new readers; the other one
 * only drains. GP_SEQ counts flips: its low bit is the current phase. A section may await, be suspended for long, and end in another turn: it holds the index
 * that says which counter it is in.
 *
 *   GP_SEQ     f                       f + 1                        f + 2
 *   new in     phase f&1               the other                    phase f&1
 *   drains     the other .. empty,     phase f&1 .. empty, flip      ...
 *                            flip
 *
 * Whoever finds the draining phase empty in every slot flips, with a compareExchange: any thread can, so none is special, and a dead one's
 * half-done look changes nothing. A slot's phase is empty when its UNLOCKS, read first, equals its LOCKS: both only go up and UNLOCKS is never ahead, so
 * nothing was open when UNLOCKS was read. Read the other way round, a section that began and another that ended between the two reads would cancel.
 *
 * Why three flips: a cookie is the GP_SEQ of its start plus 3. The look that the first flip stands for may have begun before the cookie was taken. The second and
 * the third began after it, and between them they saw both phases empty. Both are needed: a reader that loaded GP_SEQ and was held up before it counted itself counts in
 * a phase that is no longer current, so that readers from before the cookie are in either (a single flip misses those).
 *
 * Law table
 *   GP_SEQ            atomic; goes up by one a flip
 *   LOCKS, UNLOCKS    atomic; written only by the slot's thread while it lives; modulo 2^32
 *   SINCE, LONGEST_SECTION   atomic; of sections that outlive their turn
 *
 * Guarantees
 *   A  `isOver(cookie)` is true only if every section that began before the cookie was taken has ended.
 *   B  it becomes true once they have ended, if anyone looks; new sections cannot hold it up for ever, since they are in the other phase.
 *   C  no lost wake-up: as event-loop.
 *   D  domains are independent: a section holds up its own domain only.
 *
 * A thread that is held up, between its load of GP_SEQ and its flip, for exactly 2^32 flips would flip on an old look. At ten million flips a second that takes
 * seven minutes in one instruction's place.
 */

import type { Address } from "../../memory/address.js";
import { ClosedError } from "../../memory/errors.js";
import type { Memory } from "../../memory/memory.js";
import { ContextError } from "../errors.js";
import { ReaderWord } from "../layout.js";
import { type Cookie, isPast } from "../sequence.js";
import { tracepoints } from "../tracepoints.js";
import type { Flavor, GracePeriods, Reader, ReadIndex } from "./flavor.js";
import { foreignIndex, nextIndex } from "./read-index.js";
import type { Site } from "./site.js";

/** Flips that a grace period needs. */
const FLIPS = 3;

/** The read side of one thread. */
export class PhaseReader implements Reader {
  readonly #site: Site;
  readonly #memory: Memory;
  readonly #sequence: Address;
  readonly #locksWord: Address;
  readonly #unlocksWord: Address;
  /** The counters, without asking shared memory. */
  readonly #locks = new Int32Array(2);
  readonly #unlocks = new Int32Array(2);
  /** Goes up with each section that is counted, or no longer: it may be in none. */
  epoch = 0;
  /** Plus the phase that the section counts in, it is the section's index. */
  readonly #index: number = nextIndex();
  /** Synchronous sections open; only the outermost is counted, in `#phase`. */
  #synchronous = 0;
  #phase = 0;
  /** Sections open that have an index, in all and by phase; `#since` is when one of them was first found to outlive its turn. */
  #indexed = 0;
  readonly #indexedIn: [number, number] = [0, 0];
  #since = 0;
  #longest = 0;
  #endOfTurnComes = false;
  /** The phase that `enter` counted its section in; -1 for none. */
  #entered = -1;
  #closed = false;

  constructor(site: Site) {
    this.#site = site;
    this.#memory = site.memory;
    this.#sequence = site.sequence;
    this.#locksWord = site.own(ReaderWord.LOCKS);
    this.#unlocksWord = site.own(ReaderWord.UNLOCKS);
  }

  get nesting(): number {
    return this.#synchronous + this.#indexed;
  }

  get inSynchronousSection(): boolean {
    return this.#synchronous > 0;
  }

  // No foreign code runs inside: whatever section is open now lasts as long, and covers this one.
  enter(): void {
    if (this.#synchronous + this.#indexed > 0 || this.#entered >= 0) return; // entered: the stack overflowed before its exit, and it is still counted
    this.#entered = this.#count();
  }

  exit(): void {
    if (this.#entered < 0) return;
    this.#uncount(this.#entered);
    this.#entered = -1;
  }

  // Inside it an indexed section that was open may end, so only another synchronous one covers it.
  begin(): number {
    if (this.#synchronous === 0) this.#phase = this.#count();
    return this.#synchronous++;
  }

  endTo(before: number): void {
    this.#synchronous = before;
    if (before === 0) this.#uncount(this.#phase);
  }

  lock(): ReadIndex {
    if (!this.#endOfTurnComes) this.#awaitEndOfTurn();
    const phase = this.#count();
    this.#indexedIn[phase] = (this.#indexedIn[phase] as number) + 1;
    this.#indexed++;
    return (this.#index + phase) as ReadIndex;
  }

  unlock(index: ReadIndex | undefined): void {
    const phase = (index ?? Number.NaN) - this.#index;
    if (phase !== 0 && phase !== 1) throw foreignIndex();
    if (this.#indexedIn[phase] === 0) {
      throw new ContextError("ERR_UNBALANCED_UNLOCK", "readUnlock(index) of a section that has ended: each index is given back once.");
    }
    this.#indexedIn[phase] = (this.#indexedIn[phase] as number) - 1;
    this.#uncount(phase);
    if (--this.#indexed === 0 && this.#since !== 0) this.#noteLongest();
  }

  #awaitEndOfTurn(): void {
    this.#endOfTurnComes = true;
    queueMicrotask(this.#endOfTurn);
  }

  /** Sections that outlive their turn are timed, from its end: reading the clock costs more than a section. */
  readonly #endOfTurn = (): void => {
    this.#endOfTurnComes = false;
    if (this.#indexed === 0 || this.#since !== 0) return;
    this.#since = Date.now();
    this.#memory.store(this.#site.own(ReaderWord.SINCE), this.#since | 0);
  };

  #noteLongest(): void {
    const lasted = (Date.now() - this.#since) | 0;
    this.#since = 0;
    this.#memory.store(this.#site.own(ReaderWord.SINCE), 0);
    if (lasted <= this.#longest) return;
    this.#longest = lasted;
    this.#memory.store(this.#site.own(ReaderWord.LONGEST_SECTION), lasted);
  }

  /** Count one section in the phase that is current, or just was. */
  #count(): 0 | 1 {
    this.epoch++;
    if (this.#closed) this.mustBeOpen();
    const phase = this.#memory.load(this.#sequence) & 1 ? 1 : 0;
    // Held up here, this thread counts in a phase that drains; grace periods see both phases empty for that.
    const locks = ((this.#locks[phase] as number) + 1) | 0;
    this.#memory.store((this.#locksWord + phase) as Address, locks);
    this.#locks[phase] = locks;
    return phase;
  }

  #uncount(phase: number): void {
    this.epoch++;
    const unlocks = ((this.#unlocks[phase] as number) + 1) | 0;
    this.#memory.store((this.#unlocksWord + phase) as Address, unlocks);
    this.#unlocks[phase] = unlocks;
    this.#site.events.wake(); // pairs with EventCount.announceSleep
  }

  quiescent(): void {}

  goOffline(): void {}

  close(): void {
    this.#closed = true;
  }

  mustBeOpen(): void {
    if (this.#closed) throw new ClosedError("this shared memory");
  }
}

/** Grace periods by flips. */
export class PhasePeriods implements GracePeriods {
  readonly #site: Site;

  constructor(site: Site) {
    this.#site = site;
  }

  snap(): Cookie {
    return ((this.#site.memory.load(this.#site.sequence) + FLIPS) | 0) as Cookie;
  }

  /** Nothing is written: whoever looks whether it is over brings it on. */
  start(): Cookie {
    const cookie = this.snap();
    const { domain } = this.#site;
    if (tracepoints.gracePeriodStart.hasSubscribers) tracepoints.gracePeriodStart.publish({ domain, sequence: cookie >>> 0 });
    return cookie;
  }

  isOver(cookie: Cookie): boolean {
    const { memory, sequence } = this.#site;
    for (;;) {
      const flips = memory.load(sequence);
      if (isPast(flips, flips, cookie, FLIPS)) return true;
      if (!this.#isEmpty((flips + 1) & 1)) return false;
      // Whoever fails has been overtaken by another one's flip.
      if (memory.compareExchange(sequence, flips, (flips + 1) | 0) !== flips) continue;
      if ((flips & 1) === 0) this.#site.countGracePeriod(flips + 1);
      else this.#site.tellEnd(flips + 1); // cookies are of either kind
      this.#site.events.wake(); // others may wait for this flip
    }
  }

  force(): void {} // every look is one at all slots

  completed(): Cookie {
    return this.#site.memory.load(this.#site.sequence) as Cookie;
  }

  /** Those with a section open in the phase that drains: the next flip waits for them, whichever cookie is asked about. */
  blockers(): number[] {
    const slots: number[] = [];
    const draining = (this.#site.memory.load(this.#site.sequence) + 1) & 1;
    for (let slot = 0; slot < this.#site.slotsUsed(); slot++) if (!this.#isEmptyIn(slot, draining)) slots.push(slot);
    return slots;
  }

  #isEmpty(phase: number): boolean {
    const used = this.#site.slotsUsed();
    for (let slot = 0; slot < used; slot++) if (!this.#isEmptyIn(slot, phase)) return false;
    return true;
  }

  #isEmptyIn(slot: number, phase: number): boolean {
    const { memory } = this.#site;
    const unlocks = memory.load(this.#site.readerWord(slot, ReaderWord.UNLOCKS + phase)); // first
    return memory.load(this.#site.readerWord(slot, ReaderWord.LOCKS + phase)) === unlocks || !this.#site.isLive(slot);
  }
}

/** This thread's part. */
export function phase(site: Site): Flavor {
  return { name: "phase", reader: new PhaseReader(site), periods: new PhasePeriods(site) };
}
