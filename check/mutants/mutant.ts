/**
 * Mutants: broken versions of the shipped code, made while they are explored, by a replaced method or a memory that drops, delays
 * or falsifies some accesses. A checker that lets one live is no checker.
 */

import type { Memory } from "../../src/memory/memory.js";
import type { FailureKind } from "../scenario.js";

export interface Mutant {
  /** What is wrong with it. */
  readonly name: string;
  /**
   * Which of the bugs that RCU implementations are known by it is: G grace period, C callbacks and life, S structures and
   * allocators (the lists in docs/verification.md); "-" is none of them.
   */
  readonly number: string;
  /** The guarantee that it breaks. */
  readonly breaks: string;
  /** The scenario or litmus test that must find it. */
  readonly killer: string;
  readonly kinds: readonly FailureKind[];
  /** The memory of a thread. */
  readonly memory?: (inner: Memory, thread: number) => Memory;
  /** Replaces methods; gives what puts them back. */
  readonly patch?: () => () => void;
}

/** Replaces a method; gives what puts it back. */
export function patch<T extends object, K extends keyof T>(prototype: T, method: K, replacement: (original: T[K]) => T[K]): () => () => void {
  return () => {
    const own = Object.getOwnPropertyDescriptor(prototype, method);
    prototype[method] = replacement(prototype[method]);
    return () => {
      // An inherited one is left to be inherited: else it would hide what a later mutant replaces further up.
      if (own === undefined) delete prototype[method];
      else Object.defineProperty(prototype, method, own);
    };
  };
}

/** Replaces a method by one that does nothing. */
export const idle = <T extends object, K extends keyof T>(prototype: T, method: K): (() => () => void) => patch(prototype, method, () => (() => {}) as T[K]);

/** Tells `set` while a method runs. */
export const during = <T extends object, K extends keyof T>(prototype: T, method: K, set: (running: boolean) => void): (() => () => void) =>
  patch(prototype, method, (original) => {
    const run = original as (...args: unknown[]) => unknown;
    return function (this: T, ...args: unknown[]) {
      set(true);
      try {
        return run.apply(this, args);
      } finally {
        set(false);
      }
    } as T[K];
  });

export const all =
  (...patches: (() => () => void)[]): (() => () => void) =>
  () => {
    const undo = patches.map((make) => make());
    return () => {
      for (const back of undo) back();
    };
  };

/** A memory for one thread, or several; the others keep theirs. */
export const of =
  (threads: readonly number[], Kind: new (inner: Memory) => Memory): ((inner: Memory, thread: number) => Memory) =>
  (inner, thread) =>
    threads.includes(thread) ? new Kind(inner) : inner;

export const unsafe: readonly FailureKind[] = ["race", "use-after-free", "uninitialised", "thread", "verify"];
export const asleep: readonly FailureKind[] = ["deadlock"];
export const wrong: readonly FailureKind[] = ["verify", "thread"];
