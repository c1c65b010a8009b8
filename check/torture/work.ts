/** What a structure's threads do in a torture run (worker.ts). */

import type { Thread } from "./thread.js";

export interface Work {
  begin(): void;
  read(): void;
  /** Whether this thread updates. */
  readonly updates: boolean;
  update(): void;
  /** Whether it says itself in which parts of an update the thread may die (`Thread.mayDieIn`): where these are few accesses of many. */
  readonly choosesDeaths: boolean;
  /** Turns between two specials, on the average: rounds of checked operations are for every turn, sections over turns for a few. */
  readonly specialTurns: number;
  special(): Promise<void> | void;
  end(): Promise<void>;
}

/** The work of threads that all update, after they have buried the dead, and have nothing special to do; but for what is given. */
export const workOf = (thread: Thread, given: Pick<Work, "read" | "update"> & Partial<Work>): Work => ({
  begin: () => thread.bury(() => {}),
  updates: true,
  choosesDeaths: false,
  specialTurns: 1,
  special: () => {},
  end: async () => {},
  ...given,
});
