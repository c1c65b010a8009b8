/** Swapping: under pressure cold pages go out and come back as they were; a touch is refused wherever waiting is not allowed. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { type Address, NULL, type Order, PAGE_BYTES } from "../../src/memory/address.js";
import { NoBackingStoreError, OutOfMemoryError, PageFaultError } from "../../src/memory/errors.js";
import { SlotWord } from "../../src/memory/slot.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import { FileStore } from "../../src/memory/vmalloc/store.js";
import { type VirtualAddress, virtualField } from "../../src/memory/vmalloc/virtual.js";
import { Vmalloc } from "../../src/memory/vmalloc/vmalloc.js";
import { Domain } from "../../src/rcu/domain.js";
import { PageStore } from "../support/page-store.js";
import { type Attached, VmWorld } from "../support/vm-world.js";

interface Bench {
  readonly world: VmWorld;
  readonly store: PageStore;
  readonly a: Attached;
  readonly b: Attached;
}

/** Two threads over a small arena, and one store. */
function bench(run: (bench: Bench) => void, extraPages = 0): void {
  const world = new VmWorld(extraPages);
  world.remember();
  const store = new PageStore();
  const [a, b] = [world.attach(1, { store }), world.attach(2, { store })];
  run({ world, store, a, b });
  for (const { arena } of [a, b]) arena.detach();
  world.isAsBefore();
}

const pageOf = (address: VirtualAddress, page: number): VirtualAddress => virtualField(address, page * 1024);
const stateOf = ({ vm }: Attached): [number, number] => {
  const [info] = vm.info();
  return [info?.resident ?? 0, info?.swapped ?? 0];
};

test("pages come at their first touch, zeroed, and go only under pressure", () => {
  bench(({ a, b, store }) => {
    const free = (): number => a.arena.heap.withArenaLock(() => a.arena.heap.pages.free);
    const pages = 3 * free();
    const address = a.vm.vmalloc(pages * PAGE_BYTES, { swap: true });
    assert.notEqual(address, 0, "larger than the arena");
    assert.deepEqual(stateOf(a), [0, 0]);
    for (let page = 0; page < pages; page++) {
      assert.equal(a.vm.read(pageOf(address, page)), 0);
      a.vm.write(pageOf(address, page), page + 1);
    }
    const [resident, swapped] = stateOf(a);
    assert.equal(resident + swapped, pages);
    assert.ok(store.writes >= pages - resident && resident > 20, `${resident} resident, ${store.writes} written`);
    for (let page = 0; page < pages; page++) assert.equal(b.vm.read(pageOf(address, page)), page + 1);
    assert.deepEqual(b.vm.check(), []);
    b.vm.vfree(address);
    assert.throws(() => a.vm.read(address), PageFaultError);
  });
});

test("a clean page is not written again, one never written not at all; and what is warm stays", () => {
  bench(({ a, store }) => {
    const address = a.vm.vmalloc(40 * PAGE_BYTES, { swap: true });
    for (let page = 0; page < 40; page++) a.vm.read(pageOf(address, page));
    assert.equal(a.vm.reclaim(40), 40);
    assert.deepEqual([store.writes, ...stateOf(a)], [0, 0, 0], "all zero: nothing to keep");
    a.vm.write(address, 7);
    assert.equal(a.vm.reclaim(1), 1);
    assert.equal(a.vm.read(address), 7);
    assert.equal(a.vm.reclaim(1), 1);
    assert.deepEqual([store.writes, store.reads], [1, 1]);
    for (let page = 0; page < 40; page++) a.vm.write(pageOf(address, page), page);
    a.vm.reclaim(1); // the hand has gone round: all are cold
    const warm = pageOf(address, 20);
    for (let round = 0; round < 38; round++) {
      a.vm.read(warm);
      assert.equal(a.vm.reclaim(1), 1);
    }
    const { reads } = store;
    assert.equal(a.vm.read(warm), 20);
    assert.equal(store.reads, reads, "it is still there");
    a.vm.vfree(address);
  });
});

test("memory that cannot be had otherwise is had by evicting, not with `atomic`", () => {
  bench(({ a, b }) => {
    const { heap } = a.arena;
    const free = (): number => heap.withArenaLock(() => heap.pages.free);
    const swappable = a.vm.vmalloc(2 * free() * PAGE_BYTES, { swap: true });
    const pages = a.vm.usableBytes(swappable) / PAGE_BYTES;
    for (let page = 0; page < pages; page++) a.vm.write(pageOf(swappable, page), ~page);
    const wanted = Math.floor(pages / 4) * PAGE_BYTES;
    assert.equal(b.vm.vmalloc(wanted, { atomic: true }), 0);
    assert.equal(b.vm.kvmalloc(wanted, { atomic: true }), 0);
    const stays = b.vm.vmalloc(wanted);
    assert.notEqual(stays, 0);
    assert.equal(b.vm.vmalloc(pages * PAGE_BYTES), 0, "not so much");
    for (let page = 0; page < pages; page++) assert.equal(b.vm.read(pageOf(swappable, page)), ~page);
    assert.deepEqual(b.vm.check(), []);
    for (const address of [stays, swappable]) a.vm.vfree(address);
  });
});

