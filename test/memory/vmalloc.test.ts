/** vmalloc: contiguous for every thread, guarded, all or nothing, and the arena as it was when all is freed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { type Address, NULL, type Order, PAGE_BYTES } from "../../src/memory/address.js";
import { DoubleFreeError, InvalidAddressError, InvalidSizeError, PageFaultError } from "../../src/memory/errors.js";
import { MAX_KMALLOC_BYTES } from "../../src/memory/heap.js";
import { Header } from "../../src/memory/layout.js";
import { LAZY_PAGES } from "../../src/memory/vmalloc/space.js";
import { isVirtual, VIRTUAL_PAGES, type VirtualAddress, virtualField } from "../../src/memory/vmalloc/virtual.js";
import { type Attached, VmWorld } from "../support/vm-world.js";

const GUARD = /guard page/;

function alone(extraPages: number, run: (attached: Attached, world: VmWorld) => void): void {
  const world = new VmWorld(extraPages);
  world.remember();
  const attached = world.attach(1);
  run(attached, world);
  attached.arena.detach();
  world.isAsBefore();
}

/** Bytes that an address and an offset determine. */
const pattern = (address: number, bytes: number, salt = 0): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => (address * 31 + i * 7 + (i >> 8) + salt) & 255);

test("words and bytes at any offset, across pages", () => {
  alone(64, ({ vm }) => {
    const address = vm.vmalloc(5 * PAGE_BYTES + 1, { zero: true });
    const area = vm.area(address);
    assert.equal(area.bytes, 6 * PAGE_BYTES);
    for (let offset = 0; offset < area.bytes; offset += 4) assert.equal(area.read(offset), 0);
    for (let offset = 0; offset < area.bytes; offset += 1020) {
      area.write(offset, offset * 3);
      assert.equal(vm.read(virtualField(address, offset / 4)), offset * 3);
    }
    const rounds = fc.record({ offset: fc.nat(area.bytes - 1), length: fc.nat(3 * PAGE_BYTES), salt: fc.nat(255) });
    const model = new Uint8Array(area.bytes);
    area.readBytes(0, model);
    fc.assert(
      fc.property(rounds, ({ offset, length, salt }) => {
        const bytes = pattern(offset, Math.min(length, area.bytes - offset), salt);
        area.writeBytes(offset, bytes);
        model.set(bytes, offset);
        const seen = new Uint8Array(Math.min(area.bytes - offset, bytes.length + 9));
        area.readBytes(offset, seen);
        assert.deepEqual(seen, model.slice(offset, offset + seen.length));
        const whole = new Uint8Array(area.bytes);
        area.readBytes(0, whole);
        assert.deepEqual(whole, model);
      }),
      { seed: seedOf("bytes"), numRuns: 60 },
    );
    vm.vfree(address);
  });
});

test("what it is made of is scattered: no two free pages side by side, and still one area", () => {
  alone(80, ({ arena, vm }) => {
    const { heap } = arena;
    const pages: Address[] = [];
    heap.withReserve(() => {
      for (let page = heap.allocPages(0 as Order); page !== NULL; page = heap.allocPages(0 as Order)) pages.push(page);
    });
    const freed = pages.filter((page) => ((page >>> 10) & 1) === 0);
    for (const page of freed) heap.freePages(page);
    assert.equal(heap.allocPages(1 as Order), NULL, "nothing contiguous is left");
    const address = vm.vmalloc(20 * PAGE_BYTES);
    assert.notEqual(address, 0);
    const area = vm.area(address);
    for (let offset = 0; offset < area.bytes; offset += 512) area.write(offset, ~offset);
    for (let offset = 0; offset < area.bytes; offset += 512) assert.equal(area.read(offset), ~offset);
    const { address: first, bytes } = area.pageAt(PAGE_BYTES + 100);
    assert.equal(bytes, PAGE_BYTES - 100);
    area.write(PAGE_BYTES + 100, 4711);
    assert.equal(arena.memory.read(first), 4711, "zero-copy");
    assert.notEqual(area.pageAt(PAGE_BYTES).address - area.pageAt(0).address, 1024, "scattered");
    vm.vfree(address);
    for (const page of pages) if (!freed.includes(page)) heap.freePages(page);
  });
});

