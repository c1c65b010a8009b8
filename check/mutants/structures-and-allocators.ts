/** Publishing and removing, the interval map, pages and slabs. */

import { type Address, field, NULL } from "../../src/memory/address.js";
import { PAGE_ENTRY_WORDS } from "../../src/memory/layout.js";
import type { Memory } from "../../src/memory/memory.js";
import { PageKind, Pages } from "../../src/memory/pages.js";
import { Slabs } from "../../src/memory/slab.js";
import { Domain } from "../../src/rcu/domain.js";
import { EventLoopPeriods } from "../../src/rcu/flavors/event-loop.js";
import { u32Bounds } from "../../src/structures/bounds.js";
import { PassingMemory } from "../passing-memory.js";
import { NEW, POINTER } from "../scenarios/block.js";
import { LAYOUT } from "../scenarios/support.js";
import { during, idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { DIRECTORY_LOCK, freedAtOnce, MAP_LOCK, MAP_ROOT, Node, noArenaLock, StaleCookie, unlocked, without } from "./words.js";

/** Bytes of a node of the scenarios' maps, which no size class of kmalloc has. */
const NODE_BYTES = 24;

/** Does `change` where a new root of the map is published. */
const atPublish = (change: (memory: Memory, node: Address, publish: () => void) => void): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override store(address: Address, value: number): void {
      const publish = (): void => super.store(address, value);
      if (address === MAP_ROOT && value !== NULL) change(this.inner, value as Address, publish);
      else publish();
    }
  };

/** A word of a node is written after the node was published. */
function late(memory: Memory, word: Address, publish: () => void): void {
  const value = memory.read(word);
  memory.write(word, 0);
  publish();
  memory.write(word, value);
}

/** As u32Bounds.find, but that what was found is loaded once more. */
function findTwice(memory: Memory, root: Address, key: number): Address {
  let pointer = root;
  for (let node = memory.load(pointer) as Address; node !== NULL; node = memory.load(pointer) as Address) {
    if (key < memory.read(node) >>> 0) pointer = field(node, Node.LEFT);
    else if (key > memory.read(field(node, Node.HI)) >>> 0) pointer = field(node, Node.RIGHT);
    else return memory.load(pointer) as Address;
  }
  return NULL;
}

/** A block in limbo is taken for a free one when its buddy is freed. */
function mergesRetired(): Mutant {
  let releasing = false;
  return {
    name: "a free block is joined with a buddy that still waits",
    number: "S14",
    breaks: "a block in limbo is nobody's until its grace period is over",
    killer: "a block's buddy waits for a reader",
    kinds: unsafe,
    memory: (inner) =>
      new (class extends PassingMemory {
        override load(address: Address): number {
          const word = super.load(address);
          const inTable = address >= LAYOUT.pageTable && address < LAYOUT.pageTable + LAYOUT.pages * PAGE_ENTRY_WORDS;
          const isState = inTable && (address - LAYOUT.pageTable) % PAGE_ENTRY_WORDS === 0;
          return releasing && isState && word % 8 === PageKind.RETIRED ? word - PageKind.RETIRED + PageKind.FREE : word;
        }
      })(inner),
    patch: during(Pages.prototype, "release", (running) => {
      releasing = running;
    }),
  };
}

