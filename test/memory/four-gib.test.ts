/**
 * Arenas of up to 4 GiB: made at once without touching them, and right up to their last byte. Word addresses go up to 2^30 - 1, byte addresses
 * beyond 2^31, where shifts and masks have their signs.
 *
 * Where the platform gives no buffer of that size, the tests say so and are skipped.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Random, seedOf } from "../../check/support/seed.js";
import { Shared } from "../../src/index.js";
import { type Address, field, MAX_ORDER, NULL, type Order, PAGE_BYTES, PAGE_SHIFT, PAGE_WORDS } from "../../src/memory/address.js";
import { Arena, createArena } from "../../src/memory/arena.js";
import { ArenaOptionsError, DoubleFreeError, InvalidAddressError } from "../../src/memory/errors.js";
import { KMALLOC_BYTES, MAX_KMALLOC_BYTES } from "../../src/memory/heap.js";
import { SharedMemory } from "../../src/memory/memory.js";
import type { CodecBase } from "../../src/values/codec.js";
import { i32, u16, u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { sameState, startingState } from "../support/starting-state.js";

const MOST = 2 ** 32;
const SIZES = [MOST, MOST - PAGE_BYTES, MOST - 5 * PAGE_BYTES + 17, 2 ** 31 + PAGE_BYTES];

/** What `make` gives, or a reason to skip: the platform refuses the size. Our own refusals are failures. */
function ifItCan<T>(context: TestContext, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    context.skip(`this platform gives no shared memory of that size: ${error.message}`);
    return undefined;
  }
}

/** Take all blocks but those of the last 8 MiB, so that what is taken next lies there. */
function leaveTheTop({ heap, layout }: Arena): Address[] {
  const taken: Address[] = [];
  for (let order: number = MAX_ORDER; order >= 0; order--) {
    for (let count = heap.pages.freeBlocks()[order] as number; count > 0; count--) taken.push(heap.withReserve(() => heap.allocPages(order as Order)));
  }
  heap.trim();
  assert.equal(heap.pages.free, 0);
  assert.ok(!taken.includes(NULL));
  const isTop = (block: Address): boolean => block >>> PAGE_SHIFT >= layout.pages - (2 << MAX_ORDER);
  for (const block of taken.filter(isTop)) heap.freePages(block);
  heap.trim();
  assert.ok(heap.pages.free >= 1 << MAX_ORDER);
  return taken.filter((block) => !isTop(block));
}

const isRefusal = (error: unknown): boolean => error instanceof DoubleFreeError || error instanceof InvalidAddressError;

for (const bytes of SIZES) {
  test(`an arena of ${bytes} bytes: made without touching it, used to its last byte, and as at its start after`, (context) => {
    const before = process.memoryUsage().rss;
    const started = performance.now();
    const buffer = ifItCan(context, () => createArena(bytes));
    if (buffer === undefined) return;
    const grown = process.memoryUsage().rss - before;
    context.diagnostic(`made in ${(performance.now() - started).toFixed(1)} ms, ${(grown / 2 ** 20).toFixed(1)} MiB resident`);
    assert.ok(grown < bytes * 0.05, `${grown} bytes resident after making an arena of ${bytes}`);

    const memory = new SharedMemory(buffer);
    const arena = new Arena(memory, 1);
    const { heap } = arena;
    const start = startingState(arena);
    const pages = Math.floor(bytes / PAGE_BYTES);
    assert.equal(arena.layout.pages, pages);
    assert.equal(heap.bytes().total, pages * PAGE_BYTES);

    const taken = leaveTheTop(arena);
    const single = heap.withReserve(() => heap.allocPagesBulk(heap.pages.free)) ?? [];
    const last = Math.max(...single) as Address;
    assert.equal(last >>> PAGE_SHIFT, pages - 1, "the last page of all");
    assert.equal(memory.words >= last + PAGE_WORDS, true);
    everyAccess(memory, last);
    everyCodec(memory, last);
    for (const page of single) heap.freePages(page);
    for (const address of [last, field(last, PAGE_WORDS)]) assert.throws(() => heap.freePages(address), isRefusal, "freed, and behind the end");

    // Every size class, blocks and single pages, all in the last blocks.
    const seen: Address[] = [];
    for (const size of [...KMALLOC_BYTES, 3 * PAGE_BYTES]) {
      const object = heap.kmalloc(size, -3);
      assert.ok(object * 4 >= bytes - PAGE_BYTES - 2 * MAX_KMALLOC_BYTES, `${size} bytes at word ${object}`);
      assert.ok(heap.usableBytes(object) >= size);
      memory.fill(object, size >>> 2, -1);
      assert.throws(() => heap.kfree(field(object, 1)), InvalidAddressError);
      seen.push(object);
    }
    assert.deepEqual(
      heap.ownedBy(-3),
      [...seen].sort((a, b) => a - b),
    );
    assert.deepEqual(arena.check(), []);

    for (const object of seen) heap.kfree(object);
    for (const object of seen) assert.throws(() => heap.kfree(object), isRefusal);
    for (const block of taken) heap.freePages(block);
    arena.detach();
    const now = new Arena(memory, 2);
    sameState(startingState(now), start, `${bytes} bytes`);
    now.detach();
  });
}

