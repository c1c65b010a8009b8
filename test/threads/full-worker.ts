/** Fills an arena that is full already, and deletes from it: a set may be refused, a deletion never. */

import { hand } from "../../check/support/hand.js";
import { Random } from "../../check/support/seed.js";
import { OutOfMemoryError, u16 } from "../../src/index.js";
import { type FullJob, KEYS } from "./full-job.js";

const TURN = 5;

const self = hand<FullJob>();
const { seed, number, share, shares } = self.job;
const random = new Random(seed, number);
const map = self.shared.intervalMap("full", { bounds: "u32", value: u16 });
let refused = 0;
let deleted = 0;

function turn(): void {
  for (const ends = performance.now() + TURN; performance.now() < ends; self.beat()) {
    const key = 4 * (random.below(KEYS / shares) * shares + share);
    if (random.below(3) === 0) {
      if (map.delete(key, key + 1)) deleted++;
      if (map.has(key)) throw new Error(`${key} is there, and was deleted`);
      continue;
    }
    try {
      map.set(key, key + 1, key % 65536);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      refused++;
    }
  }
}

self.begun();
self.loop(turn, () => {
  self.result({ refused, deleted });
  self.shared.close();
});
