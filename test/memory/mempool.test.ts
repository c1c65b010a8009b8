/** The mempool: allocator, reserve, wait; nothing lost by time-outs, aborts and deaths. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { LIMIT } from "../../check/support/watchdog.js";
import { type Address, NULL } from "../../src/memory/address.js";
import type { Arena } from "../../src/memory/arena.js";
import { DoubleFreeError, InvalidAddressError, InvalidSizeError, MempoolTimeoutError } from "../../src/memory/errors.js";
import { createMempool, Mempool } from "../../src/memory/mempool.js";
import { reapThread } from "../../src/memory/reap.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import { audit } from "../support/audit.js";
import { SURVIVOR, VICTIM, World } from "../support/world.js";

const BYTES = 4096;

/** Whose all that is which the pools' allocator has no more. */
const REST = -50;

/** Take all there is of the pools' elements: of their cache, which is that of kmalloc with a tag. */
function exhaust({ heap }: Arena, bytes = BYTES): Address[] {
  const taken: Address[] = [];
  for (let block = heap.kmalloc(bytes, REST); block !== NULL; block = heap.kmalloc(bytes, REST)) taken.push(block);
  return taken;
}

async function withArena(run: (arena: Arena, world: World) => Promise<void> | void): Promise<void> {
  const world = new World(4);
  const before = audit(world);
  const arena = world.arena(1);
  await run(arena, world);
  arena.detach();
  assert.deepEqual(audit(world), before);
}

const poolOf = (arena: Arena, min: number): Mempool => {
  const pool = createMempool(arena.heap, { min, bytes: BYTES });
  assert.ok(pool !== undefined);
  return pool;
};

test("the allocator first, then the reserve, then nothing; and back in the other order", () =>
  withArena((arena) => {
    const { heap } = arena;
    const pool = poolOf(arena, 3);
    const fromAllocator = pool.allocNow();
    assert.equal(pool.reserve, 3);
    const rest = exhaust(arena);
    const held = [1, 2, 3].map((left) => {
      const element = pool.allocNow({ tag: -left });
      assert.equal(pool.reserve, 3 - left);
      return element;
    });
    assert.equal(pool.allocNow(), NULL);
    assert.deepEqual(pool.ownedBy(-2), [held[1]]);
    assert.deepEqual(heap.ownedBy(-3), [held[2]]);
    assert.deepEqual(pool.ownedBy(pool.address + 1), [fromAllocator]);
    pool.free(fromAllocator);
    assert.equal(pool.reserve, 1, "the reserve is refilled first");
    for (const element of held) pool.free(element);
    assert.equal(pool.reserve, 3);
    const more = exhaust(arena);
    assert.equal(more.length, 1, "and what it has no room for goes to the allocator");
    assert.deepEqual(pool.check(), []);
    assert.deepEqual(
      heap.ownedBy(REST),
      [...rest, ...more].sort((a, b) => a - b),
    );
    for (const block of heap.ownedBy(REST)) heap.kfree(block);
    assert.ok(rest.length > 0);
    pool.destroy();
  }));

test("what is not to be given back is refused, and so is what cannot be made", () =>
  withArena((arena) => {
    const { heap } = arena;
    const pool = poolOf(arena, 2);
    const element = pool.allocNow();
    const other = new Mempool(heap, pool.address);
    const rest = exhaust(arena);
    const last = pool.allocNow();
    other.free(last);
    assert.throws(() => pool.free(last), DoubleFreeError, "it is in the reserve");
    assert.throws(() => pool.free((last + 1) as Address), InvalidAddressError);
    assert.throws(() => pool.allocNow({ tag: pool.address }), InvalidSizeError);
    assert.equal(createMempool(heap, { min: 2, bytes: BYTES }), undefined, "no memory");
    for (const block of rest) heap.kfree(block);
    pool.free(element);
    assert.throws(() => pool.free(element), DoubleFreeError);
    for (const min of [0, 1.5, -1]) assert.throws(() => createMempool(heap, { min, bytes: 8 }), InvalidSizeError);
    assert.throws(() => createMempool(heap, { min: 1, bytes: 8193 }), InvalidSizeError);
    assert.throws(() => new Mempool(heap, element), InvalidAddressError);
    pool.destroy();
    assert.throws(() => new Mempool(heap, pool.address), InvalidAddressError);
  }));

