/** What a review of shared.map found, each by what showed it: locks held, errors after a commit, versions that wrap, an arena full in the middle of a move, deaths. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openCell } from "../../check/support/open-cell.js";
import { type Address, field, NULL } from "../../src/memory/address.js";
import { OutOfMemoryError } from "../../src/memory/errors.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { NoteWord, SlotKind, SlotWord, slotAddress, slotState } from "../../src/memory/slot.js";
import type { Domain } from "../../src/rcu/domain.js";
import type { SharedMap } from "../../src/structures/map/map.js";
import type { MapSchema } from "../../src/structures/map/schema.js";
import { MapWord } from "../../src/structures/map/words.js";
import { u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import type { DyingMemory } from "../support/dying-memory.js";
import { refusal } from "../support/refusal.js";
import { inUse, isAsAtStart, openSharedMap, placeOf, sorted, tablesOf } from "../support/shared-maps.js";
import { flush, SURVIVOR, VICTIM, World } from "../support/world.js";

const patient = { retireLimit: Number.POSITIVE_INFINITY };
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const words = { key: u32, value: u32 } as const;
const texts = { key: u32, value: utf8 } as const;
/** A tag that is no structure's. */
const ANYBODY = 77;
/** The word of a robust mutex whose owner died (robust-mutex.ts). */
const DIED = 1 << 29;

/** Run `fn` while this thread holds so many locks. */
function holding(domain: Domain, count: number, fn: () => void): void {
  const { heap, memory } = domain.arena;
  const block = heap.kmalloc(count * 4);
  memory.fill(block, count, 0);
  const locks = range(0, count).map((i) => new RobustMutex(memory, field(block, i), heap.slot));
  for (const lock of locks) lock.lock();
  try {
    fn();
  } finally {
    for (const lock of locks) lock.unlock();
    heap.kfree(block);
  }
}

/** The note of what the domain's thread is publishing. */
const noteOf = (domain: Domain): Address => field(domain.arena.heap.slot.address, SlotWord.NOTE);

/** Run `fn` in a section. */
function inSection<R>(domain: Domain, fn: () => R): R {
  const nesting = domain.reader.begin();
  try {
    return fn();
  } finally {
    domain.reader.endTo(nesting);
  }
}

// Locks held ---------------------------------------------------------------------------------------------

test("set and delete of a value of variable size work while the thread holds as many locks as it may", () => {
  const world = new World(100);
  const first = world.domain(SURVIVOR, world.memory, patient);
  openSharedMap(first, texts);
  flush(first);
  first.detach();
  const start = inUse(world);
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const map = openSharedMap(domain, texts);
  for (const key of range(0, 3)) map.set(key, "before");
  holding(domain, 8, () => {
    for (const n of range(0, 5)) {
      map.set(0, `${n} with eight locks held`);
      assert.equal(map.getCopy(0), `${n} with eight locks held`);
    }
    assert.equal(map.delete(1), true);
  });
  assert.deepEqual(map.check(), []);
  map.set(3, "what comes after takes no block away");
  assert.deepEqual(sorted(map), [
    [0, "4 with eight locks held"],
    [2, "before"],
    [3, "what comes after takes no block away"],
  ]);
  assert.deepEqual(map.check(), []);
  map.clear();
  flush(domain);
  domain.detach();
  isAsAtStart(world, start, "after all");
});

test("clear works while the thread holds as many locks as it may besides the map's, and others see it", () => {
  const world = new World(100);
  const first = world.domain(SURVIVOR, world.memory, patient);
  openSharedMap(first, words);
  flush(first);
  first.detach();
  const start = inUse(world);
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const other = world.domain(VICTIM, world.memory, patient);
  const map = openSharedMap(domain, words);
  const others = openSharedMap(other, words);
  for (const key of range(0, 3)) map.set(key, key);
  assert.equal(others.get(1), 1, "it knows the table");
  holding(domain, 7, () => map.clear());
  for (const one of [map, others]) {
    assert.equal(one.size, 0);
    assert.equal(one.get(1), undefined);
  }
  others.set(1, 77);
  assert.equal(map.get(1), 77);
  assert.deepEqual(map.check(), []);
  map.clear();
  flush(other);
  other.detach();
  flush(domain);
  domain.detach();
  isAsAtStart(world, start, "after all");
});

