/** vmalloc: what one thread unmaps no other touches; a page that is being copied is not evicted; whoever dies where, nothing is lost. */

import assert from "node:assert/strict";
import { type Address, field, NULL, type Order, PAGE_BYTES } from "../../src/memory/address.js";
import { PageFaultError } from "../../src/memory/errors.js";
import type { BackingStore } from "../../src/memory/vmalloc/store.js";
import type { VirtualAddress } from "../../src/memory/vmalloc/virtual.js";
import { Vmalloc } from "../../src/memory/vmalloc/vmalloc.js";
import type { Scenario } from "../scenario.js";
import { afterDeath, mortal } from "./death.js";
import { type Actor, inArena, user, whole } from "./support.js";

const AREA = user(60);
const OTHER = user(61);
const FREED = user(62);
const STORE = user(64);
const SLOTS = 6;

/** A backing store in pages of the arena itself, so that the explorer takes back what was written to it, and races for it are seen. */
class ArenaStore implements BackingStore {
  readonly #actor: Actor;

  constructor(actor: Actor) {
    this.#actor = actor;
  }

  #page(slot: number): Address {
    assert.ok(slot < SLOTS);
    return this.#actor.memory.load(field(STORE, slot)) as Address;
  }

  readPage(slot: number, target: Uint8Array): void {
    this.#actor.memory.readBytes(this.#page(slot), target);
  }

  writePage(slot: number, source: Uint8Array): void {
    this.#actor.memory.writeBytes(this.#page(slot), source);
  }
}

const vmOf = (a: Actor): Vmalloc => new Vmalloc(a.heap, { store: new ArenaStore(a) });
const addressIn = (a: Actor, word: Address): VirtualAddress => a.memory.load(word) as VirtualAddress;

/** An area in a word, before the scenario, with a value in it. */
function make(a: Actor, word: Address, value: number, swap = false): VirtualAddress {
  if (swap) for (let slot = 1; slot < SLOTS; slot++) a.memory.store(field(STORE, slot), a.heap.allocPages(0 as Order));
  const vm = vmOf(a);
  const address = vm.vmalloc(PAGE_BYTES, { swap });
  vm.write(address, value);
  a.memory.store(word, address);
  return address;
}

/** A page in its store, for the scenario to bring in. */
function makeSwapped(a: Actor, value: number): void {
  make(a, AREA, value, true);
  assert.equal(vmOf(a).reclaim(1), 1);
}

/** What the area holds, or that it is not there. */
function look(vm: Vmalloc, address: VirtualAddress): number | "fault" {
  try {
    return vm.read(address);
  } catch (error) {
    if (error instanceof PageFaultError) return "fault";
    throw error;
  }
}

/** Everybody leaves; nothing is lost; gives a view for looking at what there is. */
function settled(a: Actor): Vmalloc {
  whole(a);
  const vm = new Vmalloc(a.attach().arena.heap, { store: new ArenaStore(a) });
  assert.deepEqual(vm.check(), []);
  return vm;
}

/** And once all areas are freed there is no trace of them. */
function emptied(a: Actor): void {
  const vm = settled(a);
  for (const { address, state } of vm.info()) if (state === "live") vm.vfree(address);
  assert.deepEqual(vm.info(), []);
  assert.deepEqual(vm.check(), []);
}

/** One area that stays, so that there are tables, and in every magazine words for another. */
function warm(...actors: Actor[]): void {
  for (const [i, a] of actors.entries()) {
    if (i === 0) make(a, OTHER, 1);
    const vm = vmOf(a);
    vm.vfree(vm.vmalloc(1));
    vm.purge();
  }
}

function makeAndTouch(a: Actor): number {
  const vm = vmOf(a);
  const address = vm.vmalloc(PAGE_BYTES);
  vm.write(address, a.number);
  return vm.read(address);
}

/** The reader has translated, and looks again; after it has heard that the area was freed, there must be nothing. */
function lookTwice(a: Actor): unknown {
  const vm = vmOf(a);
  const address = addressIn(a, AREA);
  const first = vm.read(address);
  a.signal(user(63));
  if (a.memory.load(FREED) === 0) return [first, "fault"];
  return [first, look(vm, address)];
}

/** An area is freed that another thread has translated, and `use` takes what came free. */
function freedUnderALook(name: string, use: (a: Actor, vm: Vmalloc) => void): Scenario {
  return inArena({
    name,
    setup: (a) => {
      make(a, OTHER, 1);
      make(a, AREA, 7);
    },
    threads: [
      lookTwice,
      (a) => {
        a.await(user(63));
        const vm = vmOf(a);
        vm.vfree(addressIn(a, AREA));
        use(a, vm);
        a.memory.store(FREED, 1);
      },
    ],
    verify: (a, [seen]) => {
      assert.deepEqual(seen, [7, "fault"]);
      emptied(a);
    },
  });
}

const lifes = {
  "a vmalloc": { life: (a: Actor) => void vmOf(a).vmalloc(PAGE_BYTES) },
  "a vfree": { setup: (a: Actor) => void make(a, AREA, 1), life: (a: Actor) => vmOf(a).vfree(addressIn(a, AREA)) },
  "an eviction": { setup: (a: Actor) => void make(a, AREA, 1, true), life: (a: Actor) => void vmOf(a).reclaim(1) },
  "a fault": { setup: (a: Actor) => makeSwapped(a, 1), life: (a: Actor) => void vmOf(a).read(addressIn(a, AREA)) },
} satisfies Record<string, { setup?: (a: Actor) => void; life: (a: Actor) => void }>;

