/** The mempool: an element has one holder, who waits is woken, and of the dead only what they held is missing. */

import assert from "node:assert/strict";
import type { Address } from "../../src/memory/address.js";
import { createMempool, Mempool, PoolWord } from "../../src/memory/mempool.js";
import { PassingMemory } from "../passing-memory.js";
import type { Scenario } from "../scenario.js";
import { awaitEnd, end, kill, mortal, reap } from "./death.js";
import { Actor, inArena, user, whole } from "./support.js";

/** Where the pool's address is. */
export const POOL: Address = user(60);
const COUNT = user(61);
const HELD = -9;

/** Its allocator never has any after the reserve is full, so that the reserve is all there is. */
const NUMBERS = { alloc: () => 0, free: () => {} };

function makeNumbers(a: Actor, min: number): void {
  let next = 0;
  const pool = createMempool(a.heap, { min, alloc: () => ++next, free: () => {} }) as Mempool;
  a.memory.store(POOL, pool.address);
}

const numbersOf = (a: Actor): Mempool => new Mempool(a.heap, a.memory.load(POOL) as Address, NUMBERS);

/** Wait for the element, add one to what it guards, and give it back. */
function hold(a: Actor): void {
  const pool = numbersOf(a);
  const element = pool.allocSync();
  a.memory.write(COUNT, a.memory.read(COUNT) + 1);
  pool.free(element);
}

const BYTES = 8192;

/** A pool over kmalloc with a tag, which has no such object any more. */
function makeObjects(a: Actor, min: number): void {
  const pool = createMempool(a.heap, { min, bytes: BYTES }) as Mempool;
  a.memory.store(POOL, pool.address);
  for (const tag of [HELD - 1, 0]) while (a.heap.kmalloc(BYTES, tag) !== 0); // its own cache is one of those with tags
}

const objectsOf = (a: Actor): Mempool => new Mempool(a.heap, a.memory.load(POOL) as Address);

/** A thread that is killed before it wakes those who sleep on the pool's event. */
class EndsBeforeNotify extends PassingMemory {
  #dead = false;

  live(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!this.#dead) throw error;
    }
    this.#dead = true;
  }

  protected override passes(): boolean {
    return !this.#dead;
  }

  override notify(address: Address): number {
    if (this.#dead || address !== this.inner.load(POOL) + PoolWord.EVENT) return super.notify(address);
    this.#dead = true;
    throw new Error("killed");
  }
}

function adoptFromTheDead(a: Actor): void {
  kill(a, 0);
  reap(a, 0);
  const pool = objectsOf(a);
  assert.deepEqual(pool.check(), []);
  for (const element of pool.ownedBy(HELD)) pool.free(element);
}

export const mempool: readonly Scenario[] = [
  inArena({
    name: "two wait for a mempool's only element",
    setup: (a) => makeNumbers(a, 1),
    threads: [hold, hold],
    verify: (a) => {
      assert.equal(a.memory.read(COUNT), 2);
      assert.deepEqual([numbersOf(a).reserve, ...numbersOf(a).check()], [1]);
      whole(a);
    },
  }),
  inArena({
    name: "killed in taking an element from a mempool's reserve and giving it back",
    setup: (a) => makeObjects(a, 1),
    threads: [
      (a) =>
        mortal(a, (victim) => {
          const pool = objectsOf(victim);
          pool.free(pool.allocNow({ tag: HELD }));
        }),
      adoptFromTheDead,
    ],
    verify: (a) => {
      const pool = objectsOf(a);
      assert.deepEqual([pool.reserve, ...pool.check()], [1]);
      whole(a);
    },
  }),
  inArena({
    name: "one dies as it wakes who waits for a mempool's element",
    setup: (a) => {
      makeNumbers(a, 1);
      a.memory.store(COUNT, numbersOf(a).allocNow());
    },
    threads: [
      (a) => {
        const memory = new EndsBeforeNotify(a.memory);
        memory.live(() => numbersOf(new Actor(a.index, memory, a.tools)).free(a.memory.load(COUNT) as Address));
        end(a);
      },
      (a) => {
        awaitEnd(a, 0);
        reap(a, 0);
      },
      (a) => numbersOf(a).allocSync(),
    ],
    verify: (a, [, , element]) => {
      assert.equal(element, a.memory.load(COUNT));
      whole(a);
    },
  }),
];
