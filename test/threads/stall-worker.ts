/** A reader that stays in a section until it is let go. */

import { hand } from "../../check/support/hand.js";
import { sleep } from "../../check/support/watchdog.js";
import { ARRIVED, LET_GO, type StallJob } from "./stall-job.js";

const self = hand<StallJob>();
const { domain } = self.shared;
const gate = new Int32Array(self.job.gate);
process.removeAllListeners("warning"); // of the section that is left open
domain.nameThread("sleepy reader");

const arrive = (): void => {
  Atomics.store(gate, ARRIVED, 1);
};

async function untilLetGo(): Promise<void> {
  await sleep(2); // the turn has ended in which the section began: the phase flavor times it from then on
  arrive();
  while (Atomics.load(gate, LET_GO) === 0) await sleep(2);
}

async function staysInItsSection(): Promise<void> {
  if (self.job.section === "awaiting") return domain.readAsync(untilLetGo);
  if (self.job.section === "left open") {
    const index = domain.readLock();
    await untilLetGo();
    return domain.readUnlock(index);
  }
  domain.read(() => {
    arrive();
    Atomics.wait(gate, LET_GO, 0);
  });
}

// Its liveness lock, where there is one, is held from a later turn on (README, Requirements).
await sleep(50);
await staysInItsSection();
self.result(true);
self.shared.close();
