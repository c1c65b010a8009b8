/** The cell: publishing, versions, merges, its cache, its watchers. */

import { type Address, field } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";
import { Domain } from "../../src/rcu/domain.js";
import { OnlineReader } from "../../src/rcu/flavors/online-reader.js";
import { Cell } from "../../src/structures/cell/cell.js";
import { Changes } from "../../src/structures/changes.js";
import { PassingMemory } from "../passing-memory.js";
import { CELL_CHANGES, CELL_POINTER, CELL_WATCHERS } from "../scenarios/cell.js";
import { asleep, idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { freedAtOnce } from "./words.js";

const RACE = "two commits of a cell: one swaps, one merges";
const UNDER = "get of a cell under a commit";
const MERGED = "a cell is set while a commit merges";
const WATCHER = "a watcher of a cell sleeps while another sets it";

/** Does `change` where a block of the cell is published. */
const atPublish = (change: (memory: Memory, from: Address, block: Address, publish: () => number) => number): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override compareExchange(address: Address, expected: number, replacement: number): number {
      const publish = (): number => super.compareExchange(address, expected, replacement);
      return address === CELL_POINTER ? change(this.inner, expected as Address, replacement as Address, publish) : publish();
    }
  };

/** A word of a block is written after the block was published. */
const late = (word: number): (new (inner: Memory) => Memory) =>
  atPublish((memory, _, block, publish) => {
    const value = memory.read(field(block, word));
    memory.write(field(block, word), 0);
    const old = publish();
    memory.write(field(block, word), value);
    return old;
  });

type AnyCommit = Cell<unknown>["commit"];

/** A commit takes another way, which is given the shipped one. */
const commitBy = (way: (cell: Cell<unknown>, shipped: AnyCommit, ...given: Parameters<AnyCommit>) => ReturnType<AnyCommit>): (() => () => void) =>
  patch(
    Cell.prototype,
    "commit",
    (original) =>
      function (this: Cell<unknown>, ...given) {
        return way(this, original.bind(this) as AnyCommit, ...given);
      } as AnyCommit,
  );

export const cell: readonly Mutant[] = [
  {
    name: "a cell's value is written after its block is published",
    number: "S1",
    breaks: "a block is whole before the cell leads to it",
    killer: UNDER,
    kinds: unsafe,
    memory: of([1], late(1)),
  },
  {
    name: "a cell's version is written after its block is published",
    number: "S1",
    breaks: "a block is whole before the cell leads to it",
    killer: UNDER,
    kinds: unsafe,
    memory: of([1], late(0)),
  },
  {
    name: "a cell's version stays",
    number: "-",
    breaks: "each value of a cell has a version of its own",
    killer: RACE,
    kinds: wrong,
    memory: of(
      [0, 1],
      atPublish((memory, from, block, publish) => {
        memory.write(block, memory.read(from));
        return publish();
      }),
    ),
  },
  {
    name: "a commit publishes whatever has come between",
    number: "S8",
    breaks: "a commit takes the place of the version that it was made of",
    killer: RACE,
    kinds: unsafe,
    memory: of(
      [0],
      atPublish((memory, from, block) => {
        memory.store(CELL_POINTER, block);
        return from;
      }),
    ),
  },
  {
    name: "a cell's old block is freed at once",
    number: "S3",
    breaks: "a replaced block waits for its readers",
    killer: UNDER,
    kinds: unsafe,
    patch: freedAtOnce,
  },
  {
    name: "a cell's old block is never retired",
    number: "-",
    breaks: "a cell has one block",
    killer: RACE,
    kinds: wrong,
    patch: idle(Domain.prototype, "retire"),
  },
  {
    name: "a cell's value is told by its address alone",
    number: "-",
    breaks: "an address is the same block within an epoch only",
    killer: "get of a cell whose address is used again",
    kinds: wrong,
    patch: patch(
      OnlineReader.prototype as unknown as { record(): void },
      "record",
      (original) =>
        function (this: { epoch: number }) {
          original.call(this as never);
          this.epoch = 0;
        } as never,
    ),
  },
  {
    name: "a merge goes on with what it was first given",
    number: "-",
    breaks: "nothing is lost but by a merge that saw it",
    killer: MERGED,
    kinds: wrong,
    patch: commitBy((_, shipped, copy, options = {}) => {
      let first: { readonly theirs: unknown } | undefined;
      return shipped(copy, {
        ...options,
        merge: (base, mine, theirs) => {
          first ??= { theirs };
          return options.merge?.(base, mine, first.theirs);
        },
      });
    }),
  },
  {
    name: "a merge's distance is that of the first try",
    number: "-",
    breaks: "a commit says how many versions it was merged with",
    killer: MERGED,
    kinds: wrong,
    patch: commitBy((cell, shipped, copy, options) => {
      const distance = (cell.version - copy.version) >>> 0;
      return { ...shipped(copy, options), distance };
    }),
  },
  {
    name: "watchers are not told",
    number: "-",
    breaks: "a watch that sleeps looks again after each publication",
    killer: WATCHER,
    kinds: asleep,
    patch: idle(Changes.prototype, "tell"),
  },
  {
    name: "watchers are told before the value is published",
    number: "-",
    breaks: "a watch that sleeps looks again after each publication",
    killer: WATCHER,
    kinds: asleep,
    memory: of(
      [1],
      atPublish((memory, _from, _block, publish) => {
        if (memory.load(CELL_WATCHERS) !== 0) {
          memory.add(CELL_CHANGES, 1);
          memory.notify(CELL_CHANGES);
        }
        return publish();
      }),
    ),
    patch: idle(Changes.prototype, "tell"),
  },
  {
    name: "a watcher is not counted",
    number: "-",
    breaks: "a watcher is counted before it looks",
    killer: WATCHER,
    kinds: asleep,
    patch: idle(Changes.prototype, "enter"),
  },
];
