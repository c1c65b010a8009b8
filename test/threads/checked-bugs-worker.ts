/**
 * The two threads of each seeded bug. None depends on chance: what is not ordered by the program is found whatever came first, and where an order in
 * time is needed they meet outside of the checked memory, which orders nothing for the checker.
 */

import { checkedHand } from "../../check/real/checked-hand.js";
import { LIMIT } from "../../check/support/watchdog.js";
import { type Address, field, NULL } from "../../src/memory/address.js";
import { DomainWord } from "../../src/rcu/layout.js";
import { type BugJob, type BugName, FLAG, POINTER, WORD } from "./checked-bugs-job.js";

const self = checkedHand<BugJob>();
const { arena, job } = self;
const { memory } = arena.thread;
const { domain } = arena;
const { heap, layout } = domain.arena;
const common = (word: number): Address => field(job.common as Address, word);
const meeting = new Int32Array(job.meeting);

/** Let the other side come to its n-th step. */
function step(n: number): void {
  Atomics.store(meeting, 0, n);
  Atomics.notify(meeting, 0);
}

function awaitStep(n: number): void {
  for (let now = Atomics.load(meeting, 0); now < n; now = Atomics.load(meeting, 0)) {
    if (Atomics.wait(meeting, 0, now, LIMIT / 2) === "timed-out") throw new Error(`step ${n} did not come`);
  }
}

function makeBlock(): Address {
  const block = heap.kmalloc(8);
  memory.write(block, 7);
  memory.write(field(block, 1), ~7);
  return block;
}

function publishPlainly(): void {
  memory.write(common(POINTER), makeBlock());
}

function publishTooEarly(): void {
  const block = makeBlock();
  domain.assignPointer(common(POINTER), block);
  memory.write(block, 8);
  step(1);
}

function lookUp(): void {
  domain.read(() => {
    const block = domain.dereference(common(POINTER));
    if (block !== NULL) memory.read(block);
  });
}

function publishAndFree(): void {
  domain.assignPointer(common(POINTER), makeBlock());
  step(1);
  awaitStep(2);
  freeAtOnce(memory.exchange(common(POINTER), NULL) as Address);
  step(3);
}

function freeAtOnce(block: Address): void {
  heap.kfree(block);
}

/** Read after the block was freed, in a section that had it before. */
function lookUpLate(): void {
  awaitStep(1);
  domain.read(() => {
    const block = domain.dereference(common(POINTER));
    step(2);
    awaitStep(3);
    memory.read(block);
  });
}

/** Read before it is freed, but nothing orders the free after that. */
function lookUpEarly(): void {
  awaitStep(1);
  domain.read(() => memory.read(domain.dereference(common(POINTER))));
  step(2);
}

function storeOften(): void {
  for (let i = 0; i < 10; i++) memory.store(common(WORD), i);
}

function readPlainly(): void {
  memory.read(common(WORD));
}

function publishImmutable(): void {
  const block = makeBlock();
  memory.annotate.immutable(block, 2);
  domain.assignPointer(common(POINTER), block);
  step(1);
}

function writePublished(): void {
  awaitStep(1);
  memory.write(
    domain.read(() => domain.dereference(common(POINTER))),
    9,
  );
}

function publishHalf(): void {
  const block = heap.kmalloc(8);
  memory.write(block, 7);
  domain.assignPointer(common(POINTER), block);
  step(1);
}

function readAll(): void {
  awaitStep(1);
  domain.read(() => {
    const block = domain.dereference(common(POINTER));
    return memory.read(block) + memory.read(field(block, 1));
  });
}

function beAReader(): void {
  domain.read(() => memory.load(common(FLAG)));
}

function resetSequence(): void {
  memory.write(field(layout.root, DomainWord.GP_SEQ), -1);
}

const afterIt = (body: () => void): (() => void) => {
  return () => {
    awaitStep(1);
    body();
  };
};

const sides: Record<BugName, readonly [() => void, () => void]> = {
  "a block is published by a plain write": [publishPlainly, lookUp],
  "a block is published before it is filled": [publishTooEarly, afterIt(lookUp)],
  "a block is freed without a grace period": [publishAndFree, lookUpLate],
  "a block that was read is freed without a grace period": [publishAndFree, lookUpEarly],
  "an atomic word is read plainly while it is written": [storeOften, readPlainly],
  "a published immutable word is written": [publishImmutable, writePublished],
  "a word of a fresh block was never written": [publishHalf, readAll],
  "a word of the domain is written plainly": [beAReader, resetSequence],
};

/** Coming and going is ordered by the arena lock: neither may do its part before the other has come, nor leave before it has done its own. */
function both(word: number): void {
  Atomics.add(meeting, word, 1);
  Atomics.notify(meeting, word);
  if (Atomics.load(meeting, word) < 2 && Atomics.wait(meeting, word, 1, LIMIT / 2) === "timed-out") throw new Error("the other side did not come");
}

both(1);
sides[job.bug][job.side]();
both(2);
arena.close();
self.result(undefined);
