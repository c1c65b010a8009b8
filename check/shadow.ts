/**
 * Shadow memory: a happens-before race detector with vector clocks, and a state for each word.
 *
 * Source: FastTrack (Flanagan & Freund, PLDI 2009): a thread's history is a vector of epochs, and
 * an access is checked against the epochs of the earlier accesses to its word. Unlike FastTrack
 * all threads' last epochs are kept, since a handful of threads make that as cheap as compressing.
 *
 * Happens-before is the ES memory model's, no stronger:
 * - program order;
 * - an atomic read synchronizes with the atomic write it reads from. So a store *replaces* the
 *   word's clock (there are no release sequences), a read-modify-write reads and then replaces, a
 *   failed compareExchange is a read;
 * - a notify synchronizes with the waits it wakes. (The specification orders all entries to a
 *   word's waiter list; that is left out, so code that needs it is reported.)
 *
 * Two accesses that share a word, one of them a write, not both atomic, and not ordered, race. A
 * plain read of an atomic word is fine when ordered, and a race when not.
 *
 * What it knows stands in cells (shadow-cells.ts). Where threads are real, whoever calls holds the word's lock, from before the check until
 * the access is made: clocks and values would disagree else.
 */

import { type CallSites, stackHere } from "./call-sites.js";
import type { ShadowCells } from "./shadow-cells.js";

const State = { unknown: 0, fresh: 1, live: 2, freed: 3, immutable: 4 } as const;

export const Access = { plainRead: 0, plainWrite: 1, atomicRead: 2, atomicWrite: 3 } as const;
export type Access = (typeof Access)[keyof typeof Access];

const accessNames = ["plain read", "plain write", "atomic read", "atomic write"] as const;

export type ShadowKind = "race" | "use-after-free" | "uninitialised" | "immutable";

/** Misuse of a word, reported at the access. */
export class ShadowError extends Error {
  readonly kind: ShadowKind;
  readonly address: number;
  readonly threads: readonly number[];
  /** Where the two accesses were made; the earlier one last. Empty unless stacks are kept. */
  readonly stacks: readonly string[];

  constructor(kind: ShadowKind, address: number, threads: readonly number[], message: string, stacks: readonly string[]) {
    super(message);
    this.name = "ShadowError";
    this.kind = kind;
    this.address = address;
    this.threads = threads;
    this.stacks = stacks;
  }
}

export interface ShadowOptions {
  /** Keep where the last accesses to each word were made (slow); its numbers stand in the cells. */
  readonly sites?: CallSites;
  readonly label?: (address: number) => string;
  readonly threadName?: (thread: number) => string;
}

export class Shadow {
  readonly threads: number;
  readonly cells: ShadowCells;
  /** Threads that run privileged code: the state of words is not checked for them. */
  readonly lenient: number[];
  readonly #clocks: number;
  readonly #sites: CallSites | undefined;
  /** The site of the accesses that are being checked together; -1 when there are none. */
  #site = -1;
  readonly #label: (address: number) => string;
  readonly #threadName: (thread: number) => string;

  constructor(cells: ShadowCells, options: ShadowOptions = {}) {
    this.cells = cells;
    this.threads = cells.threads;
    this.lenient = new Array<number>(cells.threads).fill(0);
    this.#clocks = cells.clocks;
    this.#sites = cells.keepsSites ? options.sites : undefined;
    this.#label = options.label ?? ((address) => `word ${address}`);
    this.#threadName = options.threadName ?? ((thread) => `thread ${thread}`);
  }

  read(thread: number, address: number, words = 1): void {
    for (let i = 0; i < words; i++) this.#check(thread, address + i, Access.plainRead);
  }

  write(thread: number, address: number, words = 1): void {
    for (let i = 0; i < words; i++) this.#check(thread, address + i, Access.plainWrite);
  }

  /**
   * A plain read of a word that is copied elsewhere. What was never written may be copied (the padding of a node is), and is as unwritten there.
   * @returns whether it was never written
   */
  readToCopy(thread: number, address: number): boolean {
    const unwritten = this.cells.get(this.cells.of(address)) === State.fresh;
    if (unwritten) privileged(this, thread, () => this.read(thread, address));
    else this.read(thread, address);
    return unwritten;
  }

