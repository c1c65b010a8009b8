/**
 * A small shared memory that can be set back to how it was: for trying each instant at which a thread may die or be held up.
 *
 * The same buffer is used again and again, so whoever attaches to it must have left (detach) or be dead before `restore`.
 */

import assert from "node:assert/strict";
import { ownLimbo } from "../../check/support/limbo.js";
import { LIMIT } from "../../check/support/watchdog.js";
import { PAGE_WORDS } from "../../src/memory/address.js";
import { Arena, formatArena } from "../../src/memory/arena.js";
import { LockTimeoutError } from "../../src/memory/errors.js";
import { type ArenaOptions, leastBytes } from "../../src/memory/layout.js";
import { type Memory, SharedMemory } from "../../src/memory/memory.js";
import { Domain, type DomainOptions } from "../../src/rcu/domain.js";
import { type DomainFormat, formatDomain, rcuWords } from "../../src/rcu/flavors/open.js";
import { DIRECTORY_WORDS } from "../../src/shared/directory.js";
import { DyingMemory } from "./dying-memory.js";

/** Thread numbers, for messages: any that differ. */
export const VICTIM = 1;
export const SURVIVOR = 2;
export const THIRD = 3;

export class World {
  readonly buffer: SharedArrayBuffer;
  readonly memory: SharedMemory;
  #image: Uint8Array | undefined;

  /** @param extraPages pages more than the least arena has */
  constructor(extraPages = 0, options: ArenaOptions = {}, format: DomainFormat = {}) {
    const sizes = { slots: 4, caches: 32, domains: 2, ...options };
    const all = { rootWords: rcuWords(sizes, format) + DIRECTORY_WORDS, ...sizes };
    this.buffer = new SharedArrayBuffer(leastBytes(all) + extraPages * PAGE_WORDS * 4);
    this.memory = new SharedMemory(this.buffer);
    const layout = formatArena(this.memory, all, [1, 2]);
    formatDomain(this.memory, layout, 0, format);
  }

  /** Remember how it is. */
  snapshot(): void {
    this.#image = Uint8Array.from(new Uint8Array(this.buffer));
  }

  /** Whether it is as it was then. */
  isAsSnapshot(): boolean {
    const now = new Uint8Array(this.buffer);
    return (this.#image as Uint8Array).every((byte, i) => byte === now[i]);
  }

  /** Set it back to the snapshot. */
  restore(): void {
    new Uint8Array(this.buffer).set(this.#image as Uint8Array);
  }

  /** A memory of a thread that can be killed. */
  dying(): DyingMemory {
    return new DyingMemory(this.memory);
  }

  arena(thread: number, memory: Memory = this.memory): Arena {
    return new Arena(memory, thread);
  }

  domain(thread: number, memory: Memory = this.memory, options: DomainOptions = {}): Domain {
    return new Domain(new Arena(memory, thread), options);
  }
}

/**
 * See several threads' deaths, in this order. One of them may have died with the lock that reaping another takes; then that
 * one is tried again after it, as `Shared.watch` does.
 */
export function reapAll(threads: readonly number[], reap: (thread: number, timeout: number) => unknown): void {
  const again: number[] = [];
  for (const thread of threads) {
    try {
      reap(thread, 0);
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error;
      again.push(thread);
    }
  }
  for (const thread of again) reap(thread, 0);
}

/** Give back at once, blocking if need be, what the thread (and any that left or died) has in limbo. Outside sections. */
export function flush(domain: Domain): void {
  domain.flushSync(LIMIT);
  assert.ok(ownLimbo(domain.arena.heap).empty, "somebody else is in a section, or in a turn that had one: nobody ends it while this thread blocks");
}

/** Let the event loop turn, so that microtasks of domains long dead are forgotten. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
