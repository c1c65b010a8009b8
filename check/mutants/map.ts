/** shared.map: buckets that are copied, tables that are moved, publications without a lock. */

import { type Address, field, NULL } from "../../src/memory/address.js";
import { Heap } from "../../src/memory/heap.js";
import type { Memory } from "../../src/memory/memory.js";
import { Publication } from "../../src/memory/publication.js";
import { NoteWord, SlotWord } from "../../src/memory/slot.js";
import { Domain } from "../../src/rcu/domain.js";
import { Buckets } from "../../src/structures/map/bucket.js";
import { Decoded } from "../../src/structures/map/decoded.js";
import { Entries } from "../../src/structures/map/entries.js";
import { Tables } from "../../src/structures/map/tables.js";
import { blockOf, EMPTY, Mark, marked, markOf, TableWord, UNMADE } from "../../src/structures/map/words.js";
import { PassingMemory } from "../passing-memory.js";
import { MAP, MAP_TAG, TABLE_TAG } from "../scenarios/shared-map.js";
import { all, during, idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { freedAtOnce, slotWord, unrepaired, without } from "./words.js";

const NEW_KEY = "map: a new key under a reader";
const REPLACED = "map: a replaced value under a reader";
const SPLIT = "map: a writer against the split of its bucket";
const GROWTH = "map: the growth of a bucket under a reader";
const TWO_WRITERS = "map: two writers of one bucket";
const UNLINKED = "map: killed in set, while another unlinks its block";

/** Whether a compareExchange puts a block into a bucket. */
const isBlock = (from: number, to: number): boolean => from >= UNMADE && to > EMPTY && markOf(to) === Mark.NONE && to !== from;

/** Blocks are published before their number of entries is written. */
class Early extends PassingMemory {
  override compareExchange(address: Address, from: number, to: number): number {
    // The lock's words are small numbers.
    if (!isBlock(from, to) || to < MAP) return super.compareExchange(address, from, to);
    const count = this.inner.read(to as Address);
    this.inner.write(to as Address, 0);
    const old = super.compareExchange(address, from, to);
    this.inner.write(to as Address, count);
    return old;
  }
}

/** A bucket's copies come into the next table after it was marked MOVED. */
class LateCopy extends PassingMemory {
  readonly #late: [Address, number][] = [];
  override compareExchange(address: Address, from: number, to: number): number {
    if (from === UNMADE && isBlock(from, to) && to > MAP) {
      this.#late.push([address, to]);
      return from;
    }
    const old = super.compareExchange(address, from, to);
    if (markOf(from) === Mark.MOVING) for (const [where, block] of this.#late.splice(0)) super.compareExchange(where, UNMADE, block);
    return old;
  }
}

/** A bucket is copied and marked MOVED, though it never was MOVING. */
class NeverMoving extends PassingMemory {
  readonly #pretended = new Set<Address>();
  override load(address: Address): number {
    const word = super.load(address);
    return this.#pretended.has(address) && markOf(word) === Mark.NONE ? marked(Mark.MOVING, word) : word;
  }
  override compareExchange(address: Address, from: number, to: number): number {
    if (markOf(to) === Mark.MOVING && blockOf(to) === from) {
      this.#pretended.add(address);
      return from;
    }
    if (!this.#pretended.has(address)) return super.compareExchange(address, from, to);
    super.store(address, to);
    return from;
  }
}

/** A mark is taken for another. */
const mistakes = (mark: number, other: number): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override load(address: Address): number {
      const word = super.load(address);
      // Blocks lie low in a scenario's arena: what is higher is a tag or a sequence.
      return markOf(word) === mark && blockOf(word) < this.words ? marked(other, blockOf(word)) : word;
    }
  };

/** Of two buckets that become one, the one that is marked MOVED first comes second. */
class MovedInTurn extends PassingMemory {
  readonly #late: [Address, number, number][] = [];
  #delayed = false;
  override compareExchange(address: Address, from: number, to: number): number {
    if (markOf(from) === Mark.MOVING && markOf(to) === Mark.MOVED && !this.#delayed) {
      this.#delayed = true;
      this.#late.push([address, from, to]);
      return from;
    }
    const old = super.compareExchange(address, from, to);
    if (markOf(from) === Mark.MOVING) for (const change of this.#late.splice(0)) super.compareExchange(...change);
    return old;
  }
}

/** A thread's count is stored before the block is there. */
class CountsFirst extends PassingMemory {
  override write(address: Address, value: number): void {
    super.write(address, value);
    for (const slot of [0, 1]) {
      if (address !== slotWord(slot, SlotWord.NOTE) || value === 0) continue;
      const counter = this.inner.read(field(address, NoteWord.COUNTER)) as Address;
      if (counter !== NULL) this.inner.store(counter, this.inner.read(field(address, NoteWord.COUNT)));
    }
  }
}

/** The tag of what the first slot has not published. */
const OF_FIRST = -0x40000000;

/** Blocks of the first slot are not settled. */
class Unsettled extends PassingMemory {
  override compareExchange(address: Address, from: number, to: number): number {
    return to === MAP_TAG && from === OF_FIRST ? from : super.compareExchange(address, from, to);
  }
}

/** The table that was found at ROOT first is kept, whatever was freed since. */
class KeepsRoot extends PassingMemory {
  #root: number | undefined;
  override load(address: Address): number {
    if (address !== MAP) return super.load(address);
    this.#root ??= super.load(address);
    return this.#root;
  }
}

/** A table goes by its address alone. */
class NoGenerations extends PassingMemory {
  readonly #tables = new Set<number>();
  override load(address: Address): number {
    const word = super.load(address);
    if (address === MAP) this.#tables.add(word);
    return word;
  }
  override read(address: Address): number {
    return this.#tables.has(address - TableWord.GENERATION) ? 1 : super.read(address);
  }
}

/** The parts of a table are freed at once, where a method retires them. */
const freesTable = (method: "help" | "replaceHeld"): (() => () => void) => {
  let runs = false;
  return all(
    during(Tables.prototype, method, (running) => {
      runs = running;
    }),
    patch(
      Domain.prototype,
      "retire",
      (original) =>
        function (this: Domain, block: Address) {
          const { heap, memory } = this.arena;
          if (runs && memory.load(heap.linkOf(block)) === TABLE_TAG) heap.kfree(block);
          else original.call(this, block);
        },
    ),
  );
};

/** A snapshot takes its blocks by one look. */
const collecting = (look: (tables: Tables) => Address[]): (() => () => void) =>
  patch(
    Tables.prototype,
    "collectTwice",
    () =>
      function (this: Tables) {
        return look(this);
      },
  );

/** An update that asks for a version is one that asks for none. */
const unconditional = (matches: (expected: number) => boolean): (() => () => void) =>
  patch(
    Entries.prototype,
    "update",
    (original) =>
      function (this: Entries<unknown>, key: unknown, update: Parameters<Entries<unknown>["update"]>[1]) {
        const { expected } = update;
        return original.call(this, key, expected !== undefined && matches(expected) ? { ...update, expected: undefined } : update);
      },
  );

export const map: readonly Mutant[] = [
  {
    name: "a bucket's block is published before it is whole",
    number: "S1",
    breaks: "a block is whole before a bucket leads to it",
    killer: NEW_KEY,
    kinds: unsafe,
    memory: of([0], Early),
  },
  {
    name: "a bucket is marked MOVED before its copies are there",
    number: "S12",
    breaks: "a key that is present all the while is found at every instant",
    killer: GROWTH,
    kinds: unsafe,
    memory: of([0], LateCopy),
  },
  {
    name: "a bucket is copied while writers still change it",
    number: "S12",
    breaks: "what is set while a bucket is moved is not lost",
    killer: SPLIT,
    kinds: unsafe,
    memory: of([0], NeverMoving),
  },
  {
    name: "readers of a MOVING bucket go to the next table",
    number: "S12",
    breaks: "a key that is present all the while is found at every instant",
    killer: GROWTH,
    kinds: unsafe,
    memory: of([1], mistakes(Mark.MOVING, Mark.MOVED)),
  },
  {
    name: "writers to a MOVING bucket go to the next table",
    number: "S12",
    breaks: "a bucket of the next table is changed only after the one it came from is MOVED",
    killer: SPLIT,
    kinds: unsafe,
    memory: of([1], mistakes(Mark.MOVING, Mark.MOVED)),
    patch: patch(
      Buckets.prototype,
      "count",
      (original) =>
        function (this: Buckets<unknown>, block: Address) {
          return block === UNMADE ? 0 : original.call(this, block);
        },
    ),
  },
  {
    name: "readers take what is HELD for current, whatever has come since",
    number: "S4",
    breaks: "what was cleared is found by nobody",
    killer: "map: clear, over, and a look in the same turn",
    kinds: wrong,
    memory: of([1], mistakes(Mark.HELD, Mark.NONE)),
  },
  {
    name: "a bucket that was moved whole is marked after its empty partner",
    number: "S12",
    breaks: "a bucket of the next table is changed only after the one it came from is MOVED",
    killer: "map: a writer and one that joins a bucket and an empty one, under a reader",
    kinds: wrong,
    memory: of([0], MovedInTurn),
  },
  {
    name: "all of a bucket goes to one of the two that it becomes",
    number: "S12",
    breaks: "an entry is in the bucket of its hash",
    killer: GROWTH,
    kinds: wrong,
    patch: patch(
      Buckets.prototype,
      "hash",
      (original) =>
        function (this: Buckets<unknown>, block: Address, index: number) {
          return original.call(this, block, index) & ~(1 << 29);
        },
    ),
  },
  {
    name: "a replaced block is freed at once",
    number: "S10",
    breaks: "a block is freed when no reader can hold it",
    killer: REPLACED,
    kinds: unsafe,
    patch: freedAtOnce,
  },
  {
    name: "a table that all were moved from is freed at once",
    number: "S10",
    breaks: "a table is freed when no reader can hold it",
    killer: "map: the end of growth under a reader, and what is free then is written on",
    kinds: unsafe,
    patch: freesTable("help"),
  },
  {
    name: "a table that was cleared is freed at once",
    number: "S10",
    breaks: "a table is freed when no reader can hold it",
    killer: "map: clear under a reader, and what is free then is written on",
    kinds: unsafe,
    patch: freesTable("replaceHeld"),
  },
  {
    name: "a table is retired while ROOT leads to it",
    number: "S4",
    breaks: "what is retired can be reached by no new reader",
    killer: "map: a reader comes back when its table is gone",
    kinds: unsafe,
    memory: of(
      [0],
      without((address) => address === MAP),
    ),
  },
  {
    name: "a table is kept for longer than an epoch",
    number: "S10",
    breaks: "a thread looks at ROOT again when a grace period may have passed",
    killer: "map: a reader comes back when its table is gone",
    kinds: unsafe,
    memory: of([1], KeepsRoot),
  },
  {
    name: "a table goes by its address alone",
    number: "S15",
    breaks: "a table whose address another has now is not taken for it",
    killer: "map: a reader comes back when another table is where its own was",
    kinds: unsafe,
    memory: of([1], NoGenerations),
  },
  {
    name: "setIfAbsent looks, and then sets",
    number: "S11",
    breaks: "of two that put a key in, one does it",
    killer: "map: two setIfAbsent, one does it",
    kinds: wrong,
    patch: unconditional((expected) => expected === 0),
  },
  {
    name: "update looks, and then sets",
    number: "S6",
    breaks: "of two increments none is lost",
    killer: "map: two increments, none is lost",
    kinds: wrong,
    patch: unconditional((expected) => expected !== 0),
  },
  {
    name: "who lost the race retires the old block, too",
    number: "S8",
    breaks: "a block is retired by the one who unlinked it",
    killer: TWO_WRITERS,
    kinds: unsafe,
    patch: patch(
      Publication.prototype,
      "publish",
      (original) =>
        function (this: Publication, change: Parameters<Publication["publish"]>[0]) {
          original.call(this, change);
          return true;
        },
    ),
  },
  {
    name: "what was replaced is never retired",
    number: "S4",
    breaks: "every block is reachable, or waits for a grace period",
    killer: TWO_WRITERS,
    kinds: wrong,
    patch: idle(Domain.prototype, "retire"),
  },
  {
    name: "an entry is counted before it is there",
    number: "S12",
    breaks: "the size is the number of entries",
    killer: TWO_WRITERS,
    kinds: wrong,
    memory: of([0, 1], CountsFirst),
  },
  {
    name: "a block is unlinked that does not count as published",
    number: "C12",
    breaks: "of a writer who died it is known whether its update took place",
    killer: UNLINKED,
    kinds: unsafe,
    memory: of([1], Unsettled),
  },
  {
    name: "what a dead writer published is told by the word alone",
    number: "C12",
    breaks: "of a writer who died it is known whether its update took place",
    killer: UNLINKED,
    kinds: unsafe,
    patch: patch(Heap.prototype, "isUnpublished", () => () => true),
  },
  {
    name: "a writer leaves no note",
    number: "C12",
    breaks: "what a writer that died had published is its structure's, and what it replaced is retired",
    killer: "map: killed in set of an old key",
    kinds: unsafe,
    memory: of(
      [0],
      without((address, value) => address === slotWord(0, SlotWord.NOTE) && value !== 0),
    ),
  },
  {
    name: "nobody mends what one held who died",
    number: "C12",
    breaks: "a table whose maker died is given back",
    killer: "map: killed in clear",
    kinds: wrong,
    patch: unrepaired(() => true),
  },
  {
    name: "clear holds nobody up",
    number: "S12",
    breaks: "all of a map is cleared at one instant",
    killer: "map: clear against set",
    kinds: unsafe,
    patch: all(
      patch(
        Tables.prototype,
        "hold",
        () =>
          function (this: Tables) {
            return this.current;
          },
      ),
      idle(Tables.prototype, "release"),
    ),
  },
  {
    name: "a snapshot looks once",
    number: "S12",
    breaks: "a snapshot is of one instant",
    killer: "map: snapshot against a writer of two buckets",
    kinds: wrong,
    patch: collecting((tables) => [...tables.blocks(tables.current)]),
  },
  {
    name: "a snapshot of two tables looks once",
    number: "S12",
    breaks: "a snapshot is of one instant, while a table is moved, too",
    killer: "map: snapshot of two tables, against a writer of both",
    kinds: wrong,
    patch: collecting((tables) => {
      const { bits } = tables.nextOf(tables.current) ?? tables.current;
      const blocks = new Set(Array.from({ length: 1 << bits }, (_, bucket) => tables.find(bucket << (32 - bits))));
      blocks.delete(EMPTY as Address);
      return [...blocks];
    }),
  },
  {
    name: "a deleted entry's version is forgotten",
    number: "S13",
    breaks: "a version is that of one state of one entry, for ever",
    killer: "map: a version is of one state, over a split",
    kinds: wrong,
    patch: idle(Tables.prototype, "outdate"),
  },
  {
    name: "a decoded value goes by its key alone",
    number: "S13",
    breaks: "a decoded value is that of the entry as it is",
    killer: "map: what is decoded is that of the entry as it is",
    kinds: wrong,
    patch: all(
      patch(
        Decoded.prototype,
        "get",
        (original) =>
          function (this: Decoded<unknown>, hash: number) {
            return original.call(this, hash, 1);
          },
      ),
      patch(
        Decoded.prototype,
        "set",
        (original) =>
          function (this: Decoded<unknown>, hash: number, _version: number, value: unknown, bytes: number) {
            original.call(this, hash, 1, value, bytes);
          },
      ),
    ),
  },
  {
    name: "an iteration counts in buckets of the table at ROOT",
    number: "S15",
    breaks: "an iteration shows each key that is there all the while exactly once",
    killer: "map: iteration over growth",
    kinds: wrong,
    patch: patch(
      Tables.prototype,
      "findBucket",
      (original) =>
        function (this: Tables, hash: number) {
          const { shift } = this.current;
          return { ...original.call(this, hash), shift };
        },
    ),
  },
  {
    name: "the clock's hand forgives nothing",
    number: "-",
    breaks: "a full map holds no more than it may",
    killer: "map: eviction against get",
    kinds: wrong,
    patch: idle(Buckets.prototype, "clearUsed"),
  },
];
