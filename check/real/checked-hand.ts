/** The worker's side of a checked crew. */

import { threadId } from "node:worker_threads";
import { orders, type Self } from "../support/hand.js";
import { CheckedArena } from "./checked-arena.js";
import type { CheckedHandle } from "./checked-thread.js";

/** A worker that is attached to a checked arena. */
export interface CheckedSelf<Job> extends Self<Job, CheckedHandle> {
  readonly arena: CheckedArena;
}

export function checkedHand<Job>(): CheckedSelf<Job> {
  const self = orders<Job, CheckedHandle>();
  return { ...self, arena: new CheckedArena(self.handle, threadId, self.name) };
}