test("a touch of the guard page, of a freed area or of none is a page fault that says where", () => {
  alone(64, ({ vm }) => {
    const address = vm.vmalloc(3 * PAGE_BYTES);
    const other = vm.vmalloc(PAGE_BYTES);
    const bytes = new Uint8Array(8);
    const guard = virtualField(address, 3 * 1024);
    assert.equal(other - guard, 1024, "one page between them");
    for (const touch of [
      () => vm.read(guard),
      () => vm.write(guard, 1),
      () => vm.translate(guard),
      () => vm.readBytes(address, new Uint8Array(3 * PAGE_BYTES + 1)),
      () => vm.writeBytes(virtualField(address, 3 * 1024 - 1), new Uint8Array(8)),
    ])
      assert.throws(touch, (error: PageFaultError) => error instanceof PageFaultError && GUARD.test(error.message) && error.address === guard);
    assert.equal(vm.read(virtualField(address, 3 * 1024 - 1)), vm.read(virtualField(address, 3 * 1024 - 1)), "nothing was written by what failed");
    const area = vm.area(address);
    assert.throws(() => area.read(area.bytes), /behind the 12288 bytes/);
    assert.throws(() => area.writeBytes(area.bytes - 2, new Uint8Array(4)), PageFaultError);
    assert.throws(() => area.read(2), InvalidSizeError);
    vm.vfree(address);
    assert.throws(() => vm.read(address), /which was freed/);
    assert.throws(() => area.read(0), { code: "ERR_PAGE_FAULT" });
    for (const nowhere of [virtualField(other, 5 * 1024), 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])
      assert.throws(() => vm.read(nowhere as VirtualAddress), /in no area/);
    assert.throws(() => vm.readBytes((2 ** 31 - 1) as VirtualAddress, bytes), PageFaultError);
    assert.throws(() => vm.vfree(address), DoubleFreeError);
    assert.throws(() => vm.vfree(virtualField(other, 1)), InvalidAddressError);
    assert.throws(() => vm.vfree(8 as VirtualAddress), InvalidAddressError);
    assert.throws(() => vm.vmalloc(-1), InvalidSizeError);
    vm.vfree(other);
  });
});

test("every thread translates, and one that had translated sees a free, and what comes after it", () => {
  const world = new VmWorld(64);
  world.remember();
  const [a, b] = [world.attach(1), world.attach(2)] as [Attached, Attached];
  const keep = a.vm.vmalloc(1);
  const address = a.vm.vmalloc(2 * PAGE_BYTES);
  a.vm.writeBytes(address, pattern(address, 2 * PAGE_BYTES));
  const seen = new Uint8Array(2 * PAGE_BYTES);
  b.vm.readBytes(address, seen);
  assert.deepEqual(seen, pattern(address, 2 * PAGE_BYTES));
  a.vm.vfree(address);
  assert.throws(() => b.vm.read(address), PageFaultError);
  const elsewhere = a.vm.vmalloc(2 * PAGE_BYTES);
  assert.notEqual(elsewhere, address, "a freed range rests");
  assert.deepEqual(
    a.vm.info().map(({ state, pages }) => [state, pages]),
    [
      ["live", 1],
      ["freed", 2],
      ["live", 2],
    ],
  );
  a.vm.purge();
  const again = a.vm.vmalloc(2 * PAGE_BYTES);
  assert.equal(again, address, "until a purge");
  a.vm.write(again, 5);
  assert.equal(b.vm.read(again), 5);
  for (const freed of [elsewhere, again, keep]) b.vm.vfree(freed);
  assert.deepEqual(a.vm.info(), [], "when nothing is live, nothing rests");
  assert.equal(a.arena.memory.read(Header.VM_DIRECTORY), 0);
  for (const { arena } of [a, b]) arena.detach();
  world.isAsBefore();
});

test("to the last page, all or nothing, and back", () => {
  alone(100, ({ arena, vm }) => {
    const { heap } = arena;
    const free = (): number => heap.withArenaLock(() => heap.pages.free);
    for (const pages of [1, 3, 17]) {
      const areas: VirtualAddress[] = [];
      for (;;) {
        const before = [free(), vm.info().length] as const;
        const address = vm.vmalloc(pages * PAGE_BYTES);
        if (address === 0) {
          assert.ok(free() >= before[0], "what cannot be had takes nothing (a spare slab may have gone back)");
          assert.equal(vm.info().length, before[1]);
          break;
        }
        vm.area(address).write(pages * PAGE_BYTES - 4, areas.length);
        areas.push(address);
      }
      assert.ok(free() < pages + 3, `${free()} left`); // what is left is too little for an area of so many pages, its words and perhaps a table
      assert.deepEqual(vm.check(), []);
      for (const [i, address] of areas.entries()) assert.equal(vm.area(address).read(pages * PAGE_BYTES - 4), i);
      for (const address of areas) vm.vfree(address);
      assert.deepEqual(vm.info(), []);
    }
    assert.equal(vm.vmalloc(VIRTUAL_PAGES * PAGE_BYTES), 0, "no range");
    assert.equal(vm.vmalloc((VIRTUAL_PAGES - 3) * PAGE_BYTES), 0, "no pages");
  });
});

