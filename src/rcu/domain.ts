/**
 * A domain: one thread's whole read-copy-update API over an arena (S2: the core API).
 *
 * The three elements of RCU (B1) are apart: the read sign is a flavor's Reader, the update timing its GracePeriods (flavors/); copying on write is
 * what the structures do, with `assignPointer` to publish (K1).
 *
 * Law table: this file owns no word; a pointer given to dereference, assignPointer and their like is atomic.
 */

import { type Address, field, PAGE_BYTES } from "../memory/address.js";
import type { Arena } from "../memory/arena.js";
import { InvalidSizeError, OutOfMemoryError, QuiesceError } from "../memory/errors.js";
import { reapThread } from "../memory/reap.js";
import { NAME_WORDS, SlotWord } from "../memory/slot.js";
import { storeText } from "../memory/text.js";
import { warn } from "../memory/warn.js";
import { type BarrierResult, barrier } from "./barrier.js";
import type { Departed } from "./departed.js";
import { Driver } from "./driver.js";
import { recordDuration } from "./durations.js";
import { ContextError, GracePeriodTimeoutError } from "./errors.js";
import { Family } from "./family.js";
import type { Flavor, FlavorName, GracePeriods, Reader, ReadIndex } from "./flavors/flavor.js";
import { openFlavor } from "./flavors/open.js";
import { Site } from "./flavors/site.js";
import { queueHead, unqueueHead } from "./rcu-head.js";
import { Reclaimer } from "./reclaimer.js";
import { loadOrigin, storeOrigin } from "./section-origin.js";
import type { Cookie } from "./sequence.js";
import { STALL_TIMEOUT, StallDetector, type StallReport } from "./stall.js";
import { type DomainStats, domainStats, type Interval, startInterval } from "./stats.js";
import { tracepoints } from "./tracepoints.js";
import { LONGEST_SLEEP, Waiter, type WaitOptions } from "./waiter.js";

/** How long an allocation waits for grace periods before it gives up, in ms. */
const FORCED_WAIT = 2000;
/** Share of the arena that one thread's retired objects may take before it has to wait. */
const RETIRE_SHARE = 1 / 16;

/** Refuses, in a type, a function that gives or may give a promise (one that gives `any` is let through, and checked as it runs). */
export type Synchronous<T> = 0 extends 1 & T ? unknown : [Extract<T, PromiseLike<unknown>>] extends [never] ? unknown : never;

/** What a thread wants of a domain. */
export interface DomainOptions {
  /** ms that a grace period may take before it is reported who holds it up; default 10,000. */
  readonly stallTimeout?: number;
  /** Called with each such report, beside the warning. */
  readonly onStall?: (report: StallReport) => void;
  /** Bytes that this thread's retired objects may take before whoever retires waits; default a sixteenth of the arena. */
  readonly retireLimit?: number;
  /** Microseconds to look again and again at a grace period before sleeping for it; default 20. */
  readonly spin?: number;
}

/** A blocking wait. */
export interface SyncWaitOptions {
  /** ms to wait at most; default for ever. */
  readonly timeout?: number;
  readonly expedited?: boolean;
}

/** How a callback is to be run. */
export interface CallOptions {
  /** It may be up to 10 s late, so that many share one grace period (the kernel's lazy call_rcu). */
  readonly lazy?: boolean;
  /** It, and all before it, must not be late: its grace period is asked for at once (the kernel's call_rcu_hurry). */
  readonly hurry?: boolean;
}

const dispose: symbol = (Symbol as unknown as { dispose?: symbol }).dispose ?? Symbol.for("Symbol.dispose");

/** An open section; ends once, by `end()` or at the end of a `using` block. */
export interface SectionGuard extends Disposable {
  end(): void;
}

/** Read-copy-update in one thread. */
export class Domain {
  readonly arena: Arena;
  readonly index: number;
  /** The read side, for structures. */
  readonly reader: Reader;
  /** Grace periods by themselves, for whoever builds on them. */
  readonly periods: GracePeriods;
  readonly #flavor: Flavor;
  readonly #site: Site;
  readonly #departed: Departed;
  readonly #stalls: StallDetector;
  readonly #waiter: Waiter;
  readonly #reclaimer: Reclaimer;
  readonly #driver: Driver;
  /** Called once this thread has given its slot back: for whoever would wait for ever. */
  readonly closing: Set<() => void> = new Set();
  readonly #family: Family<Domain>;
  readonly #debug: boolean;
  #closed = false;