// Errors after the commit ----------------------------------------------------------------------------------

/** What is published by a thread that an error hits after the commit. */
interface Published {
  readonly name: string;
  /** Gives how to change it for the n-th time. */
  open(domain: Domain): { change(n: number): void; holds(n: number): void; check(): string[] };
}

/** A map of which one entry is changed. */
const entryOf = <T>(name: string, schema: MapSchema<number, T>, valueFor: (n: number) => T): Published => ({
  name,
  open(domain) {
    const map = openSharedMap(domain, schema);
    for (const key of range(0, 40)) map.set(key, valueFor(0));
    return {
      change: (n) => map.set(3, valueFor(n)),
      holds: (n) => {
        assert.equal(map.getCopy(3), valueFor(n));
        assert.equal(map.size, 40);
      },
      check: () => map.check(),
    };
  },
});

const published: readonly Published[] = [
  entryOf("map of words", words, (n) => n),
  entryOf("map of texts", texts, (n) => `change ${n}`),
  {
    name: "cell",
    open(domain) {
      const cell = openCell(domain, u32);
      cell.set(0);
      return { change: (n) => cell.set(n), holds: (n) => assert.equal(cell.get(), n), check: () => cell.check() };
    },
  },
];

for (const { name, open } of published) {
  test(`an error at the end of retire: no later publication retires what is another's since (${name})`, () => {
    const world = new World(100);
    const domain = world.domain(SURVIVOR, world.memory, patient);
    const { heap, memory } = domain.arena;
    const one = open(domain);
    const note = noteOf(domain);
    let old: Address = NULL;
    const retire = domain.retire;
    domain.retire = (block) => {
      domain.retire = retire;
      domain.retire(block);
      if (memory.read(note) === 0) return;
      old = block;
      throw new RangeError("Maximum call stack size exceeded");
    };
    assert.throws(() => one.change(1), RangeError);
    one.holds(1);
    assert.notEqual(old, NULL);
    assert.equal(memory.read(note), 0, "the note is withdrawn");
    flush(domain);
    assert.equal(heap.isLive(old), false, "its grace period is over");
    const taken: Address[] = [];
    while (taken.at(-1) !== old) {
      assert.ok(taken.length < 5000, "nobody gets the block again");
      taken.push(heap.kmalloc(heap.usableBytes(old), ANYBODY)); // with a tag, as structures do
    }
    for (const n of range(2, 5)) {
      one.change(n);
      one.holds(n);
      assert.equal(heap.isLive(old), true, "another has it");
      flush(domain);
      assert.equal(heap.isLive(old), true, "another has it still");
    }
    for (const block of taken) heap.kfree(block);
    domain.detach();
  });

  test(`an error between the commit and retire: the change took place, and is finished before anything is given back (${name})`, () => {
    const world = new World(100);
    const memory = world.dying();
    const domain = world.domain(SURVIVOR, memory, patient);
    const one = open(domain);
    flush(domain);
    afterCommit(memory, domain, () => {
      throw new RangeError("Maximum call stack size exceeded");
    });
    assert.throws(() => one.change(1), RangeError);
    assert.notEqual(world.memory.read(noteOf(domain)), 0, "it has left a note");
    one.holds(1);
    flush(domain);
    assert.equal(world.memory.read(noteOf(domain)), 0, "the note is finished");
    one.holds(1);
    assert.deepEqual(one.check(), []);
    one.change(2);
    one.holds(2);
    flush(domain);
    assert.deepEqual(one.check(), []);
    domain.detach();
  });
}

/** Run `fn` once, before the first access after the compareExchange that commits what the thread publishes next. */
function afterCommit(memory: DyingMemory, domain: Domain, fn: () => void): void {
  const note = noteOf(domain);
  const { memory: own } = domain.arena;
  let isCommitted = false;
  memory.hook = () => {
    const { hook, last } = memory;
    memory.hook = undefined;
    if (isCommitted) return fn();
    isCommitted = last === `compareExchange ${own.read(field(note, NoteWord.WORD))}`;
    memory.hook = hook;
  };
}

// Versions that wrap -----------------------------------------------------------------------------------------

