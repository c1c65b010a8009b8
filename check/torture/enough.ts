/**
 * With --enough, a run whose time is over goes on until it has done something of each kind: on a machine that is slow, or busy with other things, some
 * seconds may pass in which hardly a thread has begun, and a run that did nothing proves nothing.
 */

import type { Structure } from "./job.js";
import type { ErrorKind } from "./tally.js";

/** How much longer a run may take for it, in ms. */
export const MOST_MORE = 60_000;
/** Reads, and grace periods, of which each run does thousands in its time. */
const LEAST = 10;

export interface Done {
  readonly reads: number;
  readonly updates: number;
  readonly gracePeriods: number;
  readonly kills: number;
  /** Undefined where no operations are checked in rounds. */
  readonly histories: number | undefined;
  /** By for how many grace periods, and one, what was held had been removed. */
  readonly pipe: readonly number[];
  readonly errors: Readonly<Partial<Record<ErrorKind, number>>>;
}

/** Whether a run has done enough; with `busted`, whether it has found what it must. */
export function isEnough(
  { reads, updates, gracePeriods, kills, histories, pipe, errors }: Done,
  structure: Structure,
  kill: boolean,
  busted: boolean,
): boolean {
  // By what the readers held, too, and not by their cookies alone.
  const held = (errors.pipe ?? 0) > 0 && pipe.slice(2).some((count) => count > 0);
  if (busted) return (errors["cookie early"] ?? 0) > 0 && (structure !== "rcu" || held);
  if (Object.keys(errors).length > 0) return true; // it has failed
  return reads > LEAST && updates > 0 && gracePeriods > LEAST && (!kill || kills > 0) && histories !== 0;
}
