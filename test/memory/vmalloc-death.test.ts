/**
 * A thread dies at every single access of vmalloc, vfree, a purge, a fault and an eviction; another reaps it. After each death nothing is
 * violated, what others keep is as it was, and once everything is freed the arena is as before the first area. So it is when who recovers dies too.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, PAGE_BYTES } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";
import { reapThread } from "../../src/memory/reap.js";
import { type VirtualAddress, virtualField } from "../../src/memory/vmalloc/virtual.js";
import { DyingMemory } from "../support/dying-memory.js";
import { PageStore } from "../support/page-store.js";
import { type Attached, VmWorld } from "../support/vm-world.js";
import { reapAll, SURVIVOR, THIRD, VICTIM } from "../support/world.js";

/** Fills in three steps and not word by word: no invariant is about the words between. */
class Coarse extends DyingMemory {
  readonly #memory: Memory;

  constructor(inner: Memory) {
    super(inner);
    this.#memory = inner;
  }

  override fill(address: Address, words: number, value: number): void {
    this.write(address, value);
    if (!this.dead) this.#memory.fill(address, words, value);
    this.write((address + words - 1) as Address, value);
  }
}

const SWAP_PAGES = 6;
const KEPT = 3;
/** Of the many accesses of a recovery (it looks through the page table and the arena) one in so many. */
const STRIDE = 13;

interface Setting {
  readonly stays: VirtualAddress;
  readonly swappable: VirtualAddress;
}

interface Operation {
  readonly name: string;
  /** By the victim, before it may die. */
  readonly before?: (victim: Attached, setting: Setting) => void;
  readonly run: (victim: Attached, setting: Setting) => void;
  /** Take all but so many pages first. */
  readonly room?: number;
}

const evictAll = ({ vm }: Attached): void => void vm.reclaim(100);

const OPERATIONS: readonly Operation[] = [
  { name: "vmalloc", run: ({ vm }) => void vm.vmalloc(3 * PAGE_BYTES) },
  { name: "vmalloc of more than there is", run: ({ vm }) => void vm.vmalloc(8 * PAGE_BYTES), room: 5 },
  { name: "vmalloc and vfree", run: ({ vm }) => vm.vfree(vm.vmalloc(3 * PAGE_BYTES)) },
  {
    name: "a purge",
    before: ({ vm }) => {
      for (const address of [vm.vmalloc(1), vm.vmalloc(2 * PAGE_BYTES)]) vm.vfree(address);
    },
    run: ({ vm }) => vm.purge(),
  },
  { name: "vmalloc and vfree of a swappable area", run: ({ vm }) => vm.vfree(vm.vmalloc(3 * PAGE_BYTES, { swap: true })) },
  {
    name: "first touches, and a vfree",
    run: ({ vm }) => {
      const address = vm.vmalloc(2 * PAGE_BYTES, { swap: true });
      vm.write(address, 1);
      vm.write(virtualField(address, 1024), 1);
      vm.vfree(address);
    },
  },
  { name: "an eviction", run: ({ vm }) => void vm.reclaim(2) },
  { name: "a touch of what was swapped out", before: evictAll, run: ({ vm }, { swappable }) => void vm.read(swappable) },
  {
    name: "touches that evict",
    before: evictAll,
    run: ({ vm }, { swappable }) => {
      for (let page = 0; page < SWAP_PAGES; page++) vm.read(virtualField(swappable, page * 1024));
    },
    room: 2,
  },
  { name: "vmalloc that evicts", run: ({ vm }) => void vm.vmalloc(2 * PAGE_BYTES), room: 2 },
];

const value = (page: number): number => 1000 + page;

class Sweep {
  readonly world = new VmWorld(24);
  readonly store = new PageStore();
  readonly #pages: PageStore["pages"];
  #setting: Setting | undefined;
  #taken: Address[] = [];
  readonly operation: Operation;

  constructor(operation: Operation) {
    this.operation = operation;
    this.world.remember();
    this.world.snapshot();
    this.#pages = this.store.pages;
  }