export const structuresAndAllocators: readonly Mutant[] = [
  {
    name: "publish before init",
    number: "S1",
    breaks: "an object is whole before a pointer leads to it",
    killer: "section against synchronizeSync",
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        readonly #late: [Address, number][] = [];
        override write(address: Address, value: number): void {
          if (address === NEW || address === field(NEW, 1)) this.#late.push([address, value]);
          else super.write(address, value);
        }
        override exchange(address: Address, value: number): number {
          const old = super.exchange(address, value);
          for (const [where, what] of this.#late.splice(0)) super.write(where, what);
          return old;
        }
      },
    ),
  },
  {
    name: "replace leaves the old reachable",
    number: "S4",
    breaks: "what is waited for and freed can be reached by no new reader",
    killer: "section against synchronizeSync",
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        override exchange(address: Address, value: number): number {
          return address === POINTER ? super.load(address) : super.exchange(address, value);
        }
      },
    ),
  },
  ...["rotation under a reader", "double rotation under a reader", "interval split under a reader"].map(
    (scenario): Mutant => ({
      name: `${scenario.replace(" under a reader", "")} published in two stores`,
      number: "S12",
      breaks: "an update is seen wholly or not at all",
      killer: scenario,
      kinds: wrong,
      memory: of(
        [0],
        class extends PassingMemory {
          override store(address: Address, value: number): void {
            if (address === MAP_ROOT) super.store(address, super.read(field(value as Address, Node.LEFT)));
            super.store(address, value);
          }
        },
      ),
    }),
  ),
  {
    name: "a node is changed in place",
    number: "S12",
    breaks: "a published node never changes",
    killer: "interval split under a reader",
    kinds: ["race", "verify"],
    memory: of(
      [0],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          // The old root is cut short where it stands, before the new one is published.
          if (address === MAP_ROOT) super.write(field(super.read(address) as Address, 1), 19);
          super.store(address, value);
        }
      },
    ),
  },
  {
    name: "the directory is not locked",
    number: "S11",
    breaks: "there is one structure of a name",
    killer: "two threads open one name",
    kinds: unsafe,
    patch: unlocked(DIRECTORY_LOCK),
  },
  ...["two threads refill their magazines", "two threads take and free pages"].map(
    (scenario): Mutant => ({
      name: `no arena lock: ${scenario}`,
      number: "S14",
      breaks: "pages and slabs have one owner at a time",
      killer: scenario,
      kinds: unsafe,
      patch: noArenaLock,
    }),
  ),
  {
    name: "what a dead thread had retired is freed before the grace period",
    number: "S10",
    breaks: "a dead thread's limbo waits for readers",
    killer: "what a dead thread had retired waits for a reader",
    kinds: unsafe,
    memory: of([1], StaleCookie),
  },
  {
    name: "a map's nodes are freed before the grace period",
    number: "S10",
    breaks: "a map's replaced nodes wait for readers",
    killer: "a map's nodes are reused under a reader",
    kinds: unsafe,
    patch: patch(EventLoopPeriods.prototype, "isOver", () => () => true),
  },
  {
    name: "allocation does not set the live bit",
    number: "S14",
    breaks: "an object is given to one owner at a time",
    killer: "one thread frees what another retires, of a tracked cache",
    kinds: wrong,
    patch: idle(Slabs.prototype, "setLive"),
  },
  {
    name: "a node is published before its value",
    number: "S1",
    breaks: "a node is whole before a pointer leads to it",
    killer: "interval split under a reader",
    kinds: unsafe,
    memory: of(
      [0],
      atPublish((memory, node, publish) => late(memory, field(node, Node.VALUE), publish)),
    ),
  },
  {
    name: "a node is linked before its own child is",
    number: "S3",
    breaks: "new is linked to next before anything leads to new",
    killer: "rotation under a reader",
    kinds: unsafe,
    memory: of(
      [0],
      atPublish((memory, node, publish) => late(memory, field(node, Node.LEFT), publish)),
    ),
  },
  {
    name: "what is taken out forgets its children",
    number: "S2",
    breaks: "who stands on a replaced node goes on from there",
    killer: "rotation under a reader",
    kinds: wrong,
    memory: of(
      [0],
      atPublish((memory, _, publish) => {
        const old = memory.read(MAP_ROOT) as Address;
        publish();
        for (const word of [Node.LEFT, Node.RIGHT]) memory.store(field(old, word), 0);
      }),
    ),
  },
  {
    name: "a map's nodes are freed, and not retired",
    number: "S10",
    breaks: "a map's replaced nodes wait for readers",
    killer: "a map's nodes are reused under a reader",
    kinds: unsafe,
    patch: freedAtOnce,
  },
  {
    name: "a value block is retired with a range that was only trimmed",
    number: "S10",
    breaks: "a block is retired when no node names it any more",
    killer: "a trimmed range keeps its block, under a reader",
    kinds: wrong,
    patch: patch(
      Domain.prototype,
      "retire",
      (original) =>
        function (this: Domain, object: Address) {
          const { heap, memory } = this.arena;
          const block = heap.usableBytes(object) === NODE_BYTES ? (memory.read(field(object, Node.VALUE)) as Address) : NULL;
          original.call(this, object);
          if (block !== NULL && heap.isLive(block)) original.call(this, block);
        },
    ),
  },
  {
    name: "a search looks at a pointer twice",
    number: "S6",
    breaks: "each pointer of a search is loaded once",
    killer: "rotation under a reader",
    kinds: unsafe,
    patch: patch(u32Bounds, "find", () => findTwice),
  },
  {
    name: "a map's writers do not lock",
    number: "S8",
    breaks: "of two who take one range out, one is told that it did",
    killer: "two writers delete one range",
    kinds: unsafe,
    patch: unlocked(MAP_LOCK),
  },
  {
    name: "a deleted range is still linked",
    number: "S9",
    breaks: "what is retired can be reached by no new reader",
    killer: "delete of the last range under a reader",
    kinds: unsafe,
    memory: of(
      [0],
      without((address, value) => address === MAP_ROOT && value === 0),
    ),
  },
  {
    name: "a remote free is lost",
    number: "S14",
    breaks: "what another thread frees gets back into its slab",
    killer: "a remote free, which flushes, against a refill",
    kinds: wrong,
    patch: idle(Slabs.prototype, "putBack"),
  },
  mergesRetired(),
];
