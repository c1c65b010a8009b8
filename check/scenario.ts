/** What a scenario is, and what exploring one gives. */

import type { Address } from "../src/memory/address.js";
import type { Memory } from "../src/memory/memory.js";

/** What the harness tells the memory checker about ranges of words. The library never calls it. */
export interface Annotate {
  /** The words are fresh: reading one before it is written is an error. Counts as a write, so it races with stray accesses. */
  allocated(address: Address, words: number): void;
  /** Any further access is an error. Counts as a write: an access not ordered before the free is a race in every interleaving. */
  freed(address: Address, words: number): void;
  /** Published: reads only, until freed or allocated again. */
  immutable(address: Address, words: number): void;
  /** Run code that may touch freed and fresh words (an allocator's own links). Races are still reported. */
  privileged<R>(body: () => R): R;
}

/** What a thread of a scenario gets beside its memory. */
export interface Tools {
  /** Index of the thread; -1 in setup. */
  readonly thread: number;
  readonly annotate: Annotate;
  /** Stands in for queueMicrotask: runs when the turn or the thread ends. */
  defer(task: () => void): void;
  /** One turn of the event loop: the body, then what it deferred. */
  turn<R>(body: () => R): R;
}

/**
 * A thread must be a deterministic function of what it reads from `memory`: it is run many times
 * over. It keeps its JavaScript objects in local variables and hands out its outcome by returning
 * it, never by assigning outer variables (an abandoned run would leave them behind).
 */
export type Thread = (memory: Memory, tools: Tools) => unknown;

export interface Scenario {
  readonly name: string;
  /** Size of the memory in words (default 1024). */
  readonly words?: number;
  /** Runs once; what it leaves in the memory is where every execution starts. */
  setup?(memory: Memory, tools: Tools): void;
  readonly threads: readonly Thread[];
  /** Runs after each execution with what the threads returned; throws if that must not happen. */
  verify?(memory: Memory, results: readonly unknown[]): void;
  /** A name for a word, for the printed schedule. */
  label?(address: Address): string;
}

export interface ExploreOptions {
  /** "source": source sets and sleep sets (default); "sleep": sleep sets; "none": every interleaving. */
  readonly reduction?: "source" | "sleep" | "none";
  /** Are plain accesses scheduling points? Default "invisible", sound while no race is found (see explore.ts). */
  readonly plain?: "invisible" | "visible";
  /** Detect races and misused words (default true). */
  readonly races?: boolean;
  /** At most so many preemptions in an execution. Turns the reduction off. */
  readonly preemptions?: number;
  /** Stop, incomplete, after so many executions (default 10 million). */
  readonly maxExecutions?: number;
  /** Stop, incomplete, after so many seconds (default none). */
  readonly maxSeconds?: number;
  /** Scheduled accesses in one execution beyond which it is a livelock (default 2000). */
  readonly maxSteps?: number;
  /** May a finite timeout fire while others can still run? Default "last-resort": only when nobody can. */
  readonly timeouts?: "last-resort" | "any";
  /** Default "park": a loop that only re-reads words sleeps until one changes. "explore": every turn of it is explored. */
  readonly spin?: "park" | "explore";
}

export type FailureKind = "verify" | "thread" | "deadlock" | "livelock" | "nondeterminism" | "race" | "use-after-free" | "uninitialised" | "immutable";

export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
  /** What was thrown, if something was. */
  readonly error?: unknown;
  /** For `replay`. */
  readonly schedule: string;
  /** One line for each access. */
  readonly steps: readonly string[];
  /** All of it, to print. */
  readonly text: string;
}

export interface Result {
  readonly scenario: string;
  /** Executions that ran to their end. */
  readonly executions: number;
  /** Executions abandoned because they were equivalent to others. */
  readonly redundant: number;
  /** Accesses performed (re-executed ones are not counted). */
  readonly accesses: number;
  readonly seconds: number;
  /** Executions a second. */
  readonly perSecond: number;
  /** Every inequivalent execution was explored. False after a failure, a cap, a bound that cut something off or a spin that gave up. */
  readonly complete: boolean;
  /** Times a spin loop was cut short; `complete` then leaves out executions that differ only in how many futile turns it made. */
  readonly spins: number;
  readonly failure?: Failure;
}
