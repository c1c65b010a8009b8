/**
 * Arenas of several sizes are filled to the last byte in every way there is and emptied in several orders: nothing is lost, and the arena is as at its start.
 *
 * QUIESCE_FILL_BYTES=4294967296 fills one of that size too (minutes, and so much memory).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random, seedOf } from "../../check/support/seed.js";
import { type Address, MAX_ORDER, NULL, type Order, PAGE_BYTES, PAGE_SHIFT } from "../../src/memory/address.js";
import { Arena, createArena } from "../../src/memory/arena.js";
import { KMALLOC_BYTES, MAX_KMALLOC_BYTES } from "../../src/memory/heap.js";
import { leastBytes } from "../../src/memory/layout.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { type StartingState, sameState, startingState } from "../support/starting-state.js";

const MIB = 2 ** 20;

/** What is held: addresses in a typed array, since there may be many millions. */
class Held {
  #addresses = new Int32Array(1024);
  count = 0;

  push(address: Address): void {
    if (this.count === this.#addresses.length) {
      const more = new Int32Array(2 * this.count);
      more.set(this.#addresses);
      this.#addresses = more;
    }
    this.#addresses[this.count++] = address;
  }

  get addresses(): Int32Array {
    return this.#addresses.subarray(0, this.count);
  }
}

type Arrange = (addresses: Int32Array, random: Random) => Int32Array;

const ORDERS: readonly (readonly [name: string, arrange: Arrange])[] = [
  ["last in, first out", (addresses) => addresses.reverse()],
  ["first in, first out", (addresses) => addresses],
  [
    "any order",
    (addresses, random) => {
      for (let i = addresses.length - 1; i > 0; i--) {
        const j = random.below(i + 1);
        const other = addresses[i] as number;
        addresses[i] = addresses[j] as number;
        addresses[j] = other;
      }
      return addresses;
    },
  ],
];

/** A way to fill: takes all it can, one after the other. */
interface Way {
  readonly name: string;
  /** The most, in bytes, that may be left in free pages beside the reserve. */
  readonly left: number;
  fill(arena: Arena, held: Held, random: Random): void;
}

function takeAll(held: Held, take: () => Address): void {
  for (let address = take(); address !== NULL; address = take()) held.push(address);
}

const ways: readonly Way[] = [
  ...KMALLOC_BYTES.map(
    (bytes): Way => ({ name: `objects of ${bytes} bytes`, left: 64 * PAGE_BYTES, fill: ({ heap }, held) => takeAll(held, () => heap.kmalloc(bytes)) }),
  ),
  {
    name: "mixed sizes",
    left: 0,
    fill: ({ heap }, held, random) => {
      // Smaller and smaller, until not one of 8 bytes is left.
      for (let most = MAX_KMALLOC_BYTES; most >= 8; most = Math.floor(most / 2)) takeAll(held, () => heap.kmalloc(random.below(most + 1)));
      takeAll(held, () => heap.kmalloc(1));
    },
  },
  ...Array.from(
    { length: MAX_ORDER + 1 },
    (_, order): Way => ({
      name: `pages of order ${order}`,
      left: order === 0 ? 0 : Number.POSITIVE_INFINITY,
      fill: ({ heap }, held) => takeAll(held, () => heap.allocPages(order as Order)),
    }),
  ),
  {
    name: "pages in bulk",
    left: 0,
    fill: ({ heap }, held, random) => {
      for (let most = 5000; most >= 1; ) {
        const count = random.from(1, most);
        const free = heap.pages.free;
        const pages = heap.allocPagesBulk(count);
        assert.equal(heap.pages.free, free - (pages?.length ?? 0), "all or none");
        for (const page of pages ?? []) held.push(page);
        if (pages === undefined) most = count - 1;
        else assert.equal(pages.length, count);
      }
    },
  },
  ...[4, 12, 100, 1000, 8192].map(
    (bytes): Way => ({
      name: `a cache of ${bytes} bytes`,
      left: 64 * PAGE_BYTES,
      fill: ({ heap }, held) => {
        const cache = heap.cache(namedCache(heap, bytes));
        takeAll(held, () => cache.alloc());
      },
    }),
  ),
];

/** Caches stay, so each is made once an arena: before its starting state is looked at. */
const made = new WeakMap<SharedArrayBuffer, Map<number, number>>();
let buffer: SharedArrayBuffer;

function namedCache(heap: Arena["heap"], bytes: number): number {
  const caches = made.get(buffer) ?? new Map<number, number>();
  made.set(buffer, caches);
  const index = caches.get(bytes) ?? heap.createCache(`of ${bytes}`, bytes);
  caches.set(bytes, index);
  return index;
}

function alone<T>(look: (arena: Arena) => T): T {
  const arena = new Arena(new SharedMemory(buffer), 9);
  const result = look(arena);
  arena.detach();
  return result;
}

/** Each object gets its own mark in its first word and its last: none may lie over another, or over what the allocator keeps. */
function markAll({ memory, heap }: Arena, addresses: Int32Array): void {
  for (const address of addresses) {
    memory.write(address as Address, address);
    memory.write((address + heap.usableBytes(address as Address) / 4 - 1) as Address, address);
  }
}

function areWhole({ memory, heap }: Arena, addresses: Int32Array): void {
  for (const address of addresses) {
    const last = (address + heap.usableBytes(address as Address) / 4 - 1) as Address;
    if (memory.read(address as Address) !== address || memory.read(last) !== address) assert.fail(`what is at ${address} was written to`);
  }
}

function fillAndEmpty(way: Way, [order, arrange]: (typeof ORDERS)[number], start: StartingState, random: Random): void {
  const arena = new Arena(new SharedMemory(buffer), 1);
  const { heap } = arena;
  const held = new Held();
  way.fill(arena, held, random);
  const when = `${way.name}, ${order}`;
  const { addresses } = held;
  // Where there is no block of that order at all, there is nothing to take.
  assert.ok(addresses.length > 0 || way.left === Number.POSITIVE_INFINITY, `${when}: nothing was had`);
  assert.equal(new Set(addresses.subarray(0, 1_000_000)).size, Math.min(addresses.length, 1_000_000), `${when}: the same twice`);
  const left = (heap.pages.free - heap.reservePages) * PAGE_BYTES;
  assert.ok(left >= 0 && left <= way.left, `${when}: ${left} bytes left in free pages`);
  markAll(arena, addresses);
  areWhole(arena, addresses);
  assert.deepEqual(arena.check(), [], `${when}, full`);
  for (const address of arrange(addresses, random)) heap.kfree(address as Address);
  arena.detach();
  sameState(alone(startingState), start, when);
}

function sizeTest(
  bytes: number,
  shown: string,
  ordersOf: (way: number) => readonly (typeof ORDERS)[number][],
  chosen: (way: Way) => boolean = () => true,
): void {
  test(`an arena of ${shown} is filled in every way and emptied in several orders`, () => {
    const random = new Random(seedOf(`exhaustion of ${shown}`));
    buffer = createArena(bytes);
    alone(({ heap }) => {
      for (const size of [4, 12, 100, 1000, 8192]) namedCache(heap, size);
    });
    const start = alone(startingState);
    assert.equal(
      start.freePages,
      alone(({ heap }) => heap.pages.all),
    );
    for (const [i, way] of ways.filter(chosen).entries()) for (const order of ordersOf(i)) fillAndEmpty(way, order, start, random);
  });
}

const each = (): typeof ORDERS => ORDERS;
const one = (way: number): readonly (typeof ORDERS)[number][] => [ORDERS[way % ORDERS.length] as (typeof ORDERS)[number]];

sizeTest(leastBytes(), "the least size", each);
sizeTest(2 * MIB, "2 MiB", each);
sizeTest(8 * MIB, "8 MiB", one);
// Millions of small objects would take most of the time, and are no other than in 8 MiB.
sizeTest(64 * MIB, "64 MiB", one, ({ name }) => !/of (4|8|12|16|32) bytes/.test(name));

const more = Number(process.env.QUIESCE_FILL_BYTES ?? 0);
if (more > 0) sizeTest(more, `${more} bytes`, one, ({ name }) => !/of (4|8|12|16|32|64) bytes/.test(name));

test("two threads fill it between them, each frees what the other took", () => {
  const random = new Random(seedOf("exhaustion by two"));
  buffer = createArena(2 * MIB);
  const start = alone(startingState);
  for (let round = 0; round < 6; round++) {
    const arenas = [1, 2].map((thread) => new Arena(new SharedMemory(buffer), thread)) as [Arena, Arena];
    const held: [Held, Held] = [new Held(), new Held()];
    for (let refusals = 0; refusals < 200; ) {
      const thread = random.below(2) as 0 | 1;
      const { heap } = arenas[thread];
      const address = heap.kmalloc(random.below(random.pick([64, 600, 9000, 40_000])));
      if (address === NULL) refusals++;
      else held[thread].push(address);
      if (random.below(8) === 0 && held[thread].count > 0) {
        const [last] = held[thread].addresses.subarray(-1);
        held[thread].count--;
        arenas[1 - thread]?.heap.kfree(last as Address);
      }
    }
    assert.deepEqual(arenas[0].check(), []);
    for (const thread of [0, 1] as const) for (const address of held[thread].addresses) arenas[1 - thread]?.heap.kfree(address as Address);
    for (const arena of arenas) arena.detach();
    sameState(alone(startingState), start, `round ${round}`);
  }
});

test("the last byte: addresses reach to the very end of the arena", () => {
  for (const bytes of [leastBytes(), 2 * MIB, 8 * MIB + 5 * PAGE_BYTES]) {
    buffer = createArena(bytes);
    const arena = new Arena(new SharedMemory(buffer), 1);
    const pages = arena.heap.withReserve(() => arena.heap.allocPagesBulk(arena.heap.pages.free)) ?? [];
    assert.equal(pages.length, arena.heap.pages.all);
    assert.equal(Math.max(...pages) >>> PAGE_SHIFT, arena.layout.pages - 1);
    assert.equal(Math.min(...pages) >>> PAGE_SHIFT, arena.layout.firstPage);
    for (const page of pages) arena.memory.fill(page, PAGE_BYTES / 4, -1);
    for (const page of pages) arena.heap.freePages(page);
    assert.deepEqual(arena.check(), []);
    arena.detach();
  }
});
