/**
 * Faults injected into this thread's copy of the shipped code, by replaced methods: delays at random accesses to shared memory, most of
 * all within a grace period's phases, and a grace period that does nothing.
 *
 * A delay mostly sleeps, so that with more threads than processors another one runs: it is a preemption at a chosen place.
 */

import { type Address, field } from "../../src/memory/address.js";
import type { Layout } from "../../src/memory/layout.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { Publication } from "../../src/memory/publication.js";
import { SlotWord } from "../../src/memory/slot.js";
import { EventCount } from "../../src/rcu/event-count.js";
import { EventLoopPeriods } from "../../src/rcu/flavors/event-loop.js";
import { PhasePeriods, PhaseReader } from "../../src/rcu/flavors/phase.js";
import { TreePeriods, TreeReader } from "../../src/rcu/flavors/tree.js";
import { TreeNodes } from "../../src/rcu/flavors/tree-nodes.js";
import { DomainWord, domainRoot } from "../../src/rcu/layout.js";
import { Tables } from "../../src/structures/map/tables.js";
import type { Random } from "../support/seed.js";

/** Accesses between two delays, on the average. */
const ACCESSES = 30_000;
/** Loads of a grace-period sequence between two delays: what follows one may be the store that makes a reader online, or counts it in a phase. */
const SEQUENCE_LOADS = 300;
/** Grace periods begun or looked at, of which one is delayed in its midst. */
const PERIODS = 12;
/** Works on the nodes of a tree (set-up, report, scan), and sections of the phase flavor that begin or end, of which one is delayed in its midst. */
const NODE_WORKS = 12;
const PHASE_SECTIONS = 3000;
/** Transfers of objects (slot.ts: INTENT, REFILL_MASK), of which one is delayed in its midst, where its thread may be killed. */
const TRANSFERS = 6;
/** Updates of a structure, of which one is delayed in its midst. */
const CALLS = 6;
/** Publications without a lock (publication.ts), of which one is delayed in its midst, or right after. */
const PUBLICATIONS = 20;
/** Loads, of which one is followed by a delay among the plain reads of what it has found. */
const FINDS = 1000;
/** Calls of compareExchange, before one of which a delay comes: what it expects may have gone and come back meanwhile. */
const EXCHANGES = 1000;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

function pause(random: Random): void {
  const kind = random.below(40);
  if (kind === 0) Atomics.wait(sleeper, 0, 0, random.from(4, 20));
  else if (kind < 24) Atomics.wait(sleeper, 0, 0, random.from(1, 20) / 20);
  else for (const ends = performance.now() + random.from(5, 60) / 1000; performance.now() < ends; );
}

/**
 * @param layoutIfKnown gives the arena's layout, once it is known
 * @returns to be called when a call of a structure begins: it may be delayed in its midst
 */
export function injectDelays(random: Random, layoutIfKnown: () => Layout | undefined): () => void {
  let fuse = random.below(2 * ACCESSES);
  const burn = (): void => {
    if (fuse-- > 0) return;
    fuse = random.below(2 * ACCESSES);
    pause(random);
  };
  const soon = (times = PERIODS): void => {
    if (random.below(times) === 0) fuse = random.below(8);
  };
  let layout: Layout | undefined;
  let sequences: readonly Address[] = [];
  const beginsTransfer = (address: Address): boolean => {
    if (layout === undefined || address < layout.slotTable || address >= layout.slotTable + layout.slots * layout.slotWords) return false;
    const word = (address - layout.slotTable) % layout.slotWords;
    return word === SlotWord.INTENT;
  };

  let finds = random.below(2 * FINDS);
  let readsLeft = Number.POSITIVE_INFINITY;
  const found = (): void => {
    if (finds-- > 0) return;
    finds = random.below(2 * FINDS);
    readsLeft = random.below(16);
  };

  const { load, read, store, exchange, compareExchange, add, or, write } = SharedMemory.prototype;
  SharedMemory.prototype.load = function (address) {
    burn();
    found();
    const value = load.call(this, address);
    if (layout === undefined) {
      layout = layoutIfKnown();
      const known = layout;
      if (known !== undefined) sequences = Array.from({ length: 2 }, (_, domain) => field(domainRoot(known, domain), DomainWord.GP_SEQ));
    }
    if ((address === sequences[0] || address === sequences[1]) && random.below(SEQUENCE_LOADS) === 0) pause(random);
    return value;
  };
  SharedMemory.prototype.read = function (address) {
    if (readsLeft-- <= 0) {
      readsLeft = Number.POSITIVE_INFINITY;
      pause(random);
    }
    return read.call(this, address);
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
    if (random.below(EXCHANGES) === 0) pause(random);
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
  const { setUp, report, scan } = TreeNodes.prototype;
  TreeNodes.prototype.setUp = function (...what) {
    soon(NODE_WORKS);
    setUp.apply(this, what);
  };
  TreeNodes.prototype.report = function (...what) {
    soon(NODE_WORKS);
    return report.apply(this, what);
  };
  TreeNodes.prototype.scan = function (...what) {
    soon(NODE_WORKS);
    scan.apply(this, what);
  };
  const { look } = TreeReader.prototype;
  TreeReader.prototype.look = function () {
    soon(NODE_WORKS);
    return look.call(this);
  };
  // A reader held up between its load of GP_SEQ and its count counts in a phase that drains.
  const { lock, unlock, begin } = PhaseReader.prototype;
  PhaseReader.prototype.lock = function () {
    if (random.below(PHASE_SECTIONS) === 0) fuse = 1;
    return lock.call(this);
  };
  PhaseReader.prototype.begin = function () {
    if (random.below(PHASE_SECTIONS) === 0) fuse = 1;
    return begin.call(this);
  };
  PhaseReader.prototype.unlock = function (index) {
    if (random.below(PHASE_SECTIONS) === 0) fuse = random.below(3);
    unlock.call(this, index);
  };
  const { publish } = Publication.prototype;
  Publication.prototype.publish = function (change) {
    if (random.below(PUBLICATIONS) === 0) fuse = random.below(16);
    return publish.call(this, change);
  };
  const { collectTwice } = Tables.prototype;
  Tables.prototype.collectTwice = function () {
    soon(2);
    return collectTwice.call(this);
  };
  const { announceSleep } = EventCount.prototype;
  EventCount.prototype.announceSleep = function () {
    soon();
    return announceSleep.call(this);
  };
  return () => {
    if (random.below(CALLS) === 0) fuse = random.below(random.pick([4, 16, 64]));
  };
}

/** Every grace period is over at once. */
export function bustGracePeriods(): void {
  for (const Periods of [EventLoopPeriods, PhasePeriods, TreePeriods]) Periods.prototype.isOver = () => true;
}
