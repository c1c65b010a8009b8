/**
 * What a flavor is: a read sign and an update timing (B1), behind two interfaces, so that every structure runs on each.
 *
 * Law table: this file owns no word.
 */

import type { Cookie } from "../sequence.js";

export const FLAVORS = ["event-loop", "phase", "tree"] as const;

/** event-loop: the task switch is the sign (B2); phase: old readers and new readers (B3); tree: the first, for many threads (B4). */
export type FlavorName = (typeof FLAVORS)[number];

declare const brand: unique symbol;

/** What `readLock` gives and `readUnlock` takes. */
export type ReadIndex = number & { readonly [brand]: "read index" };

/** The read side of one thread. */
export interface Reader {
  /** Sections open in this thread. */
  readonly nesting: number;
  /**
   * Changes whenever what this thread has read may be given back from then on. So while it is what it was when something was found in a section, that is whole still, and what is found
   * now stays so: who sees it unchanged need not `enter`.
   */
  readonly epoch: number;
  /** Whether the code that runs now is in a section that cannot be suspended. */
  readonly inSynchronousSection: boolean;
  /** Begin a section that runs no foreign code and ends before the caller returns: what structures use. */
  enter(): void;
  /** End what `enter` began. */
  exit(): void;
  /** Begin a section that ends before its caller returns. Gives what `endTo` takes. */
  begin(): number;
  /**
   * End the section that `begin` began, and any such inside it that could not be ended: when the stack has overflowed, the innermost
   * `finally` blocks may fail, and the outermost puts things right.
   */
  endTo(before: number): void;
  /** Begin a section. */
  lock(): ReadIndex;
  /**
   * End a section.
   * @throws ContextError (ERR_UNBALANCED_UNLOCK, ERR_FOREIGN_INDEX)
   */
  unlock(index: ReadIndex | undefined): void;
  /** Outside a section: whatever this thread read before, it no longer holds. */
  quiescent(): void;
  /** Outside a section: hold up no grace period until the next section begins. */
  goOffline(): void;
  /** Go offline for good. */
  close(): void;
  /** @throws ClosedError after `close` */
  mustBeOpen(): void;
}

/** The grace periods of one domain, as one thread drives them. No thread is special: any of them can start, help or finish one. */
export interface GracePeriods {
  /** What a grace period that begins now would reach. Starts nothing. */
  snap(): Cookie;
  /** Ask for a grace period that begins now. */
  start(): Cookie;
  /** Whether the cookie's grace period is over. Looks, and helps it along. */
  isOver(cookie: Cookie): boolean;
  /** Look at every slot that is still waited for, on behalf of those that cannot report by themselves. */
  force(): void;
  /** A cookie that is over. */
  completed(): Cookie;
  /** Slots that the cookie's grace period still waits for. */
  blockers(cookie: Cookie): number[];
}

/** One thread's part in a domain's flavor. */
export interface Flavor {
  readonly name: FlavorName;
  readonly reader: Reader;
  readonly periods: GracePeriods;
}