test("over a cache, and over functions", () =>
  withArena((arena) => {
    const { heap } = arena;
    const cache = heap.createCache("things", 40, { tracked: true });
    const things = createMempool(heap, { min: 4, cache }) as Mempool;
    const thing = things.allocNow({ tag: 77 });
    assert.deepEqual(things.ownedBy(77), [thing]);
    things.free(thing);
    things.destroy();
    assert.deepEqual(heap.liveObjects(cache), []);
    let left = 3;
    const numbers = { alloc: () => (left > 0 ? left-- : 0), free: () => void left++ };
    assert.equal(createMempool(heap, { min: 4, ...numbers }), undefined);
    assert.equal(left, 3, "all or none");
    const pool = createMempool(heap, { min: 2, ...numbers }) as Mempool;
    assert.throws(() => new Mempool(heap, pool.address), /give this thread's/);
    const same = new Mempool(heap, pool.address, numbers);
    const taken = [same.allocNow(), same.allocNow(), same.allocNow()];
    assert.deepEqual([...taken].sort(), [1, 2, 3]);
    assert.equal(same.allocNow(), 0);
    for (const element of taken.slice(0, 2)) pool.free(element);
    assert.throws(() => {
      pool.allocNow();
      pool.free(pool.allocNow());
      pool.free(taken[0] as Address);
      pool.free(taken[0] as Address);
    }, DoubleFreeError);
    while (pool.allocNow() !== 0);
    pool.destroy();
  }));

test("waits end by a free, by time, by abort; none takes anything", () =>
  withArena(async (arena) => {
    const pool = poolOf(arena, 1);
    const rest = exhaust(arena);
    const only = pool.allocNow();
    assert.throws(() => pool.allocSync({ timeout: 5 }), MempoolTimeoutError);
    await assert.rejects(pool.alloc({ timeout: 5 }), { code: "ERR_MEMPOOL_TIMEOUT" });
    await assert.rejects(pool.alloc({ signal: AbortSignal.abort(new Error("no more")) }), /no more/);
    const abort = new AbortController();
    const aborted = pool.alloc({ signal: abort.signal });
    const waiting = [pool.alloc({ tag: -1 }), pool.alloc({ tag: -2 })];
    setTimeout(() => abort.abort(new Error("enough")), 5);
    await assert.rejects(aborted, /enough/);
    assert.deepEqual(pool.check(), []);
    pool.free(only);
    const first = await Promise.race(waiting);
    pool.free(first);
    const both = await Promise.all(waiting);
    assert.deepEqual(both, [only, only], "one after the other");
    pool.free(only);
    assert.equal(pool.reserve, 1);
    assert.throws(() => pool.allocSync({ timeout: -1 }), InvalidSizeError);
    for (const block of rest) arena.heap.kfree(block);
    pool.destroy();
  }));

test("what the allocator has again is found, although nobody tells", () =>
  withArena(async (arena) => {
    const pool = poolOf(arena, 1);
    const rest = exhaust(arena);
    const only = pool.allocNow();
    const waiting = pool.alloc({ timeout: LIMIT });
    for (const block of rest) arena.heap.kfree(block);
    for (const element of [await waiting, only]) pool.free(element);
    pool.destroy();
  }));

test("where waiting is not allowed it is refused, and allocNow is not", () =>
  withArena(async (arena) => {
    const { heap, memory } = arena;
    const pool = poolOf(arena, 1);
    const block = heap.kmalloc(8);
    memory.store(block, 0);
    const lock = new SpinLock(memory, block, heap.slot);
    lock.lock();
    assert.throws(() => pool.allocSync(), { code: "ERR_ATOMIC_CONTEXT" });
    await assert.rejects(pool.alloc(), { code: "ERR_ATOMIC_CONTEXT" });
    pool.free(pool.allocNow());
    lock.unlock();
    heap.kfree(block);
    pool.destroy();
  }));

test("against a model: what is out was never out twice, the reserve is refilled first", () => {
  const commands = fc.array(fc.record({ take: fc.boolean(), which: fc.nat(), thread: fc.nat(1), scarce: fc.boolean() }), { maxLength: 80 });
  fc.assert(
    fc.property(commands, fc.integer({ min: 1, max: 5 }), (list, min) => {
      const world = new World(4);
      const before = audit(world);
      const arenas = [world.arena(1), world.arena(2)];
      let scarce = false;
      let allocated = 0;
      const numbers = { alloc: () => (scarce ? 0 : ++allocated), free: () => {} };
      const pool = createMempool((arenas[0] as Arena).heap, { min, ...numbers }) as Mempool;
      const pools = [pool, new Mempool((arenas[1] as Arena).heap, pool.address, numbers)];
      const out: Address[] = [];
      let reserve = min;
      for (const command of list) {
        const mine = pools[command.thread] as Mempool;
        if (command.take) {
          scarce = command.scarce;
          const element = mine.allocNow();
          assert.equal(element === NULL, scarce && reserve === 0);
          if (scarce && reserve > 0) reserve--;
          if (element !== NULL) assert.ok(!out.includes(element));
          if (element !== NULL) out.push(element);
        } else if (out.length > 0) {
          const [element] = out.splice(command.which % out.length, 1) as [Address];
          mine.free(element);
          reserve = Math.min(min, reserve + 1);
        }
        assert.equal(pool.reserve, reserve);
        assert.deepEqual(pool.check(), []);
      }
      pool.destroy();
      for (const arena of arenas) arena.detach();
      assert.deepEqual(audit(world), before);
    }),
    { seed: seedOf("mempool"), numRuns: 100 },
  );
});

test("death at every access of taking from the reserve and giving back: only what the dead held is missing, and is found", (t) => {
  const HELD = -9;
  const MIN = 3;
  const operations: Record<string, (pool: Mempool) => void> = {
    take: (pool) => void pool.allocNow({ tag: HELD }),
    "take and free": (pool) => pool.free(pool.allocNow({ tag: HELD })),
    "take, take, free, free": (pool) => {
      for (const element of [pool.allocNow({ tag: HELD }), pool.allocNow({ tag: HELD })]) pool.free(element);
    },
  };
  const world = new World(4);
  const before = audit(world);
  world.snapshot();
  let deaths = 0;
  for (const [name, run] of Object.entries(operations)) {
    for (let at = 1; ; at++) {
      world.restore();
      const survivor = world.arena(SURVIVOR);
      const pool = poolOf(survivor, MIN);
      const memory = world.dying();
      const victim = new Mempool(world.arena(VICTIM, memory).heap, pool.address);
      const rest = exhaust(survivor);
      memory.arm(at);
      const died = memory.run(() => run(victim));
      if (!died) memory.kill();
      else deaths++;
      reapThread(survivor.heap, VICTIM);
      const when = `${name}: ${memory.last}`;
      assert.deepEqual(pool.check(), [], when);
      for (const element of pool.ownedBy(HELD)) pool.free(element);
      assert.equal(pool.reserve, MIN, when);
      for (const block of rest) survivor.heap.kfree(block);
      pool.destroy();
      survivor.detach();
      assert.deepEqual(audit(world, when), before, when);
      if (!died) break;
    }
  }
  t.diagnostic(`${deaths} deaths`);
});
