/**
 * The flavors under measurement, and what a benchmark asks of a domain: the one place that knows which flavors and calls this build
 * has. What is missing is left out, not failed.
 */

import type { Address } from "../../src/memory/address.js";
import { Arena } from "../../src/memory/arena.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { Domain } from "../../src/rcu/domain.js";
import { Shared, type SharedOptions } from "../../src/shared/shared.js";

export const FLAVORS = ["event-loop", "phase", "tree"] as const;
export type Flavor = (typeof FLAVORS)[number];

/** The part of a domain that benchmarks use; what is optional, a flavor or build may lack. */
export interface BenchDomain {
  readonly arena: Arena;
  readonly flavor?: Flavor;
  read<T>(fn: () => T): T;
  readLock(): unknown;
  readUnlock(index?: unknown): void;
  dereference(pointer: Address): Address;
  assignPointer(pointer: Address, target: Address): void;
  quiescent(): void;
  synchronize(options?: { expedited?: boolean }): Promise<void>;
  synchronizeSync(options?: { expedited?: boolean }): void;
  synchronizeExpedited?(): Promise<void>;
  startPoll?(): number;
  pollState?(cookie: number): boolean;
  /** The read side as structures use it. */
  readonly reader?: { enter?(): void; exit?(): void };
  detach(): void;
}

/** The domain of a Shared, as benchmarks see it. */
export function domainOf(shared: Shared): BenchDomain {
  return shared.domain as unknown as BenchDomain;
}

/** A new shared memory whose domain has this flavor; undefined when this build has none of it. */
export function sharedOf(flavor: Flavor, options: { slots?: number; caches?: number; bytes?: number } = {}): Shared | undefined {
  const shared = Shared.create({ bytes: 4 * 2 ** 20, ...options, flavor } as SharedOptions);
  if ((domainOf(shared).flavor ?? "event-loop") === flavor) return shared;
  shared.close(); // a build that knows no flavors has made its only one
  return undefined;
}

/** So many more domains of this memory, all of them in this thread; `numbers` are their threads' numbers from there on. */
export function moreDomains(shared: Shared, count: number, numbers: number): BenchDomain[] {
  const memory = new SharedMemory(shared.handle.buffer);
  return Array.from({ length: count }, (_, i) => new Domain(new Arena(memory, numbers + i)) as unknown as BenchDomain);
}

/** Those of them that this build has. */
export function flavorsHere(): Flavor[] {
  return FLAVORS.filter((flavor) => {
    const shared = sharedOf(flavor);
    shared?.close();
    return shared !== undefined;
  });
}

/** Whether grace periods can be hurried. */
export const hasExpedited = (domain: BenchDomain): boolean => typeof domain.synchronizeExpedited === "function";