/** Each operation of the seam on the last words and bytes of a page. */
function everyAccess(memory: SharedMemory, page: Address): void {
  const word = field(page, PAGE_WORDS - 1);
  memory.store(word, -5);
  assert.equal(memory.load(word), -5);
  assert.equal(memory.read(word), -5);
  assert.equal(memory.exchange(word, 7), -5);
  assert.equal(memory.compareExchange(word, 7, 2 ** 31 - 1), 7);
  assert.equal(memory.add(word, 1), 2 ** 31 - 1);
  assert.equal(memory.load(word), -(2 ** 31));
  assert.equal(memory.or(word, 3), -(2 ** 31));
  assert.equal(memory.and(word, 1), -(2 ** 31) + 3);
  assert.equal(memory.wait(word, 0, 0), "not-equal");
  assert.equal(memory.notify(word), 0);
  memory.fill(page, PAGE_WORDS, 0x01020304);
  memory.copy(page, field(page, PAGE_WORDS / 2), PAGE_WORDS / 2);
  assert.equal(memory.read(word), 0x01020304);
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i + 1);
  memory.writeBytes(field(page, PAGE_WORDS - 16), bytes);
  const back = new Uint8Array(64);
  memory.readBytes(field(page, PAGE_WORDS - 16), back);
  assert.deepEqual(back, bytes);
}

function everyCodec(memory: SharedMemory, page: Address): void {
  const reads = <T>(codec: CodecBase<T>, value: T): void => {
    const prepared = codec.prepare(value);
    const address = field(page, PAGE_WORDS - Math.ceil(codec.bytes(prepared) / 4));
    codec.write(memory, address, prepared);
    assert.deepEqual(codec.read(memory, address), value);
    assert.ok(codec.equals(memory, address, prepared));
  };
  reads(u16, 65535);
  reads(u32, 2 ** 32 - 1);
  reads(i32, -(2 ** 31));
  reads(utf8, "at the very end ✓".repeat(40));
  reads(struct({ a: u16, b: u32 }), { a: 1, b: 2 ** 32 - 1 });
}

test("one byte more than 4 GiB is refused by name", () => {
  assert.throws(() => createArena(MOST + 1), ArenaOptionsError);
  assert.throws(() => Shared.create({ bytes: MOST + PAGE_BYTES }), ArenaOptionsError);
});

test("Shared.create of 4 GiB: a map whose nodes and values lie at the far end", (context) => {
  const random = new Random(seedOf("4 GiB"));
  const shared = ifItCan(context, () => Shared.create({ bytes: MOST }));
  if (shared === undefined) return;
  try {
    const { arena } = shared.domain;
    const { used } = shared.stats().bytes;
    const taken = leaveTheTop(arena);
    const inNode = shared.intervalMap("numbers", { bounds: "u32", value: u32 });
    const inBlocks = shared.intervalMap("texts", { bounds: "u128", value: utf8 });
    const model = new Map<number, number>();
    for (let i = 0; i < 2000; i++) {
      const n = random.below(4000);
      if (random.below(4) === 0) {
        inNode.delete(4 * n, 4 * n + 1);
        inBlocks.delete(BigInt(n) << 90n, BigInt(n) << 90n);
        model.delete(n);
      } else {
        inNode.set(4 * n, 4 * n + 1, 2 ** 32 - 1 - i);
        inBlocks.set(BigInt(n) << 90n, BigInt(n) << 90n, `${i} `.repeat(i % 50));
        model.set(n, i);
      }
    }
    assert.equal(inNode.size, model.size);
    for (const [n, i] of model) {
      assert.equal(inNode.get(4 * n), 2 ** 32 - 1 - i);
      assert.equal(inBlocks.get(BigInt(n) << 90n), `${i} `.repeat(i % 50));
    }
    inNode.compact();
    inNode.load([...inNode.entries()]);
    const objects = [...arena.heap.cacheIndexes()].flatMap((index) => arena.heap.liveObjects(index));
    assert.ok(Math.min(...objects) * 4 >= MOST - 2 * MAX_KMALLOC_BYTES, "they do lie there");
    assert.deepEqual(shared.check(), []);
    const stats = shared.stats();
    assert.equal(stats.bytes.total, MOST);
    assert.ok(stats.bytes.used > MOST - 2 * MAX_KMALLOC_BYTES);
    inNode.clear();
    inBlocks.clear();
    for (const block of taken) arena.heap.freePages(block);
    assert.ok(shared.stats().bytes.used < used + 2 ** 20);
    assert.deepEqual(shared.check(), []);
  } finally {
    shared.close();
  }
});

test("memory is committed as it is touched, not as it is taken", (context) => {
  const buffer = ifItCan(context, () => createArena(MOST));
  if (buffer === undefined) return;
  const memory = new SharedMemory(buffer);
  const { heap } = new Arena(memory, 1);
  const resident = (): number => process.memoryUsage().rss / 2 ** 20;
  const start = resident();
  const blocks = Array.from({ length: 256 }, () => heap.allocPages(MAX_ORDER));
  assert.ok(!blocks.includes(NULL));
  const taken = resident();
  for (const block of blocks.slice(0, 32)) memory.fill(block, PAGE_WORDS << MAX_ORDER, 1);
  const touched = resident();
  context.diagnostic(`1024 MiB taken: ${(taken - start).toFixed(1)} MiB more resident; 128 MiB of it written: ${(touched - taken).toFixed(1)}`);
  assert.ok(taken - start < 64, `${taken - start} MiB by taking`);
  assert.ok(touched - taken > 64 && touched - taken < 256, `${touched - taken} MiB by writing 128`);
  for (const block of blocks) heap.freePages(block);
  assert.equal(heap.pages.free, heap.pages.all);
});
