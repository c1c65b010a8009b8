/** A reader that is in one section after the other. */

import { hand } from "../../check/support/hand.js";
import type { FloodJob } from "./flood-job.js";

const self = hand<FloodJob>();
const { domain } = self.shared;
self.begun();
self.loop(
  () => {
    domain.read(() => {
      for (const ends = performance.now() + self.job.milliseconds; performance.now() < ends; );
    });
    self.beat();
  },
  () => {
    self.shared.close();
    self.result(true);
  },
);
