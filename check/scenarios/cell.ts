/** The cell: commits that race, readers under them, a killed writer, an address that is used again, watchers. */

import assert from "node:assert/strict";
import { type Address, field } from "../../src/memory/address.js";
import { Cell, type Copy } from "../../src/structures/cell/cell.js";
import { Changes } from "../../src/structures/changes.js";
import { u32 } from "../../src/values/scalars.js";
import type { Scenario } from "../scenario.js";
import { afterDeath, mortal } from "./death.js";
import { type Actor, inArena, onEachFlavor, placeOf, user, whole } from "./support.js";

type Number = Cell<number>;

/** The cell's words: user(32) begins its header. */
export const CELL_POINTER: Address = user(32);
export const CELL_WATCHERS: Address = user(48);
export const CELL_CHANGES: Address = field(CELL_WATCHERS, 1);

const cellOf = (a: Actor): Number => new Cell<number>(placeOf(a), u32);

/** Each thread sets the cell to 100, and so has what its first allocation needs. */
function format(...actors: Actor[]): void {
  for (const a of actors) {
    cellOf(a).set(100);
    a.domain.reader.goOffline();
  }
}
/** Then. */
const FORMATTED = 2;

const sum = (base: number, mine: number, theirs: number): number => theirs + mine - base;

/** Copy, add, and commit; what others have added stays. */
function add(cell: Number, by: number): number {
  const copy = cell.copy() as Copy<number>;
  copy.value += by;
  return cell.commit(copy, { merge: sum }).version;
}

/** What a cell holds that threads have added to, after everybody left. */
function holds(a: Actor, value: number, version: number): void {
  const cell = cellOf(a);
  assert.deepEqual([cell.get(), cell.version], [value, version]);
  assert.deepEqual(cell.check(), []);
  whole(a);
}

/** Wait for a newer version, as `watch` does, blocking. */
function awaitNewer(a: Actor, cell: Number, version: number): number {
  const changes = new Changes(a.domain, CELL_WATCHERS, "cell");
  changes.enter();
  while (cell.version === version) {
    const ticket = changes.announceSleep();
    a.domain.reader.goOffline();
    if (cell.version === version) changes.sleep(ticket);
  }
  changes.leave();
  return cell.get() as number;
}

/** Bytes of a block, and another owner than the cell. */
const BLOCK = 8;
const TAG = 5;

const SEEN = user(20);
const DONE = user(21);

export const cell: readonly Scenario[] = [
  inArena({
    name: "two commits of a cell: one swaps, one merges",
    setup: format,
    threads: [(a) => add(cellOf(a), 1), (a) => add(cellOf(a), 10)],
    verify: (a, results) => {
      assert.deepEqual([...results].sort(), [FORMATTED + 1, FORMATTED + 2]);
      holds(a, 111, FORMATTED + 2);
    },
  }),
  inArena({
    name: "a cell is set while a commit merges",
    setup: format,
    threads: [
      (a) => {
        const cell = cellOf(a);
        let calls = 0;
        const merge = (base: number, mine: number, theirs: number): number => {
          if (calls++ === 0) {
            a.signal(SEEN);
            a.await(DONE);
          }
          return sum(base, mine, theirs);
        };
        return cell.commit({ base: 50, value: 51, version: FORMATTED - 1 }, { merge });
      },
      (a) => {
        a.await(SEEN);
        cellOf(a).set(2000);
        a.signal(DONE);
      },
    ],
    verify: (a, [committed]) => {
      assert.deepEqual(committed, { version: FORMATTED + 2, distance: 2 });
      holds(a, 2001, FORMATTED + 2);
    },
  }),
  ...onEachFlavor([
    {
      name: "get of a cell under a commit",
      setup: (...actors) => format(...actors),
      threads: [
        (a) => {
          const cell = cellOf(a);
          return a.turn(() => [cell.get(), cell.get(), cell.version]);
        },
        (a) => {
          const cell = cellOf(a);
          add(cell, 1);
          cell.set(102); // in whatever block is free now
        },
      ],
      verify: (a, [seen]) => {
        const [first, second, version] = seen as [number, number, number];
        assert.ok([100, 101, 102].includes(first) && second >= first && second <= 102, `saw ${first}, then ${second}`);
        assert.ok(version >= FORMATTED + second - 100 && version <= FORMATTED + 2, `version ${version} after ${second}`);
        holds(a, 102, FORMATTED + 2);
      },
    },
  ]),
  ...onEachFlavor([
    {
      name: "get of a cell whose address is used again",
      setup: (reader) => {
        cellOf(reader as Actor).set(1);
        (reader as Actor).domain.reader.goOffline();
      },
      threads: [
        (a) => {
          const cell = cellOf(a);
          const before = a.turn(() => cell.get());
          a.domain.reader.goOffline();
          a.signal(SEEN);
          a.await(DONE);
          return [before, a.turn(() => cell.get())];
        },
        (a) => {
          a.await(SEEN);
          const cell = cellOf(a);
          const old = a.memory.load(CELL_POINTER);
          a.turn(() => cell.set(2));
          a.domain.flushSync(1);
          // Until what was the first value's block comes, which then is the next to be taken.
          let taken = a.heap.kmalloc(BLOCK, TAG);
          for (let i = 0; i < 200 && taken !== old; i++) taken = a.heap.kmalloc(BLOCK, TAG);
          a.heap.kfree(taken);
          a.turn(() => cell.set(3));
          if (a.memory.load(CELL_POINTER) !== old) throw new Error("not the same address: the scenario does not show what it is for");
          a.signal(DONE);
        },
      ],
      verify: (_, [seen]) => assert.deepEqual(seen, [1, 3]),
    },
  ]),
  inArena({
    name: "a committer of a cell is killed",
    setup: format,
    threads: [(a) => mortal(a, (victim) => void add(cellOf(victim), 1)), afterDeath((a) => add(cellOf(a), 10))],
    verify: (a) => {
      const cell = cellOf(a);
      assert.ok(cell.get() === 110 || cell.get() === 111, `${cell.get()}`);
      assert.deepEqual(cell.check(), []);
      whole(a);
    },
  }),
  inArena({
    name: "a watcher of a cell sleeps while another sets it",
    setup: format,
    threads: [(a) => awaitNewer(a, cellOf(a), FORMATTED), (a) => cellOf(a).set(7)],
    verify: (_, [seen]) => assert.equal(seen, 7),
  }),
];
