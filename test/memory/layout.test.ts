/** The arena's header: what can be made, and what can be opened. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../src/memory/address.js";
import { Arena, attachedThreads, createArena, formatArena, nextThreadNumber } from "../../src/memory/arena.js";
import { ArenaFormatError, ArenaOptionsError, TooManyThreadsError } from "../../src/memory/errors.js";
import { arenaId, checkOptions, FORMAT_VERSION, Header, leastBytes, openLayout } from "../../src/memory/layout.js";
import { SharedMemory } from "../../src/memory/memory.js";

const bytes = leastBytes();

function refuses(memory: SharedMemory, code: string, says: RegExp): void {
  const before = Array.from({ length: Math.min(512, memory.words) }, (_, word) => memory.read(word as Address));
  assert.throws(
    () => new Arena(memory, 1),
    (error: unknown) => {
      assert.ok(error instanceof ArenaFormatError);
      assert.equal(error.name, "ArenaFormatError");
      assert.equal(error.code, code);
      assert.match(error.message, says);
      return true;
    },
  );
  // And nothing was written.
  assert.deepEqual(
    before,
    Array.from({ length: before.length }, (_, word) => memory.read(word as Address)),
  );
}

test("a new arena opens, is clean, and says what it is", () => {
  const memory = new SharedMemory(createArena(bytes));
  const arena = new Arena(memory, 7);
  assert.deepEqual(arena.check(), []);
  assert.equal(arena.layout.slots, 32);
  assert.equal(arena.layout.caches, 64);
  assert.equal(arena.layout.pages, bytes / 4096);
  assert.ok(arena.layout.pages - arena.layout.firstPage >= 64);
  assert.match(arenaId(memory), /^[0-9a-f]{16}$/);
  assert.notEqual(arenaId(memory), arenaId(new SharedMemory(createArena(bytes))));
});

test("buffers that are not ours are refused", () => {
  refuses(new SharedMemory(new SharedArrayBuffer(bytes)), "ERR_FOREIGN_BUFFER", new RegExp(`buffer of ${bytes} bytes was not made by quiesce`));
  for (const tiny of [0, 4, 100, 508]) refuses(new SharedMemory(new SharedArrayBuffer(tiny)), "ERR_FOREIGN_BUFFER", /was not made by quiesce/);
  const noise = new SharedArrayBuffer(bytes);
  crypto.getRandomValues(new Uint8Array(new ArrayBuffer(65536))).forEach((byte, i) => {
    new Uint8Array(noise)[i] = byte;
  });
  new Int32Array(noise)[0] = 1;
  refuses(new SharedMemory(noise), "ERR_FOREIGN_BUFFER", /no magic word/);
});

test("a truncated arena is refused", () => {
  const whole = new Uint8Array(createArena(bytes));
  for (const left of [bytes - 4096, bytes - 4, 4096, 512]) {
    const part = new SharedArrayBuffer(left);
    new Uint8Array(part).set(whole.subarray(0, left));
    refuses(new SharedMemory(part), "ERR_TRUNCATED_BUFFER", new RegExp(`the arena has ${bytes} bytes, the buffer only ${left}`));
  }
});

test("an arena of another format version is refused", () => {
  for (const version of [FORMAT_VERSION + 1, 0, -1]) {
    const memory = new SharedMemory(createArena(bytes));
    memory.write(Header.VERSION, version);
    refuses(memory, "ERR_FORMAT_VERSION", new RegExp(`has format ${version}, this version of quiesce reads format ${FORMAT_VERSION}`));
  }
});

test("a header that anything wrote over is refused: every bit of it counts", () => {
  for (const word of [
    Header.PAGES,
    Header.SLOTS,
    Header.CACHES,
    Header.ROOT_WORDS,
    Header.ID,
    Header.ID + 1,
    Header.DOMAINS,
    Header.DEBUG_WORDS,
    Header.CHECKSUM,
  ]) {
    for (let bit = 0; bit < 32; bit++) {
      const memory = new SharedMemory(createArena(bytes));
      memory.write(word as Address, memory.read(word as Address) ^ (1 << bit));
      refuses(memory, "ERR_CORRUPT_HEADER", /does not match its checksum/);
    }
  }
});

test("options that make no arena are refused, and say what is allowed", () => {
  const refusal = (of: () => unknown, says: RegExp): void => {
    assert.throws(of, (error: unknown) => error instanceof ArenaOptionsError && error.code === "ERR_ARENA_OPTIONS" && says.test(error.message), String(says));
  };
  for (const [given, shown] of [
    [bytes - 1, bytes - 1],
    [0, 0],
    [-1, -1],
    [1.5, 1.5],
    [Number.NaN, "NaN"],
    [2 ** 32 + 1, 2 ** 32 + 1],
    [undefined, "undefined"],
    ["1000000", "1000000"],
  ] as const) {
    refusal(() => createArena(given as number), new RegExp(`bytes must be a whole number from ${bytes} to 4294967296; got ${shown}\\.`));
  }
  for (const slots of [0, 4097, 1.5, Number.NaN, "3"])
    refusal(() => createArena(bytes, { slots: slots as number }), /slots must be a whole number from 1 to 4096; got /);
  for (const caches of [31, 1025, -1, Number.NaN]) refusal(() => createArena(bytes, { caches }), /caches must be a whole number from 32 to 1024; got /);
  refusal(() => createArena(bytes, { slots: 4096 }), /bytes must be a whole number from/);
  for (const domains of [0, 17, 1.5]) refusal(() => createArena(bytes, { domains }), /domains must be a whole number from 1 to 16; got /);
  checkOptions(2 ** 32);
  checkOptions(leastBytes({ slots: 4096, caches: 1024 }), { slots: 4096, caches: 1024 });
});

test("the least arena of any options has room for 64 pages, all of which can be had", () => {
  for (const options of [{}, { slots: 1, caches: 32 }, { slots: 100, caches: 200, rootWords: 5000 }]) {
    const memory = new SharedMemory(new SharedArrayBuffer(leastBytes(options)));
    formatArena(memory, options);
    const { heap } = new Arena(memory, 1);
    const pages = heap.withReserve(() => heap.allocPagesBulk(64));
    assert.equal(pages?.length, 64);
    for (const page of pages ?? []) memory.fill(page, 1024, -1);
    for (const page of pages ?? []) heap.freePages(page);
  }
});

test("a size that is no whole number of pages is rounded down", () => {
  const memory = new SharedMemory(createArena(bytes + 4095));
  assert.equal(openLayout(memory).pages, bytes / 4096);
  assert.deepEqual(new Arena(memory, 1).check(), []);
});

test("slots are given to as many threads as there are, and given again when they are free", () => {
  const memory = new SharedMemory(createArena(bytes, { slots: 3 }));
  const arenas = [1, 2, 3].map((thread) => new Arena(memory, thread));
  assert.equal(attachedThreads(memory, openLayout(memory)), 3);
  assert.throws(
    () => new Arena(memory, 4),
    (error: unknown) => error instanceof TooManyThreadsError && error.code === "ERR_TOO_MANY_THREADS" && /all 3 slots are taken/.test(error.message),
  );
  arenas[1]?.detach();
  assert.equal(attachedThreads(memory, openLayout(memory)), 2);
  assert.equal(new Arena(memory, 4).heap.slot.index, 1);
  assert.notEqual(nextThreadNumber(memory), nextThreadNumber(memory));
});