  atomicRead(thread: number, address: number): void {
    const base = this.#check(thread, address, Access.atomicRead);
    this.acquire(thread, base + 1);
  }

  atomicWrite(thread: number, address: number): void {
    this.release(thread, this.#check(thread, address, Access.atomicWrite) + 1);
  }

  atomicUpdate(thread: number, address: number): void {
    const base = this.#check(thread, address, Access.atomicWrite);
    this.acquire(thread, base + 1);
    this.release(thread, base + 1);
  }

  /** `thread` wakes `woken`, which sleeps. */
  wakes(thread: number, woken: number): void {
    this.acquire(woken, this.#clocks + thread * this.threads);
    this.#tick(thread);
  }

  /** What the thread has seen and done, for whom it starts. */
  fork(thread: number): number[] {
    const clock = Array.from({ length: this.threads }, (_, u) => this.cells.get(this.#clocks + thread * this.threads + u));
    this.#tick(thread);
    return clock;
  }

  /** The thread begins after what this clock says. */
  begin(thread: number, clock: readonly number[]): void {
    for (const [u, value] of clock.entries()) if (u !== thread) this.cells.set(this.#clocks + thread * this.threads + u, value);
  }

  /** What has happened before the clock at this cell has happened before the thread goes on. */
  acquire(thread: number, source: number): void {
    const { cells } = this;
    const target = this.#clocks + thread * this.threads;
    for (let u = 0; u < this.threads; u++) {
      const value = cells.get(source + u);
      if (value > cells.get(target + u)) cells.set(target + u, value);
    }
  }

  /** The clock at this cell is what the thread has seen and done. */
  release(thread: number, target: number): void {
    const { cells } = this;
    const clock = this.#clocks + thread * this.threads;
    for (let u = 0; u < this.threads; u++) cells.set(target + u, cells.get(clock + u));
    this.#tick(thread);
  }

  #tick(thread: number): void {
    const own = this.#clocks + thread * this.threads + thread;
    this.cells.set(own, this.cells.get(own) + 1);
  }

  allocated(thread: number, address: number, words: number): void {
    this.#annotate(thread, address, words, State.fresh);
  }

  freed(thread: number, address: number, words: number): void {
    for (let i = 0; i < words; i++) {
      const base = this.cells.of(address + i);
      if (this.cells.get(base) === State.freed) this.#misused("use-after-free", thread, address + i, "double free", base);
    }
    this.#annotate(thread, address, words, State.freed);
  }

  immutable(thread: number, address: number, words: number): void {
    for (let i = 0; i < words; i++) this.#setState(thread, this.cells.of(address + i), State.immutable);
  }

  /** What setup leaves behind, or the allocator says of its own words, is not an access of any thread. */
  setState(address: number, words: number, state: keyof typeof State): void {
    for (let i = 0; i < words; i++) this.cells.set(this.cells.of(address + i), State[state]);
  }

  /** Several accesses of one operation have one site. */
  together(body: () => void): void {
    this.#site = 0;
    try {
      body();
    } finally {
      this.#site = -1;
    }
  }

  // Handing a range out or back is a write to all of it: whoever touches it without being ordered
  // after (or before) races with that, whatever the interleaving.
  #annotate(thread: number, address: number, words: number, state: number): void {
    privileged(this, thread, () => {
      for (let i = 0; i < words; i++) this.#setState(thread, this.#check(thread, address + i, Access.plainWrite), state);
    });
  }

  #setState(thread: number, base: number, state: number): void {
    this.cells.set(base, state);
    if (this.#sites === undefined) return;
    const setter = base + 1 + 5 * this.threads;
    this.cells.set(setter, thread + 1);
    this.cells.set(setter + 1, this.#here());
  }

  #check(thread: number, address: number, access: Access): number {
    const { cells, threads } = this;
    const base = cells.of(address);
    const state = cells.get(base);
    if (state !== State.unknown && state !== State.live && this.lenient[thread] === 0) this.#checkState(thread, address, access, base, state);
    const clock = this.#clocks + thread * threads;
    const epoch = cells.get(clock + thread);
    const epochs = base + 1 + threads;
    const mine = epochs + access * threads + thread;
    // Checked in this epoch already: an access since then that races with it was checked against it.
    if (cells.get(mine) === epoch) return base;
    for (let u = 0; u < threads; u++) {
      if (u === thread) continue;
      const seen = cells.get(clock + u);
      const plainWrite = epochs + threads + u;
      if (cells.get(plainWrite) > seen) this.#race(thread, address, access, u, Access.plainWrite);
      if (access === Access.atomicRead) continue;
      if (access !== Access.plainRead && cells.get(epochs + u) > seen) this.#race(thread, address, access, u, Access.plainRead);
      if (access === Access.atomicWrite) continue;
      if (cells.get(plainWrite + 2 * threads) > seen) this.#race(thread, address, access, u, Access.atomicWrite);
      if (access === Access.plainWrite && cells.get(plainWrite + threads) > seen) this.#race(thread, address, access, u, Access.atomicRead);
    }
    cells.set(mine, epoch);
    if (this.#sites !== undefined) cells.set(this.#siteCell(base, thread, access), this.#here());
    return base;
  }

  #checkState(thread: number, address: number, access: Access, base: number, state: number): void {
    const writes = access === Access.plainWrite || access === Access.atomicWrite;
    const name = accessNames[access];
    if (state === State.freed) this.#misused("use-after-free", thread, address, `${name} after free`, base);
    if (state === State.fresh) {
      if (!writes) this.#misused("uninitialised", thread, address, `${name} of a word that was never written`, base);
      this.cells.set(base, State.live);
    }
    if (state === State.immutable && writes) this.#misused("immutable", thread, address, `${name} of a published immutable word`, base);
  }

  #race(thread: number, address: number, access: Access, other: number, otherAccess: Access): never {
    const message = `${accessNames[access]} races with an unordered ${accessNames[otherAccess]} by ${this.#threadName(other)}`;
    const site = this.#sites === undefined ? 0 : this.cells.get(this.#siteCell(this.cells.of(address), other, otherAccess));
    return this.#fail("race", address, [thread, other], message, site);
  }

  /** Against the word's state, which another access gave it. */
  #misused(kind: ShadowKind, thread: number, address: number, what: string, base: number): never {
    if (this.#sites === undefined) return this.#fail(kind, address, [thread], what, 0);
    const setter = base + 1 + 5 * this.threads;
    const by = this.cells.get(setter) - 1;
    return this.#fail(kind, address, by < 0 ? [thread] : [thread, by], what, this.cells.get(setter + 1));
  }

  #fail(kind: ShadowKind, address: number, threads: readonly number[], what: string, otherSite: number): never {
    const [thread = 0, other] = threads;
    const stacks: string[] = [];
    if (this.#sites !== undefined) {
      stacks.push(`${this.#threadName(thread)}:\n${stackHere()}`);
      if (other !== undefined)
        stacks.push(`${this.#threadName(other)}, earlier:\n${this.#sites.textOf(otherSite) ?? "    (this stack was not kept: see Sampling.sites)"}`);
    }
    throw new ShadowError(kind, address, threads, `${kind}: ${this.#threadName(thread)}: ${this.#label(address)}: ${what}`, stacks);
  }

  #siteCell(base: number, thread: number, access: Access): number {
    return base + 3 + (5 + access) * this.threads + thread;
  }

  #here(): number {
    const sites = this.#sites as CallSites;
    if (this.#site < 0) return sites.here();
    if (this.#site === 0) this.#site = sites.here();
    return this.#site;
  }
}

/** Run code that may touch freed and fresh words. */
export function privileged<R>(shadow: Shadow | undefined, thread: number, body: () => R): R {
  if (shadow === undefined) return body();
  shadow.lenient[thread] = (shadow.lenient[thread] as number) + 1;
  try {
    return body();
  } finally {
    shadow.lenient[thread] = (shadow.lenient[thread] as number) - 1;
  }
}
