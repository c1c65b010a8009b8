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
 * Layout, journalled so that the explorer can go back: T x T thread clocks, then for each word
 * touched: state, clock of its last atomic write (T), epochs of the last plain read, plain write,
 * atomic read, atomic write (T each).
 */

import type { Undo } from "./undo.js";

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
  /** Keep the stack of the last accesses to each word (slow). */
  readonly stacks?: boolean;
  readonly label?: (address: number) => string;
  readonly threadName?: (thread: number) => string;
}

export class Shadow {
  readonly threads: number;
  /** Threads that run privileged code: the state of words is not checked for them. */
  readonly lenient: number[];
  readonly #undo: Undo;
  readonly #clocks: number;
  readonly #base: Int32Array;
  readonly #stride: number;
  readonly #stacks: Map<number, Error> | undefined;
  readonly #label: (address: number) => string;
  readonly #threadName: (thread: number) => string;

  constructor(undo: Undo, threads: number, words: number, options: ShadowOptions = {}) {
    this.#undo = undo;
    this.threads = threads;
    this.lenient = new Array<number>(threads).fill(0);
    this.#clocks = undo.allocate(threads * threads);
    this.#base = new Int32Array(words);
    this.#stride = 1 + 5 * threads;
    this.#stacks = options.stacks === true ? new Map<number, Error>() : undefined;
    this.#label = options.label ?? ((address) => `word ${address}`);
    this.#threadName = options.threadName ?? ((thread) => `thread ${thread}`);
    // Epochs start at 1, so that what setup did (epoch 0) is before everything.
    for (let t = 0; t < threads; t++) undo.cells[this.#clocks + t * threads + t] = 1;
  }

  read(thread: number, address: number, words = 1): void {
    for (let i = 0; i < words; i++) this.#check(thread, address + i, Access.plainRead);
  }

  write(thread: number, address: number, words = 1): void {
    for (let i = 0; i < words; i++) this.#check(thread, address + i, Access.plainWrite);
  }

  atomicRead(thread: number, address: number): void {
    const base = this.#check(thread, address, Access.atomicRead);
    this.#join(this.#clocks + thread * this.threads, base + 1);
  }

  atomicWrite(thread: number, address: number): void {
    this.#release(thread, this.#check(thread, address, Access.atomicWrite));
  }

  atomicUpdate(thread: number, address: number): void {
    const base = this.#check(thread, address, Access.atomicWrite);
    this.#join(this.#clocks + thread * this.threads, base + 1);
    this.#release(thread, base);
  }

  /** `thread` wakes `woken`, which sleeps. */
  wakes(thread: number, woken: number): void {
    const clock = this.#clocks + thread * this.threads;
    this.#join(this.#clocks + woken * this.threads, clock);
    this.#tick(thread);
  }

  allocated(thread: number, address: number, words: number): void {
    this.#annotate(thread, address, words, State.fresh);
  }

  freed(thread: number, address: number, words: number): void {
    for (let i = 0; i < words; i++) {
      const base = this.#base[address + i] as number;
      if (base !== 0 && this.#undo.get(base) === State.freed) this.#fail("use-after-free", thread, address + i, "double free", thread, 4);
    }
    this.#annotate(thread, address, words, State.freed);
  }

  immutable(address: number, words: number): void {
    for (let i = 0; i < words; i++) this.#undo.set(this.#baseOf(address + i), State.immutable);
  }

  /** What setup leaves behind is not an access of any thread. */
  setState(address: number, words: number, state: "fresh" | "freed" | "immutable"): void {
    for (let i = 0; i < words; i++) this.#undo.set(this.#baseOf(address + i), State[state]);
  }

  // Handing a range out or back is a write to all of it: whoever touches it without being ordered
  // after (or before) races with that, whatever the interleaving.
  #annotate(thread: number, address: number, words: number, state: number): void {
    this.lenient[thread] = (this.lenient[thread] as number) + 1;
    try {
      for (let i = 0; i < words; i++) {
        const base = this.#check(thread, address + i, Access.plainWrite);
        this.#undo.set(base, state);
        this.#remember(thread, address + i, 4);
      }
    } finally {
      this.lenient[thread] = (this.lenient[thread] as number) - 1;
    }
  }

  #baseOf(address: number): number {
    const base = this.#base[address] as number;
    if (base !== 0) return base;
    const fresh = this.#undo.allocate(this.#stride);
    this.#base[address] = fresh;
    return fresh;
  }