test("kmalloc and pages that cannot be had otherwise are had by evicting, not with `atomic`, nor where waiting is not allowed", () => {
  bench(({ a, b }) => {
    const { heap } = b.arena;
    const lock = new SpinLock(heap.memory, heap.kmalloc(4), heap.slot);
    const swappable = a.vm.vmalloc(2 * heap.pages.free * PAGE_BYTES, { swap: true });
    const pages = a.vm.usableBytes(swappable) / PAGE_BYTES;
    for (let page = 0; page < pages; page++) a.vm.write(pageOf(swappable, page), ~page);
    a.arena.heap.trim();
    heap.trim();
    const order = 0 as Order;
    const left: Address[] = [];
    for (let page = heap.allocPages(order, { atomic: true }); page !== NULL; page = heap.allocPages(order, { atomic: true })) left.push(page);
    lock.withLock(() => assert.equal(heap.allocPages(order), NULL, "with a spin lock nothing waits"));
    const taken = [heap.allocPages(order), heap.kmalloc(100), heap.allocPages(order)];
    assert.ok(!taken.includes(NULL));
    for (let page = 0; page < pages; page++) assert.equal(a.vm.read(pageOf(swappable, page)), ~page);
    for (const block of [...left, ...taken, lock.address]) heap.kfree(block);
    a.vm.vfree(swappable);
  });
});

test("a touch that finds no page to be had is refused, and the page is as it was", () => {
  bench(({ a, store }) => {
    const { heap } = a.arena;
    const address = a.vm.vmalloc(2 * PAGE_BYTES, { swap: true });
    a.vm.write(address, 1);
    a.vm.reclaim(1);
    const taken: Address[] = [];
    for (let page = heap.allocPages(0 as never); page !== NULL; page = heap.allocPages(0 as never)) taken.push(page);
    assert.throws(() => a.vm.read(address), OutOfMemoryError);
    heap.freePages(taken.pop() as Address);
    store.failure = new Error("the disk is on fire");
    assert.throws(() => a.vm.read(address), /on fire/);
    assert.equal(a.vm.read(address), 1);
    a.vm.write(address, 2);
    store.failure = new Error("the disk is full");
    assert.throws(() => a.vm.read(pageOf(address, 1)), /full/);
    assert.equal(a.vm.read(address), 2, "it stayed");
    assert.equal(a.vm.read(pageOf(address, 1)), 0);
    assert.equal(a.vm.read(address), 2);
    assert.deepEqual(a.vm.check(), []);
    for (const page of taken) heap.freePages(page);
    a.vm.vfree(address);
  });
});

test("without a store there is no swapping; with one, a swappable page has no address", () => {
  bench(({ a, world }) => {
    const poor = world.attach(3);
    assert.throws(() => poor.vm.vmalloc(1, { swap: true }), NoBackingStoreError);
    const address = a.vm.vmalloc(1, { swap: true });
    a.vm.write(address, 9);
    assert.equal(poor.vm.read(address), 9, "resident");
    a.vm.reclaim(1);
    assert.throws(() => poor.vm.read(address), { code: "ERR_NO_BACKING_STORE" });
    assert.throws(() => a.vm.translate(address), /swappable/);
    assert.throws(() => a.vm.area(address).pageAt(0), /swappable/);
    assert.equal(a.vm.read(address), 9);
    poor.arena.detach();
    a.vm.vfree(address);
  });
});

test("where waiting is not allowed a touch is refused, also of a page that is there; what stays may be touched anywhere", () => {
  const world = new VmWorld();
  const store = new PageStore();
  const domain = new Domain(world.arena(1));
  const { heap, memory } = domain.arena;
  const vm = new Vmalloc(heap, { store });
  const stays = vm.vmalloc(PAGE_BYTES, { zero: true });
  const address = vm.vmalloc(PAGE_BYTES, { swap: true });
  vm.write(address, 3);
  const lock = new SpinLock(memory, heap.kmalloc(8), heap.slot);
  memory.store(lock.address, 0);
  const bytes = new Uint8Array(4);
  const refused = (why: RegExp): void => {
    const waits = {
      read: () => vm.read(address),
      write: () => vm.write(address, 4),
      readBytes: () => vm.readBytes(address, bytes),
      writeBytes: () => vm.writeBytes(address, bytes),
      vfree: () => vm.vfree(address),
      vmalloc: () => vm.vmalloc(1),
      kvmalloc: () => vm.kvmalloc(1),
      reclaim: () => vm.reclaim(1),
    };
    for (const [name, call] of Object.entries(waits))
      assert.throws(call, (error: Error & { code?: string }) => error.code === "ERR_ATOMIC_CONTEXT" && why.test(error.message), name);
    assert.equal(vm.read(stays), 0);
    const now = vm.vmalloc(1, { atomic: true });
    assert.notEqual(now, 0);
    vm.vfree(now);
  };
  domain.read(() => refused(/read-side section/));
  const index = domain.readLock();
  refused(/read-side section/);
  domain.readUnlock(index);
  lock.withLock(() => refused(/spin lock/));
  heap.withArenaLock(() => assert.throws(() => vm.read(address), /arena lock/));
  assert.equal(vm.read(address), 3, "nothing was changed");
  vm.vfree(address);
  vm.vfree(stays);
  assert.deepEqual(vm.check(), []);
  domain.detach();
});

