/** A test on each of the interchangeable page-based allocators. */

import { test } from "node:test";
import { ALLOCATORS, type AllocatorName, type ArenaOptions } from "../../src/memory/layout.js";

/** What a test is given: options for the arena, that name the allocator. */
export type AllocatorOptions = ArenaOptions & { readonly allocator: AllocatorName };

/** Register `name` on each allocator, or on some. */
export function onEachAllocator(
  name: string,
  run: (options: AllocatorOptions) => void | Promise<void>,
  allocators: readonly AllocatorName[] = ALLOCATORS,
): void {
  for (const allocator of allocators) test(`${allocator}: ${name}`, () => run({ allocator }));
}
