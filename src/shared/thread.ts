/** Which thread this is: the platform's number for it, where it has one. */

import { nextThreadNumber } from "../memory/arena.js";
import type { Memory } from "../memory/memory.js";

interface Platform {
  process?: { getBuiltinModule?: (name: string) => { threadId?: unknown } | undefined };
  WorkerGlobalScope?: unknown;
}

/** A number that no other thread of the process has. */
export function threadNumber(memory: Memory): number {
  const { process, WorkerGlobalScope } = globalThis as Platform;
  const threadId = process?.getBuiltinModule?.("node:worker_threads")?.threadId;
  // Deno tells every web worker that it is thread 0, as the main thread is (2.9.6). No worker is.
  const isWebWorker = typeof WorkerGlobalScope === "function" && globalThis instanceof WorkerGlobalScope;
  if (typeof threadId !== "number" || (threadId === 0 && isWebWorker)) return nextThreadNumber(memory);
  return threadId;
}
