/** What is in use in an arena, told by a thread that has just come and is alone, so that no magazine hides anything. */

import assert from "node:assert/strict";
import type { Arena } from "../../src/memory/arena.js";
import { PageKind } from "../../src/memory/pages.js";
import type { World } from "./world.js";

export interface Usage {
  /** Bytes in use, with no spare slab left. */
  readonly used: number;
  /** Free blocks of each order. */
  readonly freeBlocks: readonly number[];
  /** Addresses of live objects and blocks of pages. */
  readonly live: readonly number[];
}

/** Every live object of every cache, and every block of pages handed out. */
export function liveIn(arena: Arena): number[] {
  const { heap } = arena;
  const live: number[] = [];
  for (const index of heap.cacheIndexes()) live.push(...heap.liveObjects(index));
  heap.withArenaLock(() => {
    for (const { page, kind } of heap.pages.walk()) if (kind === PageKind.PAGES) live.push(page << 10);
  });
  return live.sort((a, b) => a - b);
}

/** Attach, give spare slabs back, look, detach. Fails when the arena's own check finds anything. */
export function audit(world: World, when = ""): Usage {
  const arena = world.arena(99);
  arena.heap.withArenaLock(() => arena.heap.shrink());
  assert.deepEqual(arena.check(), [], `check() ${when}`);
  const usage = { used: arena.heap.bytes().used, freeBlocks: arena.heap.pages.freeBlocks(), live: liveIn(arena) };
  arena.detach();
  return usage;
}
