/** Workers of comparison-locks.test.ts. */

import { hand } from "../../check/support/hand.js";
import { type Address, field } from "../../src/memory/address.js";
import { RwLock } from "../../src/memory/rw-lock.js";
import { SeqLock } from "../../src/memory/seqlock.js";
import { GO, type LocksJob, PAIR } from "./comparison-locks-job.js";

const self = hand<LocksJob>();
const { kind, role, block, rounds } = self.job;
const { memory, heap } = self.shared.domain.arena;
const word = (offset: number): Address => field(block as Address, offset);
const [first, second] = PAIR.map(word) as [Address, Address];
/** What a dead writer had stored counts for nothing. */
const repair = (): void => memory.store(first, memory.load(second));
const lock = new (kind === "rw" ? RwLock : SeqLock)(memory, block as Address, heap.slot, repair);

function update(): void {
  memory.store(first, memory.load(first) + 1);
  memory.store(second, memory.load(second) + 1);
}

function look(): number {
  const pair = lock.read(() => [memory.load(first), memory.load(second)]);
  if (pair[0] !== pair[1]) throw new Error(`half an update: ${pair}`);
  return pair[0] as number;
}

const roles: Record<LocksJob["role"], () => void> = {
  write() {
    for (let round = 0; round < rounds; round++) {
      lock.write(update);
      self.beat();
    }
  },
  look() {
    for (let before = 0, round = 0; round < rounds; round++) {
      const now = look();
      if (now < before) throw new Error(`${now} after ${before}`);
      before = now;
      self.beat();
    }
  },
  die() {
    lock.writeLock();
    memory.store(first, memory.load(first) + 1);
    self.beat();
    memory.wait(second, 0, Number.POSITIVE_INFINITY); // for ever: nobody else comes in
  },
};

// In a later turn: of a thread that dies in the turn that attached it, nobody can tell on Deno.
setTimeout(() => {
  self.begun();
  if (role !== "die") memory.wait(word(GO), 0, Number.POSITIVE_INFINITY); // all at once
  roles[role]();
  self.shared.close();
  self.result(undefined);
}, 10);