test("versions go on past 2^32: what get gives follows, and so do compareAndSet and compareAndDelete", () => {
  const world = new World(100);
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const map = openSharedMap(domain, texts);
  map.set(1, "before");
  map.delete(1);
  const tables = tablesOf(domain, texts);
  // As after 2^32 - 3 deletions.
  inSection(domain, () => world.memory.store(tables.current.base, -3));
  const seen = new Set<number>();
  const isNew = (value: string): number => {
    assert.equal(map.get(1), value);
    assert.equal(map.getCopy(1), value);
    const version = map.getVersion(1);
    assert.ok(version !== 0 && !seen.has(version), `version ${version} of ${value} after ${[...seen].join(", ")}`);
    seen.add(version);
    return version;
  };
  for (const n of range(0, 6)) {
    map.set(1, `set ${n}`);
    const version = isNew(`set ${n}`);
    if (n % 3 === 0) assert.equal(map.delete(1), true);
    if (n % 3 === 1) assert.equal(map.compareAndDelete(1, version), true);
    if (n % 3 === 2) {
      assert.equal(map.compareAndSet(1, version, "compared"), true);
      isNew("compared");
      assert.equal(map.compareAndSet(1, version, "again"), false);
      assert.equal(map.delete(1), true);
    }
    assert.equal(map.get(1), undefined);
  }
  for (const n of range(0, 6)) {
    map.set(1, `over ${n}`);
    isNew(`over ${n}`);
  }
  // The table that comes in place of this one goes on from where it was.
  inSection(domain, () => world.memory.store(tables.current.base, -3));
  map.set(1, "last of all");
  map.clear();
  map.set(1, "after clear");
  assert.equal(map.get(1), "after clear");
  assert.deepEqual(map.check(), []);
  domain.detach();
});

// Full in the middle of a move ----------------------------------------------------------------------------------

/** Run `fn` in arenas that are full, at least one of them in the middle of a move. */
function whenFull(sizes: readonly number[], fn: (domain: Domain, map: SharedMap<number, number>, isAll: () => void, when: string) => void): void {
  let moving = 0;
  for (const pages of sizes) {
    const when = `${pages} pages`;
    const world = new World(pages);
    const domain = world.domain(SURVIVOR, world.memory, patient);
    const map = openSharedMap(domain, words);
    const tables = tablesOf(domain, words);
    const held = new Map<number, number>();
    const fill = (): void => {
      for (let key = 0; ; key++) {
        map.set(key, key);
        held.set(key, key);
      }
    };
    assert.throws(fill, OutOfMemoryError, when);
    if (inSection(domain, () => tables.nextOf(tables.current) !== undefined)) moving++;
    const isAll = (): void => {
      assert.equal(map.size, held.size, when);
      assert.deepEqual(sorted(map), [...held], when);
    };
    isAll();
    fn(domain, map, isAll, when);
    if (map.size > 0) continue;
    assert.equal(map.size, 0, when);
    assert.deepEqual([...map], [], when);
    flush(domain);
    map.set(1, 7);
    assert.equal(map.get(1), 7, when);
    isDone(() => assert.deepEqual(map.check(), [], when), when); // holding it may lack memory still
    domain.detach();
  }
  assert.ok(moving > 0, "no arena was full in the middle of a move");
}

/** Gives whether it was done; if not, for lack of memory. */
function isDone(fn: () => void, when: string): boolean {
  try {
    fn();
    return true;
  } catch (error) {
    assert.ok(error instanceof OutOfMemoryError, `${when}: ${String(error)}`);
    return false;
  }
}

test("an arena that is full in the middle of a move: snapshot works; clear does, or changes nothing and does when what it moved has come back", () => {
  whenFull([48, 51, 54, 57], (domain, map, isAll, when) => {
    const copy = map.snapshot();
    isAll();
    assert.deepEqual(sorted(copy), sorted(map), when);
    flush(domain);
    if (isDone(() => map.clear(), when)) return;
    isAll();
    flush(domain);
    map.clear();
  });
});