  /** A survivor with what it keeps, and the victim, about to begin. */
  #begin(memory: Coarse): { survivor: Attached; victim: Attached; setting: Setting } {
    this.world.restore();
    this.#pages.clear();
    const survivor = this.world.attach(SURVIVOR, this);
    const setting = { stays: survivor.vm.vmalloc(KEPT * PAGE_BYTES), swappable: survivor.vm.vmalloc(SWAP_PAGES * PAGE_BYTES, { swap: true }) };
    for (let page = 0; page < KEPT; page++) survivor.vm.write(virtualField(setting.stays, page * 1024), value(page));
    for (let page = 0; page < SWAP_PAGES; page++) survivor.vm.write(virtualField(setting.swappable, page * 1024), value(page));
    const victim = this.world.attach(VICTIM, this, memory);
    this.operation.before?.(victim, setting);
    const { heap } = survivor.arena;
    const { room } = this.operation;
    this.#taken = room === undefined ? [] : (heap.allocPagesBulk(heap.withArenaLock(() => heap.pages.free) - room) as Address[]);
    this.#setting = setting;
    return { survivor, victim, setting };
  }

  #isWhole(survivor: Attached, when: string): void {
    const { vm, arena } = survivor;
    const { stays, swappable } = this.#setting as Setting;
    assert.deepEqual(vm.check(), [], when);
    for (const page of this.#taken) arena.heap.freePages(page);
    for (let page = 0; page < KEPT; page++) assert.equal(vm.read(virtualField(stays, page * 1024)), value(page), when);
    for (let page = 0; page < SWAP_PAGES; page++) assert.equal(vm.read(virtualField(swappable, page * 1024)), value(page), when);
    assert.deepEqual(vm.check(), [], when);
    for (const { address, state, thread } of vm.info()) {
      assert.ok(thread === SURVIVOR || thread === VICTIM);
      if (state === "live") vm.vfree(address);
    }
    arena.detach();
    this.world.isAsBefore(when);
  }

  /** Die at every access. Gives how many there were. */
  all(): number {
    for (let at = 1; ; at++) {
      const memory = new Coarse(this.world.memory);
      const { survivor, victim, setting } = this.#begin(memory);
      memory.arm(at);
      const died = memory.run(() => this.operation.run(victim, setting));
      if (!died) {
        memory.arm(); // it lives
        victim.arena.detach();
        this.#isWhole(survivor, "nobody died");
        return at - 1;
      }
      reapThread(survivor.arena.heap, VICTIM);
      this.#isWhole(survivor, `${this.operation.name}: died at access ${at}: ${memory.last}`);
    }
  }

  /** Die at some access, and who recovers at every some one of its own. */
  twice(at: number): number {
    for (let second = 1; ; second += STRIDE) {
      const memory = new Coarse(this.world.memory);
      const { survivor, victim, setting } = this.#begin(memory);
      memory.arm(at);
      if (!memory.run(() => this.operation.run(victim, setting))) return 0;
      reapThread(survivor.arena.heap, VICTIM);
      const rescuer = new Coarse(this.world.memory);
      const third = this.world.attach(THIRD, this, rescuer);
      rescuer.arm(second);
      const died = rescuer.run(() => {
        third.vm.purge(); // takes one lock, and then both
        third.vm.reclaim(1);
        third.arena.detach();
      });
      if (died) reapAll([THIRD], (thread) => reapThread(survivor.arena.heap, thread));
      this.#isWhole(survivor, `${this.operation.name}: died at access ${at}, and who recovered at ${second}: ${rescuer.last}`);
      if (!died) return Math.floor(second / STRIDE);
    }
  }
}

for (const operation of OPERATIONS) {
  test(`death at every access: ${operation.name}`, (t) => {
    const deaths = new Sweep(operation).all();
    assert.ok(deaths > 10);
    t.diagnostic(`${deaths} deaths`);
  });
}

for (const operation of OPERATIONS.filter(({ name }) => ["vmalloc and vfree", "an eviction", "touches that evict"].includes(name))) {
  test(`who recovers dies too: ${operation.name}`, (t) => {
    const sweep = new Sweep(operation);
    const accesses = sweep.all();
    let deaths = 0;
    for (let part = 1; part <= 4; part++) deaths += sweep.twice(Math.floor((accesses * part) / 5));
    t.diagnostic(`${deaths} second deaths`);
  });
}