const addOne = (a: Actor, word: number): void => {
  const vm = vmOf(a);
  const address = (addressIn(a, AREA) + word) as VirtualAddress;
  vm.write(address, vm.read(address) + 1);
};

export const vmalloc: readonly Scenario[] = [
  inArena({
    name: "two threads make an area each",
    setup: warm,
    threads: [makeAndTouch, makeAndTouch],
    verify: (a, results) => {
      assert.deepEqual(results, [1, 2]);
      emptied(a);
    },
  }),
  inArena({
    name: "one thread makes an area while another frees the last",
    setup: warm,
    threads: [makeAndTouch, (a) => vmOf(a).vfree(addressIn(a, OTHER))],
    verify: (a, [seen]) => {
      assert.equal(seen, 1);
      emptied(a);
    },
  }),
  freedUnderALook("a translation, and its area is freed and the page used by another", (a) => a.memory.write(a.heap.allocPages(0 as Order), 99)),
  freedUnderALook("a range is freed and another area made, and somebody has the old address", (_, vm) => vm.write(vm.vmalloc(PAGE_BYTES), 99)),
  inArena({
    name: "a purge beside a touch",
    setup: (a) => {
      const vm = vmOf(a);
      make(a, AREA, 7);
      const other = vm.vmalloc(PAGE_BYTES);
      vm.vfree(other);
    },
    threads: [(a) => look(vmOf(a), addressIn(a, AREA)), (a) => [vmOf(a).purge(), vmOf(a).vmalloc(1)]],
    verify: (a, [seen]) => {
      assert.equal(seen, 7);
      emptied(a);
    },
  }),
  inArena({
    name: "a page is written while another thread evicts it",
    setup: (a) => void make(a, AREA, 7, true),
    threads: [(a) => addOne(a, 0), (a) => vmOf(a).reclaim(1)],
    verify: (a) => {
      const vm = settled(a);
      assert.equal(vm.read(addressIn(a, AREA)), 8);
    },
  }),
  inArena({
    name: "a page that its store has is written while another thread evicts it",
    setup: (a) => {
      makeSwapped(a, 7);
      vmOf(a).read(addressIn(a, AREA));
    },
    threads: [(a) => vmOf(a).write(addressIn(a, AREA), 8), (a) => vmOf(a).reclaim(1)],
    verify: (a) => {
      const vm = settled(a);
      assert.equal(vm.read(addressIn(a, AREA)), 8);
    },
  }),
  inArena({
    name: "a swappable area is freed while another thread evicts from it",
    setup: (a) => void make(a, AREA, 7, true),
    threads: [(a) => vmOf(a).vfree(addressIn(a, AREA)), (a) => vmOf(a).reclaim(1)],
    verify: (a) => assert.deepEqual(settled(a).info(), []),
  }),
  inArena({
    name: "two threads touch a page each, and there is memory for one",
    timeouts: true, // who finds every page in use looks again after a while
    setup: (a) => {
      make(a, AREA, 1, true);
      make(a, OTHER, 2, true);
      assert.equal(vmOf(a).reclaim(2), 2);
      let last: Address = NULL;
      for (let page = a.heap.allocPages(0 as Order); page !== NULL; page = a.heap.allocPages(0 as Order)) last = page;
      a.heap.freePages(last);
      a.heap.trim(); // else it is in this slot's list, where the other cannot get it
    },
    threads: [(a) => vmOf(a).read(addressIn(a, AREA)), (a) => vmOf(a).read(addressIn(a, OTHER))],
    verify: (a, results) => {
      assert.deepEqual(results, [1, 2]);
      settled(a);
    },
  }),
  inArena({
    name: "two threads touch a page that was swapped out",
    setup: (a) => makeSwapped(a, 7),
    threads: [(a) => addOne(a, 0), (a) => addOne(a, 1)],
    verify: (a) => {
      const vm = settled(a);
      const address = addressIn(a, AREA);
      assert.deepEqual([vm.read(address), vm.read((address + 1) as VirtualAddress)], [8, 1]);
    },
  }),
  inArena({
    name: "killed while it writes a page, which another evicts",
    setup: (a) => void make(a, AREA, 7, true),
    threads: [(a) => mortal(a, (victim) => vmOf(victim).write((addressIn(victim, AREA) + 1) as VirtualAddress, 5)), afterDeath((a) => vmOf(a).reclaim(1))],
    verify: (a, [, evicted]) => {
      assert.equal(evicted, 1, "the dead hold no page");
      const vm = settled(a);
      assert.equal(vm.read(addressIn(a, AREA)), 7);
    },
  }),
  ...Object.entries(lifes).map(([name, { life, ...more }]) =>
    inArena({
      name: `killed in ${name}`,
      setup: (a) => {
        if ("setup" in more) more.setup(a);
      },
      threads: [
        (a) => mortal(a, life),
        afterDeath((a) => void vmOf(a).reclaim(1)), // both locks, and what there is to repair
      ],
      verify: emptied,
    }),
  ),
];
