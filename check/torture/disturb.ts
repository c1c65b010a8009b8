/**
 * Faults injected into this thread's copy of the shipped code, by replaced methods: delays at random accesses to shared memory, most of
 * all within a grace period's phases, and a grace period that does nothing.
 *
 * A delay mostly sleeps, so that with more threads than processors another one runs: it is a preemption at a chosen place.
 */

import { type Address, field } from "../../src/memory/address.js";
import type { Layout } from "../../src/memory/layout.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { SlotWord } from "../../src/memory/slot.js";
import { EventCount } from "../../src/rcu/event-count.js";
import { EventLoopPeriods } from "../../src/rcu/flavors/event-loop.js";
import { PhasePeriods } from "../../src/rcu/flavors/phase.js";
import { TreePeriods } from "../../src/rcu/flavors/tree.js";
import { DomainWord } from "../../src/rcu/layout.js";
import type { Random } from "../support/seed.js";

/** Accesses between two delays, on the average. */
const ACCESSES = 30_000;
/** Loads of the grace-period sequence between two delays: what follows one may be the store that makes a reader online. */
const SEQUENCE_LOADS = 300;
/** Grace periods begun or looked at, of which one is delayed in its midst. */
const PERIODS = 12;
/** Transfers of objects (slot.ts: INTENT, REFILL_MASK), of which one is delayed in its midst, where its thread may be killed. */
const TRANSFERS = 6;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function pause(random: Random): void {
  const kind = random.below(40);
  if (kind === 0) Atomics.wait(sleeper, 0, 0, random.from(4, 20));
  else if (kind < 24) Atomics.wait(sleeper, 0, 0, random.from(1, 20) / 20);
  else for (const ends = performance.now() + random.from(5, 60) / 1000; performance.now() < ends; );
}

/** @param layoutIfKnown gives the arena's layout, once it is known */
export function injectDelays(random: Random, layoutIfKnown: () => Layout | undefined): void {
  let fuse = random.below(2 * ACCESSES);
  const burn = (): void => {
    if (fuse-- > 0) return;
    fuse = random.below(2 * ACCESSES);
    pause(random);
  };
  const soon = (): void => {
    if (random.below(PERIODS) === 0) fuse = random.below(8);
  };
  let layout: Layout | undefined;
  let sequence: Address | undefined;
  const beginsTransfer = (address: Address): boolean => {
    if (layout === undefined || address < layout.slotTable || address >= layout.slotTable + layout.slots * layout.slotWords) return false;
    const word = (address - layout.slotTable) % layout.slotWords;
    return word === SlotWord.INTENT || word === SlotWord.REFILL_MASK;
  };

  const { load, store, exchange, compareExchange, add, or, write } = SharedMemory.prototype;
  SharedMemory.prototype.load = function (address) {
    burn();
    const value = load.call(this, address);
    if (layout === undefined) {
      layout = layoutIfKnown();
      if (layout !== undefined) sequence = field(layout.root, DomainWord.GP_SEQ);
    }
    if (address === sequence && random.below(SEQUENCE_LOADS) === 0) pause(random);
    return value;
  };
  SharedMemory.prototype.store = function (address, value) {
    burn();
    store.call(this, address, value);
  };
  SharedMemory.prototype.write = function (address, value) {
    burn();
    write.call(this, address, value);
    if (value !== 0 && beginsTransfer(address) && random.below(TRANSFERS) === 0) fuse = random.below(6);
  };
  SharedMemory.prototype.exchange = function (address, value) {
    burn();
    return exchange.call(this, address, value);
  };
  SharedMemory.prototype.compareExchange = function (address, expected, replacement) {
    burn();
    return compareExchange.call(this, address, expected, replacement);
  };
  SharedMemory.prototype.add = function (address, value) {
    burn();
    return add.call(this, address, value);
  };
  SharedMemory.prototype.or = function (address, value) {
    burn();
    return or.call(this, address, value);
  };

  for (const Periods of [EventLoopPeriods, PhasePeriods, TreePeriods]) {
    const { start, isOver } = Periods.prototype;
    Periods.prototype.start = function (this: never) {
      soon();
      return start.call(this);
    };
    Periods.prototype.isOver = function (this: never, cookie) {
      soon();
      return isOver.call(this, cookie);
    };
  }
  const { announceSleep } = EventCount.prototype;
  EventCount.prototype.announceSleep = function () {
    soon();
    return announceSleep.call(this);
  };
}

/** Every grace period is over at once. */
export function bustGracePeriods(): void {
  for (const Periods of [EventLoopPeriods, PhasePeriods, TreePeriods]) Periods.prototype.isOver = () => true;
}
