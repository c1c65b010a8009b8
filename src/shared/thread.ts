/** Which thread this is: the platform's number for it, where it has one. */

import { nextThreadNumber } from "../memory/arena.js";
import type { Memory } from "../memory/memory.js";

interface Platform {
  process?: { getBuiltinModule?: (name: string) => { threadId?: unknown } | undefined };
}

/** A number that no other thread of the process has. */
export function threadNumber(memory: Memory): number {
  const threads = (globalThis as Platform).process?.getBuiltinModule?.("node:worker_threads");
  return typeof threads?.threadId === "number" ? threads.threadId : nextThreadNumber(memory);
}
