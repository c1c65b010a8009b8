/** A thread that registers callbacks, in every way, and lives on. */

import { hand } from "../../check/support/hand.js";
import { RCU_HEAD_WORDS } from "../../src/rcu/rcu-head.js";
import type { BarrierJob } from "./barrier-job.js";

const self = hand<BarrierJob>();
const { callbacks, index } = self.job;
const ran = new Int32Array(self.job.ran);
const { domain } = self.shared;
const { memory, heap } = domain.arena;
const one = (): void => void Atomics.add(ran, index, 1);
for (let i = 0; i < callbacks; i++) {
  if (i % 3 === 0) {
    const head = heap.kmalloc(RCU_HEAD_WORDS * 4);
    memory.store(head, 0);
    domain.callHead(head, (found) => {
      heap.kfree(found);
      one();
    });
  } else domain.call(one, { lazy: i % 3 === 1 });
}
self.begun();
self.loop(
  () => self.beat(),
  () => {
    self.shared.close();
    self.result(true);
  },
);
