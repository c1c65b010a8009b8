/**
 * How a structure tells its watchers: look, sleep until something was published, look again.
 *
 *   writer    publish ... WATCHERS > 0 ?  CHANGES: one more, wake all who sleep
 *   watcher   WATCHERS + 1 ...  announce in CHANGES, look, sleep, look ...  WATCHERS - 1
 *
 * CHANGES is an event count (rcu/event-count.ts). Both words stand on one cache line, away from what readers load: while nobody watches nothing is written to
 * it, and a writer reads one word there.
 *
 * Law table
 *   word       class
 *   WATCHERS   atomic; watches that are open
 *   CHANGES    atomic; event count
 *
 * Guarantees
 *   A  no lost change: a watch that sleeps looks again after every publication that its last look had not seen. A writer publishes before it reads WATCHERS and CHANGES, a
 *      watcher raises and announces before it looks: one of the two sees the other.
 *   B  a writer that dies between publishing and telling hides its change for a second at most.
 *   C  what changes while nobody asks is not queued: the next look sees what there is then.
 *   D  a process stays alive for a watch only while somebody awaits it. A thread that dies with a watch open leaves WATCHERS raised, which costs writers one more load.
 */

import { type Address, field } from "../memory/address.js";
import { ClosedError } from "../memory/errors.js";
import type { Memory } from "../memory/memory.js";
import type { Domain } from "../rcu/domain.js";
import { EventCount, type Ticket } from "../rcu/event-count.js";
import { waitUntil } from "../rcu/waiter.js";

const WATCHERS = 0;
const CHANGES = 1;
/** Words of a header, at the start of a cache line. */
export const CHANGES_WORDS = 2;

/** Longest sleep between two looks, in ms. */
const LONGEST_SLEEP = 1000;

/** What a look at what is watched has found. */
export interface Found<T> {
  readonly value: T;
}

/** How to watch. */
export interface WatchOptions {
  /** Ends the watch: whoever awaits it gets the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Why a watch ended that its user ended. */
const RETURNED = Symbol("returned");

/** One thread's view of a structure's changes. */
export class Changes {
  readonly #memory: Memory;
  readonly #domain: Domain;
  readonly #name: string;
  readonly #watchers: Address;
  readonly #events: EventCount;

  /**
   * @param words CHANGES_WORDS zeroed words
   * @param name the structure's, for messages
   */
  constructor(domain: Domain, words: Address, name: string) {
    this.#domain = domain;
    this.#memory = domain.arena.memory;
    this.#name = name;
    this.#watchers = field(words, WATCHERS);
    this.#events = new EventCount(this.#memory, field(words, CHANGES));
  }

  /** Whether anybody watches. */
  get watched(): boolean {
    return this.#memory.load(this.#watchers) !== 0;
  }

  /** After publishing: wake those who watch. */
  tell(): void {
    if (this.watched) this.#events.wake();
  }

  /** Begin to watch; `leave` ends it. */
  enter(): void {
    this.#memory.add(this.#watchers, 1);
  }

  leave(): void {
    this.#memory.add(this.#watchers, -1);
  }

  /** Before the last look: after it `sleep` ends with the next change. */
  announceSleep(): Ticket {
    return this.#events.announceSleep();
  }

  /** Block until something was published since the ticket was taken; for the model checker. */
  sleep(ticket: Ticket): void {
    this.#events.sleep(ticket, LONGEST_SLEEP);
  }

  /**
   * What `look` finds, one after the other, from now on: it says in a box what has changed since it last said so, or undefined. It is asked when the watch is, and after
   * each publication while somebody awaits the watch.
   *
   * Ends with `return()` (a `break` out of `for await`), with the signal, and when this thread detaches: whoever awaits it then gets a ClosedError.
   */
  watch<T>(look: () => Found<T> | undefined, { signal }: WatchOptions = {}): AsyncIterableIterator<T> {
    this.#domain.reader.mustBeOpen();
    signal?.throwIfAborted();
    const { closing } = this.#domain;
    const end = new AbortController();
    const onAbort = (): void => end.abort(signal?.reason);
    const onClose = (): void => end.abort(new ClosedError(`the watch of ${this.#name}`));
    this.enter();
    closing.add(onClose);
    signal?.addEventListener("abort", onAbort);
    end.signal.addEventListener("abort", () => {
      this.leave();
      closing.delete(onClose);
      signal?.removeEventListener("abort", onAbort);
    });
    const steps = this.#steps(look, end);
    return {
      next: () => steps.next(),
      return: () => {
        end.abort(RETURNED);
        return steps.return(undefined);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async *#steps<T>(look: () => Found<T> | undefined, end: AbortController): AsyncGenerator<T, undefined> {
    let found: Found<T> | undefined;
    const hasFound = (): boolean => {
      if (found === undefined) found = look(); // it says each thing once
      return found !== undefined;
    };
    const sleep = async (): Promise<void> => {
      const ticket = this.#events.announceSleep();
      if (!hasFound()) await this.#events.sleepAsync(ticket, LONGEST_SLEEP);
    };
    try {
      for (;;) {
        await waitUntil(hasFound, sleep, end.signal);
        const { value } = found as Found<T>;
        found = undefined;
        yield value;
      }
    } catch (error) {
      if (error !== RETURNED) throw error;
    } finally {
      end.abort(RETURNED); // when `look` has thrown
    }
    return undefined;
  }
}