test("an arena that is full in the middle of a move: after a snapshot that was refused, keys can be deleted", () => {
  whenFull([44, 46, 54], (domain, map, isAll, when) => {
    const held = map.size;
    isDone(() => map.snapshot(), when);
    isAll();
    flush(domain);
    // Some may be refused (sizes are used up), but not all: each that is done makes room.
    for (let size = map.size; size > 0; size = map.size) {
      for (const key of map.keys()) {
        isDone(() => map.delete(key), when);
        flush(domain);
      }
      if (map.size < size) continue;
      // What is left is in buckets of sizes that are used up, on pages that smaller blocks share.
      assert.ok(size < held / 10, `${when}: ${size} of ${held} are left, and no key can be deleted any more`);
      return;
    }
  });
});

// Deaths ---------------------------------------------------------------------------------------------------------

test("mending while the count of a dead writer is not stored yet: the size is right after its reaping", () => {
  const world = new World(200);
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const map = openSharedMap(domain, words);
  for (const key of range(0, 3)) map.set(key, key);
  const memory = world.dying();
  const dying = world.domain(VICTIM, memory, patient);
  const victim = openSharedMap(dying, words);
  victim.set(50, 1);
  const { index } = dying.arena.heap.slot;
  afterCommit(memory, dying, () => memory.arm(1));
  assert.ok(memory.run(() => victim.set(60, 1)));
  assert.equal(map.get(60), 1, "its set took place");
  assert.equal(map.size, 4, "and is not counted");
  // Its reaper has seen that it died, and is held up before it has the arena lock.
  world.memory.compareExchange(slotAddress(domain.arena.layout, index), slotState(SlotKind.LIVE, VICTIM), slotState(SlotKind.DEAD, VICTIM));
  // Another thread died with the map's lock.
  const lock = field(placeOf(domain, words, "map").header, MapWord.LOCK);
  world.memory.store(lock, DIED);
  map.check(); // mends first; complaints are another test's
  assert.equal(world.memory.load(lock), 0, "it was mended");
  domain.reap(VICTIM, 0);
  flush(domain);
  assert.equal(map.size, 5);
  assert.deepEqual(
    sorted(map),
    [0, 1, 2]
      .map((key): [number, number] => [key, key])
      .concat([
        [50, 1],
        [60, 1],
      ]),
  );
  assert.deepEqual(map.check(), []);
  domain.detach();
});

test("what cannot be mended now, since the thread may not wait, makes no set throw, and is mended later", () => {
  const world = new World(300);
  /** A browser's main thread. */
  class Main extends SharedMemory {
    override readonly canBlock = false;
  }
  const domain = world.domain(SURVIVOR, new Main(world.buffer), patient);
  const other = world.domain(VICTIM, world.memory, patient);
  const map = openSharedMap(domain, words);
  for (const key of range(0, 100)) map.set(key, key);
  const tables = tablesOf(domain, words);
  const isMoving = (): boolean => inSection(domain, () => tables.nextOf(tables.current) !== undefined);
  while (isMoving()) map.set(0, 0);
  inSection(domain, () => tables.resize(tables.current.bits + 1));
  assert.ok(isMoving());
  const nesting = other.reader.begin(); // so that mending has to wait
  const lock = field(placeOf(domain, words, "map").header, MapWord.LOCK);
  world.memory.store(lock, DIED);
  for (const key of range(100, 140)) {
    map.set(key, key);
    assert.equal(map.get(key), key);
  }
  assert.equal(world.memory.load(lock), DIED, "it could not be mended");
  other.reader.endTo(nesting);
  other.offline(() => {
    for (let n = 0; n < 100 && world.memory.load(lock) !== 0; n++) map.set(0, 0);
  });
  assert.equal(world.memory.load(lock), 0, "it is mended");
  assert.deepEqual(
    sorted(map),
    range(0, 140).map((key) => [key, key]),
  );
  assert.deepEqual(map.check(), []);
  domain.detach();
  other.detach();
});

// Options ---------------------------------------------------------------------------------------------------------

test("a ttl for an entry of a map whose entries do not expire is refused", () => {
  const world = new World(40);
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const map = openSharedMap(domain, words);
  map.set(1, 1);
  assert.equal(
    refusal(() => map.set(1, 2, { ttl: 500 }), /500 ms/),
    "QuiesceError ERR_SCHEMA",
  );
  assert.equal(
    refusal(() => map.set(2, 2, { ttl: 500 }), /500 ms/),
    "QuiesceError ERR_SCHEMA",
  );
  assert.deepEqual([...map], [[1, 1]]);
  domain.detach();
});