test("a thread that has left touches no swappable page, and its slot's next thread has nothing pinned", () => {
  bench(({ a, world, store }) => {
    const address = a.vm.vmalloc(1, { swap: true });
    const left = world.attach(3, { store });
    left.vm.write(address, 1);
    const { slot } = left.arena.heap;
    left.arena.detach();
    assert.throws(() => left.vm.read(address), { code: "ERR_CLOSED" });
    assert.equal(world.memory.load((slot.address + SlotWord.PINNED) as Address), 0);
    a.vm.vfree(address);
  });
});

test("a page that another thread is copying from is not evicted", () => {
  bench(({ world, store }) => {
    const memory = world.dying();
    const copier = world.attach(3, { store }, memory);
    const evictor = world.attach(4, { store });
    const address = copier.vm.vmalloc(PAGE_BYTES, { swap: true });
    const evicted: number[] = [];
    for (let at = 1; ; at++) {
      copier.vm.read(address); // it is there
      memory.arm();
      memory.hook = (access) => {
        if (access !== at) return;
        memory.hook = undefined;
        evicted.push(evictor.vm.reclaim(1));
      };
      copier.vm.write(address, at);
      const { hook } = memory;
      memory.hook = undefined;
      assert.equal(evictor.vm.read(address), at, `evicted at access ${at}`);
      if (hook !== undefined) break;
    }
    assert.match(evicted.join(""), /^1+0+$/, "pinned from some access on, to the last, which takes the pin back");
    copier.vm.vfree(address);
    for (const { arena } of [copier, evictor]) arena.detach();
  });
});

test("against a model: two threads, three areas, a few pages of memory", () => {
  const action = fc.record({
    area: fc.nat(2),
    offset: fc.nat(8 * PAGE_BYTES - 1),
    length: fc.nat(2 * PAGE_BYTES),
    salt: fc.nat(255),
    thread: fc.nat(1),
    write: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), fc.integer({ min: 2, max: 12 }), (actions, room) => {
      bench(({ a, b }) => {
        const { heap } = a.arena;
        const areas = [0, 1, 2].map(() => a.vm.vmalloc(8 * PAGE_BYTES, { swap: true }));
        const models = areas.map(() => new Uint8Array(8 * PAGE_BYTES));
        heap.trim();
        const taken = heap.allocPagesBulk(heap.pages.available - room) as Address[];
        for (const { area, offset, length, salt, thread, write } of actions) {
          const { vm } = thread === 0 ? a : b;
          const view = vm.area(areas[area] as VirtualAddress);
          const model = models[area] as Uint8Array;
          const bytes = Uint8Array.from({ length: Math.min(length, model.length - offset) }, (_, i) => (salt + i * 3) & 255);
          if (write) {
            view.writeBytes(offset, bytes);
            model.set(bytes, offset);
          } else {
            view.readBytes(offset, bytes);
            assert.deepEqual(bytes, model.slice(offset, offset + bytes.length));
          }
        }
        for (const [i, address] of areas.entries()) {
          const seen = new Uint8Array(8 * PAGE_BYTES);
          b.vm.area(address).readBytes(0, seen);
          assert.deepEqual(seen, models[i]);
        }
        assert.deepEqual(a.vm.check(), []);
        for (const page of taken) heap.freePages(page);
        for (const address of areas) a.vm.vfree(address);
      });
    }),
    { seed: seedOf("swap"), numRuns: 40 },
  );
});

test("a file keeps pages", () => {
  const directory = mkdtempSync(join(tmpdir(), "quiesce-"));
  try {
    const [mine, theirs] = [new FileStore(join(directory, "swap")), new FileStore(join(directory, "swap"))];
    const page = Uint8Array.from({ length: PAGE_BYTES }, (_, i) => i & 255);
    mine.writePage(5, page);
    const seen = new Uint8Array(PAGE_BYTES);
    theirs.readPage(5, seen);
    assert.deepEqual(seen, page);
    theirs.readPage(1, seen);
    assert.deepEqual(seen, new Uint8Array(PAGE_BYTES), "a hole");
    assert.throws(() => theirs.readPage(9, seen), { code: "ERR_BACKING_STORE" });
    for (const store of [mine, theirs]) store.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
