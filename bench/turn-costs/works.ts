/** Turns of a given length: with no section, with one that is as long, with many short ones. */

import type { Work } from "../rcu/readers.js";

/** Us of a short section, about a lookup in a big map. */
const SHORT = 0.5;

/** A kind of turn and its name. */
export interface Kind {
  readonly name: string;
  readonly work: Work;
}

const label = (milliseconds: number): string => `turns of ${milliseconds} ms`;

export const without = (milliseconds: number): Kind => ({
  name: `${label(milliseconds)}, no section`,
  work: { place: 0, sections: 1, microseconds: milliseconds * 1000, sectioned: false },
});

export const oneLong = (milliseconds: number): Kind => ({
  name: `${label(milliseconds)}, one section`,
  work: { place: 0, sections: 1, microseconds: milliseconds * 1000, sectioned: true },
});

export const manyShort = (milliseconds: number, sectioned = true): Kind => ({
  name: `${label(milliseconds)}, ${sectioned ? "sections" : "no section, calls"} of ${SHORT} us`,
  work: { place: 0, sections: Math.round((milliseconds * 1000) / SHORT), microseconds: SHORT, sectioned },
});

/** Ask for grace periods, one after another with a pause of a millisecond, until told to stop; gives how many. */
export async function askForGracePeriods(domain: { synchronize(): Promise<void> }, until: Promise<unknown>): Promise<number> {
  let stopped = false;
  void until.then(() => {
    stopped = true;
  });
  let count = 0;
  while (!stopped) {
    await domain.synchronize();
    count++;
    await sleep(1);
  }
  return count;
}

export const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, milliseconds));
