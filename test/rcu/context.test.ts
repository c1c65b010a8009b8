/** The context rules on each flavor: what is refused where, with which code, and that nothing was begun by then. */

import assert from "node:assert/strict";
import { LIMIT } from "../../check/support/watchdog.js";
import type { Address } from "../../src/memory/address.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import type { Domain } from "../../src/rcu/domain.js";
import { end, onEach, settle } from "../support/each-flavor.js";
import { refusal } from "../support/refusal.js";

/** What may wait without blocking, and what blocks. */
const waits = (domain: Domain): Record<string, () => unknown> => ({
  synchronize: () => domain.synchronize(),
  condSynchronize: () => domain.condSynchronize(domain.getCompleted()),
  barrier: () => domain.barrier(),
  offline: () => domain.offline(() => assert.fail("it was run")),
  detach: () => domain.detach(),
});
const blocks = (domain: Domain): Record<string, () => unknown> => ({
  synchronizeSync: () => domain.synchronizeSync(),
  condSynchronizeSync: () => domain.condSynchronizeSync(domain.getCompleted()),
});

onEach("in a section that cannot be suspended, whatever may wait is refused, and nothing begins", ({ attach }) => {
  const domain = attach();
  const { sequence } = domain.stats();
  domain.read(() => {
    for (const [name, wait] of Object.entries({ ...waits(domain), ...blocks(domain) }))
      assert.equal(refusal(wait, new RegExp(`${name}\\(\\) may wait, and was called in a read-side section`)), "ContextError ERR_IN_SECTION", name);
    assert.equal(
      refusal(() => domain.beforeUpdate("set()"), /set\(\) may wait/),
      "ContextError ERR_IN_SECTION",
    );
    assert.equal(
      refusal(() => domain.retireSync(8 as Address), /synchronizeSync\(\) may wait/),
      "ContextError ERR_IN_SECTION",
    );
  });
  assert.equal(domain.stats().sequence, sequence);
});

onEach(
  "so it is between readLock() and readUnlock() where sections end with their turn",
  ({ attach }) => {
    const domain = attach();
    const index = domain.readLock();
    for (const wait of Object.values({ ...waits(domain), ...blocks(domain) })) assert.equal(refusal(wait, /read-side section/), "ContextError ERR_IN_SECTION");
    end(domain, index);
  },
  { flavors: ["event-loop", "tree"] },
);

onEach(
  "beside a section that awaits, one may wait and update, but not block or leave",
  async ({ attach }) => {
    const domain = attach();
    const index = domain.readLock();
    for (const block of Object.values(blocks(domain)))
      assert.equal(refusal(block, /blocks, and 1 sections of this thread await something: they could never end/), "ContextError ERR_IN_SECTION");
    assert.equal(
      refusal(() => domain.detach(), /detach\(\) with a read-side section open/),
      "ContextError ERR_IN_SECTION",
    );
    domain.beforeUpdate("set()");
    domain.offline(() => {});
    let over = false;
    const waiting = domain.synchronize().then(() => {
      over = true;
    });
    await settle(20);
    assert.equal(over, false);
    domain.readUnlock(index);
    await waiting;
  },
  { flavors: ["phase"] },
);

onEach("with a spin lock held, whatever may wait is refused; retiring and call() are not", ({ attach }) => {
  const domain = attach({ retireLimit: 8 });
  const { heap, memory } = domain.arena;
  const word = heap.kmalloc(8);
  memory.store(word, 0);
  const lock = new SpinLock(memory, word, heap.slot);
  lock.withLock(() => {
    for (const [name, wait] of Object.entries({ ...waits(domain), ...blocks(domain) }))
      assert.equal(refusal(wait, new RegExp(`${name}\\(\\) may wait, and this thread holds a spin lock`)), "ContextError ERR_ATOMIC_CONTEXT", name);
    assert.equal(
      refusal(() => domain.beforeUpdate("set()"), /set\(\) may wait/),
      "ContextError ERR_ATOMIC_CONTEXT",
    );
    for (let i = 0; i < 3; i++) domain.retire(heap.kmalloc(64));
    assert.equal(domain.stats().backPressure, 0, "it is not made to wait either");
    assert.throws(() => domain.allocate(64, () => 0 as Address), { code: "ERR_OUT_OF_MEMORY" });
    assert.equal(domain.stats().waiting, 3, "nor does an allocation wait for it");
    domain.call(() => {});
    domain.read(() => {});
  });
  domain.synchronizeSync();
  domain.flushSync(LIMIT);
  heap.kfree(word);
});

onEach("sections that give a promise are refused, and have ended", ({ attach }) => {
  const domain = attach();
  // @ts-expect-error the type refuses it too
  assert.throws(() => domain.read(async () => 1), { code: "ERR_ASYNC_SECTION" });
  assert.equal(domain.readLockHeld, false);
});

onEach("after detach() everything is refused as closed", ({ attach }) => {
  const domain = attach();
  const cookie = domain.getState();
  domain.detach();
  for (const use of [
    ...Object.values(blocks(domain)),
    () => domain.synchronize(),
    () => domain.barrier(),
    () => domain.getState(),
    () => domain.startPoll(),
    () => domain.pollState(cookie),
    () => domain.call(() => {}),
    () => domain.callHead(8 as Address, () => {}),
    () => domain.retire(8 as Address),
    () => domain.detach(),
  ])
    assert.equal(refusal(use, /was closed in this thread/), "ClosedError ERR_CLOSED", use.toString());
});

onEach("a turn that ends in a section is warned of, where sections end with their turn", async ({ attach, flavor }) => {
  const warnings: Error[] = [];
  const listener = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listener);
  try {
    const domain = attach();
    const index = domain.readLock();
    await settle(10);
    end(domain, index);
    domain.synchronizeSync(); // holds nobody up any more
    await settle(10);
  } finally {
    process.off("warning", listener);
  }
  assert.deepEqual(
    warnings.map(({ name, message }) => `${name}: ${message.slice(0, 48)}`),
    flavor === "phase" ? [] : ["QuiesceWarning: quiesce: a turn ended inside a read-side section"],
  );
});

onEach("a slot says why its thread must not wait, in whatever domain the section is", ({ attach }) => {
  const domain = attach();
  const { slot } = domain.arena.heap;
  assert.equal(slot.mayNotBlock(), undefined);
  domain.read(() => assert.match(slot.mayNotBlock() ?? "", /read-side section/));
  const index = domain.readLock();
  assert.match(slot.mayNotBlock() ?? "", /read-side section/);
  end(domain, index);
  slot.spinLocks++;
  assert.match(slot.mayNotBlock() ?? "", /spin lock/);
  slot.spinLocks--;
  domain.arena.heap.withArenaLock(() => assert.match(slot.mayNotBlock() ?? "", /arena lock/));
  assert.equal(slot.mayNotBlock(), undefined);
});