test("freed ranges that rest are purged by themselves, before anything is refused", () => {
  alone(LAZY_PAGES / 8, ({ vm }) => {
    const keep = vm.vmalloc(1);
    const pages = LAZY_PAGES / 16;
    let rested = 0;
    for (let i = 0; i < 40; i++) {
      const address = vm.vmalloc(pages * PAGE_BYTES);
      assert.notEqual(address, 0);
      vm.vfree(address);
      rested = Math.max(rested, vm.info().filter(({ state }) => state === "freed").length);
    }
    assert.ok(rested > 8 && rested * pages <= LAZY_PAGES, `${rested} ranges of 2 MiB: never more than 32 MiB`);
    for (let i = 0; i < 1000; i++) vm.vfree(vm.vmalloc(1));
    assert.ok(vm.info().length < 140, "and not many of them");
    vm.vfree(keep);
  });
});

test("kvmalloc is kmalloc, else vmalloc", () => {
  alone(MAX_KMALLOC_BYTES / PAGE_BYTES + 1024, ({ arena, vm }) => {
    const small = vm.kvmalloc(100, { zero: true });
    assert.ok(!isVirtual(small));
    assert.equal(arena.heap.usableBytes(small), 128);
    const view = vm.area(small);
    view.writeBytes(3, pattern(3, 90));
    const seen = new Uint8Array(90);
    view.readBytes(3, seen);
    assert.deepEqual(seen, pattern(3, 90));
    const large = vm.kvmalloc(MAX_KMALLOC_BYTES + 1, { zero: true, tag: -5 });
    assert.ok(isVirtual(large));
    assert.deepEqual(vm.ownedBy(-5), [large]);
    vm.area(large).write(MAX_KMALLOC_BYTES, 7);
    assert.equal(vm.usableBytes(large), MAX_KMALLOC_BYTES + PAGE_BYTES);
    for (const address of [small, large]) vm.kvfree(address);
    assert.throws(() => vm.kvfree(large), /ERR|free|not the start/);
  });
});

interface Model {
  readonly areas: { address: VirtualAddress; bytes: number; salt: number }[];
}

test("against a model: areas never overlap, hold what was written, and all that is freed comes back", () => {
  const commands = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant("make" as const), bytes: fc.nat(9 * PAGE_BYTES), thread: fc.nat(1) }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant("free" as const), which: fc.nat(), thread: fc.nat(1) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("purge" as const), thread: fc.nat(1) }) },
    ),
    { maxLength: 60 },
  );
  const world = new VmWorld(40);
  world.remember();
  world.snapshot();
  fc.assert(
    fc.property(commands, (list) => {
      const threads = [world.attach(1), world.attach(2)] as const;
      const model: Model = { areas: [] };
      const vmOf = (thread: number): Attached["vm"] => (threads[thread] as Attached).vm;
      const look = ({ address, bytes, salt }: Model["areas"][number], thread: number): void => {
        const seen = new Uint8Array(bytes);
        vmOf(thread).readBytes(address, seen);
        assert.deepEqual(seen, pattern(address, bytes, salt));
      };
      for (const [salt, command] of list.entries()) {
        const vm = vmOf(command.thread);
        if (command.do === "make") {
          const address = vm.vmalloc(command.bytes);
          if (address === 0) continue;
          const pages = Math.max(1, Math.ceil(command.bytes / PAGE_BYTES));
          for (const other of vm.info().filter((info) => info.address !== address))
            assert.ok(address + pages * 1024 < other.address || other.address + other.pages * 1024 < address, "a guard between any two");
          vm.writeBytes(address, pattern(address, command.bytes, salt));
          model.areas.push({ address, bytes: command.bytes, salt });
        } else if (command.do === "free" && model.areas.length > 0) {
          const [area] = model.areas.splice(command.which % model.areas.length, 1) as [Model["areas"][number]];
          look(area, 1 - command.thread);
          vm.vfree(area.address);
          for (const thread of [0, 1]) assert.throws(() => vmOf(thread).read(area.address), PageFaultError);
        } else if (command.do === "purge") vm.purge();
        for (const area of model.areas) look(area, command.thread);
        assert.deepEqual(vm.check(), []);
      }
      for (const { address } of model.areas) vmOf(0).vfree(address);
      for (const { arena } of threads) arena.detach();
      world.isAsBefore();
      world.restore();
    }),
    { seed: seedOf("vmalloc"), numRuns: 60 },
  );
});