  #check(thread: number, address: number, access: Access): number {
    const undo = this.#undo;
    const base = this.#baseOf(address);
    const state = undo.get(base);
    if (state !== State.unknown && state !== State.live && this.lenient[thread] === 0) this.#checkState(thread, address, access, base, state);
    const threads = this.threads;
    const clock = this.#clocks + thread * threads;
    const epoch = undo.get(clock + thread);
    const epochs = base + 1 + threads;
    const mine = epochs + access * threads + thread;
    if (this.#stacks !== undefined) this.#remember(thread, address, access);
    // Checked in this epoch already: an access since then that races with it was checked against it.
    if (undo.get(mine) === epoch) return base;
    for (let u = 0; u < threads; u++) {
      if (u === thread) continue;
      const seen = undo.get(clock + u);
      const plainWrite = epochs + threads + u;
      if (undo.get(plainWrite) > seen) this.#race(thread, address, access, u, Access.plainWrite);
      if (access === Access.atomicRead) continue;
      if (access !== Access.plainRead && undo.get(epochs + u) > seen) this.#race(thread, address, access, u, Access.plainRead);
      if (access === Access.atomicWrite) continue;
      if (undo.get(plainWrite + 2 * threads) > seen) this.#race(thread, address, access, u, Access.atomicWrite);
      if (access === Access.plainWrite && undo.get(plainWrite + threads) > seen) this.#race(thread, address, access, u, Access.atomicRead);
    }
    undo.set(mine, epoch);
    return base;
  }

  #checkState(thread: number, address: number, access: Access, base: number, state: number): void {
    const writes = access === Access.plainWrite || access === Access.atomicWrite;
    if (state === State.freed) this.#fail("use-after-free", thread, address, `${accessNames[access]} after free`, -1, 4, access);
    if (state === State.fresh) {
      if (!writes) this.#fail("uninitialised", thread, address, `${accessNames[access]} of a word that was never written`, -1, 4, access);
      this.#undo.set(base, State.live);
    }
    if (state === State.immutable && writes) {
      this.#fail("immutable", thread, address, `${accessNames[access]} of a published immutable word`, -1, Access.plainWrite, access);
    }
  }

  #release(thread: number, base: number): void {
    const undo = this.#undo;
    const clock = this.#clocks + thread * this.threads;
    for (let u = 0; u < this.threads; u++) undo.set(base + 1 + u, undo.get(clock + u));
    this.#tick(thread);
  }

  #tick(thread: number): void {
    const own = this.#clocks + thread * this.threads + thread;
    this.#undo.set(own, this.#undo.get(own) + 1);
  }

  #join(target: number, source: number): void {
    const undo = this.#undo;
    for (let u = 0; u < this.threads; u++) {
      const value = undo.get(source + u);
      if (value > undo.get(target + u)) undo.set(target + u, value);
    }
  }

  #race(thread: number, address: number, access: Access, other: number, otherAccess: Access): never {
    const message = `${accessNames[access]} races with an unordered ${accessNames[otherAccess]} by ${this.#threadName(other)}`;
    return this.#fail("race", thread, address, message, other, otherAccess, access);
  }

  #fail(kind: ShadowKind, thread: number, address: number, what: string, other: number, otherAccess: number, access = 4): never {
    const stacks: string[] = [];
    if (this.#stacks !== undefined) {
      stacks.push(`${this.#threadName(thread)}:\n${trim(this.#stacks.get(this.#key(thread, address, access)) ?? new Error("stack"))}`);
      for (let u = 0; u < this.threads; u++) {
        const stack = other === -1 || other === u ? this.#stacks.get(this.#key(u, address, otherAccess)) : undefined;
        if (stack !== undefined) stacks.push(`${this.#threadName(u)}, earlier:\n${trim(stack)}`);
      }
    }
    const threads = other === -1 ? [thread] : [thread, other];
    throw new ShadowError(kind, address, threads, `${kind}: ${this.#threadName(thread)}: ${this.#label(address)}: ${what}`, stacks);
  }

  #key(thread: number, address: number, access: number): number {
    return (address * this.threads + thread) * 5 + access;
  }

  #remember(thread: number, address: number, access: number): void {
    this.#stacks?.set(this.#key(thread, address, access), new Error("stack"));
  }
}

// Frames of the checkers themselves say nothing, and below `enter` begins another thread's stack.
function trim(error: Error): string {
  const lines = (error.stack ?? "").split("\n").slice(1);
  const end = lines.findIndex((line) => line.includes("Explorer.") && line.includes("enter"));
  const own = /[\\/]check[\\/](shadow|explore|scheduled-memory|checked-memory)\.[jt]s/;
  return (end === -1 ? lines : lines.slice(0, end)).filter((line) => !own.test(line)).join("\n");
}