  /**
   * @param arena its root area begins with the words of its domains (flavors/open.ts)
   * @param index a domain that `formatDomain` has made; the main one, 0, comes first in each thread, and opens the others
   * @param family this thread's domains, for one beside the main one
   * @throws QuiesceError (ERR_DOMAIN) for a domain that nobody has made, or that this thread has opened already
   */
  constructor(arena: Arena, options: DomainOptions = {}, index = 0, family: Family<Domain> = new Family(arena.heap)) {
    checkOptions(options);
    const { openDomains } = arena.heap.slot;
    // A second reader with counts of its own would write over those of the first.
    if (openDomains.has(index)) throw new QuiesceError("ERR_DOMAIN", `this thread has opened domain ${index} already.`);
    this.arena = arena;
    this.#family = family;
    this.index = index;
    const { memory, layout, heap } = arena;
    const { slot } = heap;
    const { stallTimeout = STALL_TIMEOUT, onStall, retireLimit = layout.pages * PAGE_BYTES * RETIRE_SHARE, spin } = options;
    this.#debug = layout.debugWords > 0;
    this.#site = new Site(memory, layout, index, slot.index);
    this.#flavor = openFlavor(this.#site, { sectionLeftOpen: () => warn(SECTION_LEFT_OPEN + this.#origin(), "QuiesceWarning") });
    this.reader = this.#flavor.reader;
    this.periods = this.#flavor.periods;
    this.#departed = family.departed;
    this.#departed.know(index, this.periods);
    this.#stalls = new StallDetector(this.#site, this.flavor, this.periods, {
      timeout: stallTimeout,
      onStall,
      onSuspects: (threads) => family.onSuspects?.(threads),
    });
    this.#waiter = new Waiter(this.#site, this.#flavor, this.#stalls, spin);
    this.#reclaimer = new Reclaimer(heap, this.#site, this.#flavor, retireLimit, family);
    this.#driver = new Driver(this.#site, this.#flavor, this.#reclaimer, this.#departed, this.#stalls);
    const { park } = slot;
    slot.park = (address, expected, timeout) => {
      this.reader.goOffline(); // a thread that sleeps for a lock must not hold up a grace period
      park(address, expected, timeout);
    };
    const { mayNotBlock } = slot;
    slot.mayNotBlock = () => (this.reader.nesting > 0 ? "it is in a read-side section" : mayNotBlock());
    family.members.push(this);
    openDomains.add(index);
  }

  get flavor(): FlavorName {
    return this.#flavor.name;
  }

  /** This thread's hold on another domain of the arena, which somebody has made. */
  open(index: number, options: DomainOptions = {}): Domain {
    this.reader.mustBeOpen();
    return this.#family.members.find((domain) => domain.index === index) ?? new Domain(this.arena, options, index, this.#family);
  }

  // Reader -------------------------------------------------------------------------------------------

  /**
   * Run `fn` in a read-side critical section and give back what it gives.
   * @throws ContextError (ERR_ASYNC_SECTION) when it gives a promise: such a section ends with its turn; use `readAsync` (phase)
   */
  read<T>(fn: (() => T) & Synchronous<T>): T {
    const before = this.reader.begin();
    try {
      if (this.#debug && before === 0) storeOrigin(this.#site);
      const result = fn();
      if (isThenable(result)) {
        Promise.resolve(result).catch(() => {}); // what is reported is this misuse
        throw new ContextError(
          "ERR_ASYNC_SECTION",
          "read(fn) was given an async function: its section ends with the synchronous turn. Take copies inside and await outside, or use readAsync() of a phase domain.",
        );
      }
      return result;
    } finally {
      this.reader.endTo(before);
    }
  }

  /**
   * Begin a read-side critical section; sections nest. Give the index to `readUnlock`: a phase domain must have it, and there the section
   * may end in another turn.
   */
  readLock(): ReadIndex {
    if (this.#debug && this.reader.nesting === 0) storeOrigin(this.#site);
    return this.reader.lock();
  }

  /** @throws ContextError (ERR_UNBALANCED_UNLOCK, ERR_FOREIGN_INDEX) */
  readUnlock(index?: ReadIndex): void {
    this.reader.unlock(index);
  }

  /**
   * Run an async function in a section that lasts until its promise is settled. Phase domains only. It must not await this domain's own
   * `synchronize()`, which waits for it; that cannot be told from another task's, so only the stall detector says so.
   * @throws ContextError (ERR_ASYNC_SECTION) in other flavors
   */
  async readAsync<T>(fn: () => Promise<T>): Promise<T> {
    if (this.flavor !== "phase")
      throw new ContextError("ERR_ASYNC_SECTION", `a section of the ${this.flavor} flavor ends with its turn: sections that await are for phase domains.`);
    const index = this.readLock();
    try {
      return await fn();
    } finally {
      this.readUnlock(index);
    }
  }

  /** Begin a section that ends with a `using` block, or by `end()`. */
  guard(): SectionGuard {
    const index = this.readLock();
    let open = true;
    const end = (): void => {
      if (!open) return;
      open = false;
      this.readUnlock(index);
    };
    return { end, [dispose]: end } as unknown as SectionGuard;
  }

  /** Whether this thread is in a section. */
  get readLockHeld(): boolean {
    return this.reader.nesting > 0;
  }

  /**
   * Load a pointer; what it points to stays whole until the section ends.
   * @throws ContextError (ERR_NOT_IN_SECTION) outside a section
   */
  dereference(pointer: Address): Address {
    if (this.reader.nesting === 0)
      throw new ContextError(
        "ERR_NOT_IN_SECTION",
        "dereference() outside a read-side section: what it points to could be freed at any time. Use read(fn) or readLock().",
      );
    return this.arena.memory.load(pointer) as Address;
  }

  /** A pointer's value, to be compared with another and never followed. Anywhere. */
  accessPointer(pointer: Address): Address {
    return this.arena.memory.load(pointer) as Address;
  }

  /** Tell the updaters, in a long turn, that this thread holds no reference. Nothing in a section, and in the phase flavor. */
  quiescent(): void {
    this.reader.quiescent();
  }

  /**
   * Run `fn`, which may block (Atomics.wait, a synchronous call), without holding up any grace period.
   * @throws ContextError (ERR_IN_SECTION) in a section
   */
  offline<T>(fn: () => T): T {
    this.#mayWait("offline()");
    this.#family.goOffline();
    return fn();
  }

  // Updater ------------------------------------------------------------------------------------------

  /** Publish: readers that load the pointer from now on see all that was written to `target` before. */
  assignPointer(pointer: Address, target: Address): void {
    this.arena.memory.store(pointer, target);
  }

  /** As `assignPointer`, giving the old target; for an updater that holds its lock. */
  replacePointer(pointer: Address, target: Address): Address {
    const old = this.arena.memory.load(pointer) as Address;
    this.arena.memory.store(pointer, target);
    return old;
  }

  /** Publish and take the old target, in one step: of several updaters without a lock each gets another one. */
  exchangePointer(pointer: Address, target: Address): Address {
    return this.arena.memory.exchange(pointer, target) as Address;
  }

  /** Publish if the pointer still is `expected`. Gives what it was: `expected` if that was done. */
  compareExchangePointer(pointer: Address, expected: Address, target: Address): Address {
    return this.arena.memory.compareExchange(pointer, expected, target) as Address;
  }

  /**
   * Resolves once every section that is open now has ended. Keeps the process alive meanwhile.
   * @throws ContextError (ERR_IN_SECTION, ERR_ATOMIC_CONTEXT) at once: it would wait for itself, or for a lock's waiters
   */
  synchronize(options: WaitOptions = {}): Promise<void> {
    this.#mayWait("synchronize()");
    return this.#synchronize(this.#start(options.expedited), options);
  }

  /** As `synchronize`, looking again and again rather than sleeping. */
  synchronizeExpedited(options: Omit<WaitOptions, "expedited"> = {}): Promise<void> {
    return this.synchronize({ ...options, expedited: true });
  }

  async #synchronize(cookie: Cookie, options: WaitOptions): Promise<void> {
    const started = performance.now();
    await this.#waiter.wait(cookie, options);
    recordDuration(this.#site, performance.now() - started);
  }

  /**
   * Block until every section that is open now has ended.
   * @throws ContextError (ERR_IN_SECTION, ERR_ATOMIC_CONTEXT; ERR_CANNOT_BLOCK where the thread may not block and would have to), GracePeriodTimeoutError
   */
  synchronizeSync(options: SyncWaitOptions = {}): void {
    this.#mayBlock("synchronizeSync()");
    this.#synchronizeSync(this.#start(options.expedited), options);
  }

  #synchronizeSync(cookie: Cookie, { timeout, expedited }: SyncWaitOptions): void {
    checkMilliseconds("timeout", timeout);
    const started = performance.now();
    this.#family.goOffline();
    if (!this.#waiter.waitSync(cookie, timeout, expedited)) {
      throw new GracePeriodTimeoutError(timeout as number, this.#stalls.describe(cookie, performance.now() - started));
    }
    recordDuration(this.#site, performance.now() - started);
  }

  #start(expedited = false): Cookie {
    const cookie = this.periods.start();
    if (expedited && tracepoints.expedited.hasSubscribers) tracepoints.expedited.publish({ domain: this.index, sequence: cookie >>> 0 });
    return cookie;
  }

  // Polling ------------------------------------------------------------------------------------------

  /** A cookie for all that was unlinked by now; asks for no grace period: whoever needs one later brings it about. */
  getState(): Cookie {
    this.reader.mustBeOpen();
    return this.periods.snap();
  }

  /** As `getState`, and asks for the grace period, so that it will be over by and by, as this thread or others look. */
  startPoll(): Cookie {
    this.reader.mustBeOpen();
    return this.periods.start();
  }

  /** Whether a cookie's grace period is over. */
  pollState(cookie: Cookie): boolean {
    this.reader.mustBeOpen();
    return this.periods.isOver(cookie);
  }

  /** Wait for a cookie's grace period, if it is not over. */
  condSynchronize(cookie: Cookie, options: WaitOptions = {}): Promise<void> {
    this.#mayWait("condSynchronize()");
    if (this.periods.isOver(cookie)) return Promise.resolve();
    this.#start(options.expedited); // somebody must ask for it
    return this.#synchronize(cookie, options);
  }

  /** As `condSynchronize`, blocking. */
  condSynchronizeSync(cookie: Cookie, options: SyncWaitOptions = {}): void {
    this.#mayBlock("condSynchronizeSync()");
    if (this.periods.isOver(cookie)) return;
    this.#start(options.expedited);
    this.#synchronizeSync(cookie, options);
  }

  /** A cookie that is over, for what no reader has ever seen. */
  getCompleted(): Cookie {
    return this.periods.completed();
  }

  /** Whether two cookies stand for the same grace period, so that one will do. */
  sameState(a: Cookie, b: Cookie): boolean {
    return a === b;
  }

  // Reclamation --------------------------------------------------------------------------------------

  /**
   * Run `fn` in this thread, from the top of its event loop, once every section open now has ended. Keeps no process alive; what has not run when the
   * thread detaches or dies never will (`barrier` says so).
   */
  call(fn: () => void, { lazy = false, hurry = false }: CallOptions = {}): void {
    this.arena.heap.slot.mustBeAttached();
    this.#driver.call(fn, lazy && !hurry);
    if (hurry) this.#driver.startNow();
  }

  /**
   * As `call`, for an object with an embedded head (K3); `containerOf` finds the object in the callback.
   * @throws DoubleCallError when the head waits for its callback already
   */
  callHead(head: Address, fn: (head: Address) => void, options?: CallOptions): void {
    const { memory } = this.arena;
    this.arena.heap.slot.mustBeAttached();
    queueHead(memory, head);
    this.call(() => {
      unqueueHead(memory, head);
      fn(head);
    }, options);
  }

  /**
   * Free an object (of kmalloc, a cache, or allocPages), which no new reader can reach, after a grace period. Unlike a callback it outlives this thread.
   * Allocates nothing. Waits only when too much is waiting, outside sections, and without a lock held.
   * @throws DoubleFreeError (ERR_DOUBLE_RETIRE), InvalidAddressError
   */
  retire(object: Address): void {
    this.#reclaimer.retire(object);
    this.#driver.kick();
  }

  /** Wait for a grace period, then free the object (the kernel's kvfree_rcu_mightsleep). @throws as `synchronizeSync` and `kfree` do */
  retireSync(object: Address): void {
    this.synchronizeSync();
    this.arena.heap.kfree(object);
  }

  /**
   * Resolves once all callbacks that any thread had registered in this domain have run, or their thread has died or left; and says whose were lost.
   * @throws ContextError (ERR_IN_CALLBACK) in a callback, which would wait for itself; (ERR_IN_SECTION, ERR_ATOMIC_CONTEXT)
   */
  barrier({ signal }: { readonly signal?: AbortSignal } = {}): Promise<BarrierResult> {
    this.#mayWait("barrier()");
    if (this.#driver.inCallback) throw new ContextError("ERR_IN_CALLBACK", "barrier() in a callback would wait for that callback itself.");
    return barrier(
      this.#site,
      () => this.#driver.hurryAll(),
      (threads) => this.#family.onSuspects?.(threads),
      signal,
    );
  }

  // For structures -----------------------------------------------------------------------------------

  /** After an update, holding nothing that was retired: in a long turn, release what is over; wait, when too much is waiting. */
  afterUpdate(): void {
    this.#reclaimer.lookNowAndThen(() => this.#driver.tryAdvance());
  }

  /**
   * Call an allocation function; when it gives NULL, force a grace period so that what is retired comes back, and try again.
   * @throws OutOfMemoryError when there still is nothing
   */
  allocate(bytes: number, alloc: () => Address): Address {
    const first = alloc();
    if (first !== 0) return first;
    // In a section this thread's own references hold up the grace period: waiting would be for ever; and with a spin lock nothing waits.
    if (this.reader.nesting === 0 && !this.#family.inTurnSection && this.arena.heap.slot.spinLocks === 0) {
      this.flushSync(FORCED_WAIT);
      const second = alloc();
      if (second !== 0) return second;
    }
    const { total, used } = this.arena.heap.bytes();
    throw new OutOfMemoryError(bytes, total - used, total);
  }

  /**
   * Block until everything that this thread has retired, in all its domains, and what the departed have left, is given back, for at most `timeout` ms. Outside sections.
   * @throws LockTimeoutError, ClosedError
   */
  flushSync(timeout: number): void {
    this.reader.mustBeOpen();
    const deadline = performance.now() + timeout;
    for (;;) {
      for (const { reader, periods } of this.#family.members) if (reader.nesting === 0) periods.force();
      for (const domain of this.#family.members) domain.#reclaimer.flushSync(Math.max(0, deadline - performance.now()));
      this.#departed.help();
      if (!this.#departed.any || performance.now() >= deadline || !this.arena.memory.canBlock) return;
      this.#family.goOffline();
      const { events } = this.#site;
      const ticket = events.announceSleep();
      this.#departed.help();
      if (!this.#departed.any) return;
      events.sleep(ticket, LONGEST_SLEEP);
    }
  }

  /**
   * Once a grace period is over that a structure waited for by itself: see to those who were found dead, for whom it did not wait. What they were publishing is then settled.
   * @throws LockTimeoutError
   */
  drainDead(): void {
    this.#departed.drainDead();
  }

  /** What this thread's driver does at each look: release what is over. @throws LockTimeoutError */
  advance(timeout?: number): void {
    this.reader.mustBeOpen();
    this.#reclaimer.advance(timeout);
    this.#departed.help(timeout);
  }

  /**
   * Before an update, which may wait for a lock or for memory.
   * @throws ContextError (ERR_IN_SECTION, ERR_ATOMIC_CONTEXT), ClosedError
   */
  beforeUpdate(operation: string): void {
    this.#mayWait(operation);
  }

  /** Where this thread's section began, in debug mode. */
  #origin(): string {
    const stack = this.#debug ? loadOrigin(this.#site, this.#site.slot) : undefined;
    return stack === undefined ? "" : ` The section began\n${stack}`;
  }

  /** What may wait is refused in a section of this domain, in any that ends with its turn, with a spin lock held, and after `detach`. */
  #mayWait(operation: string): void {
    this.reader.mustBeOpen();
    // Sections of phase domains that await something may be open: they go on meanwhile.
    if (this.reader.inSynchronousSection || this.#family.inTurnSection)
      throw new ContextError(
        "ERR_IN_SECTION",
        `${operation} may wait, and was called in a read-side section, which others wait for: end the section first.${this.#origin()}`,
      );
    if (this.arena.heap.slot.spinLocks > 0)
      throw new ContextError("ERR_ATOMIC_CONTEXT", `${operation} may wait, and this thread holds a spin lock, for which others burn their time: unlock first.`);
  }

  /** What blocks is refused also while sections of this thread await something (phase): they could not go on. */
  #mayBlock(operation: string): void {
    this.#mayWait(operation);
    if (this.reader.nesting > 0)
      throw new ContextError(
        "ERR_IN_SECTION",
        `${operation} blocks, and ${this.reader.nesting} sections of this thread await something: they could never end. Use the asynchronous twin.${this.#origin()}`,
      );
  }

  // Life and death -----------------------------------------------------------------------------------

  /** Give this thread a name for reports; up to 64 bytes of UTF-8 are kept. */
  nameThread(name: string): void {
    this.reader.mustBeOpen();
    storeText(this.arena.memory, field(this.arena.heap.slot.address, SlotWord.NAME), NAME_WORDS, name);
  }

  /** Be told, in long waits, of the threads that are waited for: they may be dead. */
  onSuspects(listener: (threads: readonly number[]) => void): void {
    this.#family.onSuspects = listener;
  }

  /**
   * Say that a thread is dead. Its sections are over, its locks tell their next owner, what it retired is given back
   * after a grace period. Never for a thread that lives.
   * @param thread the number its slot shows in `stats()`
   * @param timeout ms to wait for the arena lock at most
   * @returns whether the thread had a slot
   * @throws LockTimeoutError: call again in a later turn
   */
  reap(thread: number, timeout?: number): boolean {
    try {
      return reapThread(this.arena.heap, thread, timeout);
    } finally {
      // Also when the lock could not be had: its sections are over, and whoever drives next drains its slot. And when it had no slot: it may
      // have died while it was leaving.
      this.#wakeAll();
      this.helpDeparted();
    }
  }

  /** Every domain's waiters look again, those that this thread has not opened too. */
  #wakeAll(): void {
    const { memory, layout } = this.arena;
    for (let index = 0; index < layout.domains; index++) new Site(memory, layout, index, this.#site.slot).events.wakeAll();
    this.periods.force(); // a dead thread reports nothing any more
  }

  /** See to what threads that have left or died still have in limbo. */
  helpDeparted(): void {
    this.#departed.note();
    this.#driver.kick();
  }

  /**
   * Give this thread's slot back, with all its domains. Callbacks that have not run never will.
   * @throws ContextError (ERR_IN_SECTION; ERR_LOCK_HELD), ClosedError; LockTimeoutError: call again in a later turn
   */
  detach(): void {
    if (this.index !== 0)
      throw new ContextError("ERR_NOT_MAIN", "detach() gives the whole slot back: it is for the main domain; another domain needs no closing.");
    const all = this.#family.members;
    for (const domain of all) domain.#mayDetach();
    this.#family.goOffline(); // first: what is left must not wait for this thread itself
    for (const domain of all) domain.#reclaimer.advance();
    this.#departed.help();
    const left = all.some((domain) => !domain.#reclaimer.empty);
    this.arena.detach(); // may not get the arena lock; then this thread is attached as before, and may try again
    for (const domain of all) {
      domain.#driver.stop();
      domain.reader.close();
      domain.#site.events.wake(); // a barrier may wait for callbacks that are lost now
      for (const end of domain.closing) end();
    }
    if (left) this.#departed.note();
    this.#closed = true;
  }

  /** Whether this thread has given its slot back. */
  get closed(): boolean {
    return this.#closed;
  }

  #mayDetach(): void {
    this.#mayWait("detach()");
    if (this.arena.heap.slot.locksHeld > 0) throw new ContextError("ERR_LOCK_HELD", "detach() with a lock held: unlock first.");
    if (this.reader.nesting > 0) throw new ContextError("ERR_IN_SECTION", `detach() with a read-side section open: end all sections first.${this.#origin()}`);
  }

  // Figures ------------------------------------------------------------------------------------------

  /** Figures of all threads, and of what this one has waiting. */
  stats(): DomainStats {
    return domainStats(this.#site, this.#flavor, {
      callbacks: this.#driver.callbacks.counts(),
      stalls: this.#stalls.stalls,
      backPressure: this.#reclaimer.backPressure,
    });
  }

  /** Begin an interval: its figures are those since now, whoever else measures. */
  measure(): Interval {
    return startInterval(this.#site);
  }
}

const SECTION_LEFT_OPEN =
  "quiesce: a turn ended inside a read-side section (readLock() without readUnlock(), or an await between them). " +
  "The slot stays online, and memory is not reclaimed, until the section ends.";

function checkMilliseconds(name: string, value: number | undefined): void {
  if (value !== undefined && !(value >= 0)) throw new InvalidSizeError(name, value, "a number that is not negative");
}

function checkOptions({ stallTimeout, retireLimit, spin }: DomainOptions): void {
  checkMilliseconds("stallTimeout", stallTimeout);
  checkMilliseconds("retireLimit", retireLimit);
  checkMilliseconds("spin", spin);
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
