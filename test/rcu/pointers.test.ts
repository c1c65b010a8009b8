/** Publishing: the updater's pointers on each flavor. */

import assert from "node:assert/strict";
import { LIMIT } from "../../check/support/watchdog.js";
import type { Address } from "../../src/memory/address.js";
import type { Domain } from "../../src/rcu/domain.js";
import { onEach } from "../support/each-flavor.js";

const target = (n: number): Address => n as Address;

function withPointer(domain: Domain, run: (pointer: Address) => void): void {
  const pointer = domain.arena.heap.kmalloc(8);
  domain.assignPointer(pointer, target(1));
  run(pointer);
  domain.arena.heap.kfree(pointer);
}

onEach("assignPointer() is seen by readers of every thread at once", ({ attach }) => {
  const [a, b] = [attach(), attach()];
  withPointer(a, (pointer) => {
    a.assignPointer(pointer, target(5));
    for (const domain of [a, b])
      assert.equal(
        domain.read(() => domain.dereference(pointer)),
        5,
      );
  });
});

onEach("replacePointer() and exchangePointer() give the old target", ({ attach }) => {
  const domain = attach();
  withPointer(domain, (pointer) => {
    assert.deepEqual([domain.replacePointer(pointer, target(2)), domain.accessPointer(pointer)], [1, 2]);
    assert.deepEqual([domain.exchangePointer(pointer, target(3)), domain.accessPointer(pointer)], [2, 3]);
  });
});

onEach("compareExchangePointer() replaces what is expected, and tells what it found", ({ attach }) => {
  const domain = attach();
  withPointer(domain, (pointer) => {
    assert.deepEqual([domain.compareExchangePointer(pointer, target(1), target(2)), domain.accessPointer(pointer)], [1, 2]);
    assert.deepEqual([domain.compareExchangePointer(pointer, target(1), target(9)), domain.accessPointer(pointer)], [2, 2]);
  });
});

onEach("a section keeps what it dereferenced though it is replaced and retired meanwhile", ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const { heap, memory } = updater.arena;
  withPointer(updater, (pointer) => {
    const old = heap.kmalloc(64);
    memory.write(old, 4711);
    updater.assignPointer(pointer, old);
    const others: Address[] = [];
    reader.read(() => {
      const seen = reader.dereference(pointer);
      updater.retire(updater.exchangePointer(pointer, target(1)));
      updater.advance();
      for (let i = 0; i < 100; i++) {
        const other = heap.kmalloc(64); // would come to stand in its place
        others.push(other);
        memory.write(other, -1);
      }
      assert.equal(memory.read(seen), 4711);
    });
    reader.offline(() => {});
    updater.flushSync(LIMIT);
    assert.equal(updater.stats().waiting, 0);
    for (const other of others) heap.kfree(other);
  });
});
