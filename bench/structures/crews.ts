/** Crews of several peers: those that cannot be started are noted and left out; all are ended. */

import { Crew, type CrewOptions, PeerError } from "./crew.js";
import { REMARKS } from "./peers.js";
import type { Plan } from "./plan.js";

/** What each crew is given but for its peer. */
export type CrewsOptions = Omit<CrewOptions, "peer" | "seed" | "directory">;

/** Start a crew of each of these peers that the plan wants, run `work` with them, end them. */
export async function withCrews<T>(plan: Plan, peers: readonly string[], options: CrewsOptions, work: (crews: readonly Crew[]) => Promise<T>): Promise<T> {
  const crews: Crew[] = [];
  try {
    for (const peer of peers.filter((peer) => plan.with(peer)))
      await orNote(plan, async () => crews.push(await Crew.start({ peer, seed: plan.seed, directory: plan.newDirectory(), ...options })));
    for (const { name } of crews) if (REMARKS[name] !== undefined) plan.note(REMARKS[name]);
    return await work(crews);
  } finally {
    for (const crew of crews) await crew.end();
  }
}

/** What `work` gives; undefined, and a note, when a peer fails in it. */
export async function orNote<T>(plan: Plan, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    plan.note(error.message);
    return undefined;
  }
}
