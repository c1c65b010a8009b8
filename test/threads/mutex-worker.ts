/** Workers of mutex.test.ts: counting under the lock, dying with it, and taking it after that. */

import { hand } from "../../check/support/hand.js";
import { Random } from "../../check/support/seed.js";
import { LIMIT } from "../../check/support/watchdog.js";
import { type Address, field } from "../../src/memory/address.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import { COUNTER, GO, INSIDE, type MutexJob, type NextOwner, PARKED } from "./mutex-job.js";

const self = hand<MutexJob>();
const { kind, role, block, rounds, seed, index } = self.job;
const { memory, heap } = self.shared.domain.arena;
const lock = new (kind === "mutex" ? RobustMutex : SpinLock)(memory, block as Address, heap.slot);
const random = new Random(seed, index);
const word = (offset: number): Address => field(block as Address, offset);

function count(): void {
  memory.wait(word(GO), 0, Number.POSITIVE_INFINITY); // all at once
  for (let round = 0; round < rounds; round++) {
    if (lock.lock(LIMIT)) throw new Error("told of a death where nobody died");
    if (memory.read(word(INSIDE)) !== 0) throw new Error(`thread ${memory.read(word(INSIDE)) - 1} was inside too`);
    memory.write(word(INSIDE), index + 1);
    const counter = memory.read(word(COUNTER));
    // Now and then long enough for the others to fall asleep.
    for (let i = random.below(200) === 0 ? 20_000 : random.below(10); i > 0; i--) memory.read(word(COUNTER));
    memory.write(word(COUNTER), counter + 1);
    memory.write(word(INSIDE), 0);
    lock.unlock();
    self.beat();
  }
  self.shared.close();
  self.result(undefined);
}

function die(): void {
  lock.lock();
  memory.store(word(PARKED), 1);
  memory.wait(word(PARKED), 1, Number.POSITIVE_INFINITY);
}

/** The first says that it could not mend, so that the second is told too. */
function takeOver(): void {
  const ownerDied = lock.lock(10 * LIMIT);
  const order = memory.read(word(COUNTER));
  memory.write(word(COUNTER), order + 1);
  const result: NextOwner = { ownerDied, order };
  lock.unlock(order === 0);
  self.shared.close();
  self.result(result);
}

// In a later turn: of a thread that dies in the turn that attached it, nobody can tell on Deno.
setTimeout(() => {
  self.begun();
  ({ count, die, takeOver })[role]();
}, 10);
