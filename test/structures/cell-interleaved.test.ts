/**
 * Threads on one cell in each other's way at every single access: the one is held up before it while others do whole operations.
 *
 * Writers only add a number of their own to the end of a list, by update, or by a commit with a merge. So the list at the end tells the order in which they took
 * place, and each reader must find a beginning of it, with everything that had ended before the reader began, and nothing that began after it ended.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openCell } from "../../check/support/open-cell.js";
import { Random, seedOf } from "../../check/support/seed.js";
import { Header } from "../../src/memory/layout.js";
import type { Domain } from "../../src/rcu/domain.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import type { Cell, Copy } from "../../src/structures/cell/cell.js";
import { jsonOf } from "../../src/values/json.js";
import type { DyingMemory } from "../support/dying-memory.js";
import { turn, World } from "../support/world.js";

type List = Cell<number[]>;
const codec = jsonOf<number[]>();
const merge = (base: number[], mine: number[], theirs: number[]): number[] => [...theirs, ...mine.slice(base.length)];

interface Span {
  readonly what: string;
  readonly began: number;
  readonly ended: number;
}

/** What was done, by whomever, on one clock. */
class History {
  readonly #added: (Span & { readonly id: number })[] = [];
  readonly #found: (Span & { readonly list: readonly number[] })[] = [];
  #clock = 0;
  #next = 0;

  add(what: string, operation: (id: number) => void): void {
    const [id, began] = [this.#next++, this.#clock++];
    operation(id);
    this.#added.push({ what, id, began, ended: this.#clock++ });
  }

  find(what: string, look: () => readonly number[]): void {
    const began = this.#clock++;
    const list = look();
    this.#found.push({ what, list, began, ended: this.#clock++ });
  }

  check(cell: List, when: string): void {
    const list = cell.get() as number[];
    assert.deepEqual([list.length, cell.version], [this.#added.length, this.#added.length + 1], `${when}: each was added once`);
    const place = (id: number): number => list.indexOf(id);
    for (const { what, id, began, ended } of this.#added) {
      assert.ok(place(id) >= 0, `${when}: ${what} of ${id} was lost`);
      for (const other of this.#added)
        if (other.ended < began) assert.ok(place(other.id) < place(id), `${when}: ${what} of ${id} came before one that had ended`);
      assert.ok(began < ended);
    }
    for (const { what, list: found, began, ended } of this.#found) {
      assert.deepEqual(found, list.slice(0, found.length), `${when}: ${what} found what never was`);
      for (const other of this.#added) {
        if (other.ended < began) assert.ok(place(other.id) < found.length, `${when}: ${what} missed ${other.id}`);
        if (other.began > ended) assert.ok(place(other.id) >= found.length, `${when}: ${what} foresaw ${other.id}`);
      }
    }
  }
}

const operations: Readonly<Record<string, (cell: List, history: History) => void>> = {
  get: (cell, history) => history.find("get", () => cell.get() as number[]),
  copy: (cell, history) =>
    history.find("copy", () => {
      const { version, value, base } = cell.copy();
      assert.deepEqual([value, version], [base, (base as number[]).length + 1]);
      return base as number[];
    }),
  update: (cell, history) => history.add("update", (id) => cell.update((list = []) => [...list, id])),
  commit: (cell, history) =>
    history.add("commit", (id) => {
      const copy = cell.copy() as Copy<number[]>;
      copy.value.push(id);
      cell.commit(copy, { merge });
    }),
};
const names = Object.keys(operations);
const run = (name: string, cell: List, history: History): void => operations[name]?.(cell, history);

interface Threads {
  readonly world: World;
  readonly domains: readonly Domain[];
  readonly cells: readonly List[];
  /** Of the first. */
  readonly memory: DyingMemory;
}

/** Two threads that never wait for having retired too much: whom they would wait for is this very thread. */
function twoThreads(flavor: FlavorName): Threads {
  const world = new World(24, {}, { flavor });
  const memory = world.dying();
  const options = { retireLimit: Number.POSITIVE_INFINITY };
  const domains = [world.domain(1, memory, options), world.domain(2, world.memory, options)];
  const cells = domains.map((domain) => openCell(domain, codec));
  (cells[0] as List).set([]);
  return { world, domains, cells, memory };
}

/** What can be given back without waiting, is: its addresses are used again. */
function reuse(domain: Domain): void {
  for (let i = 0; i < 2; i++) domain.advance();
}

/** The first thread's operation is held up before `access` while the second does others; gives whether it came to that. */
function holdUp(flavor: FlavorName, held: string, access: number, others: readonly string[], when: string): boolean {
  const { world, domains, cells, memory } = twoThreads(flavor);
  const [mine, theirs] = cells as [List, List];
  const history = new History();
  run("update", theirs, history);
  run("get", mine, history); // it has something cached
  let came = false;
  // With the arena lock held it would hold up the others, which wait for that; then they come after it is let go.
  const isAllocating = (): boolean => world.memory.load(Header.ARENA_LOCK) !== 0;
  memory.hook = (now) => {
    if (came || now < access || isAllocating()) return;
    came = true;
    for (const other of others) {
      run(other, theirs, history);
      domains[1]?.reader.goOffline();
      reuse(domains[1] as Domain);
    }
  };
  memory.arm();
  run(held, mine, history);
  memory.hook = undefined;
  run("get", mine, history);
  history.check(theirs, when);
  for (const domain of domains) domain.detach();
  return came;
}

for (const flavor of FLAVORS) {
  test(`${flavor}: each operation held up before any of its accesses, while others do each of theirs`, async () => {
    let accesses = 0;
    for (const held of names) {
      for (const other of names) {
        let access = 1;
        while (holdUp(flavor, held, access, [other, other], `${held} held up before access ${access} by ${other}`)) access++;
        accesses += access - 1;
        await turn();
      }
    }
    assert.ok(accesses > 200, `${accesses} accesses are too few to mean anything`);
  });

  test(`${flavor}: many operations at a random access`, async () => {
    const random = new Random(seedOf(`cell interleaved, ${flavor}`));
    for (let round = 0; round < 150; round++) {
      const held = random.pick(names);
      const others = Array.from({ length: random.from(1, 9) }, () => random.pick(names));
      const access = random.from(1, 60);
      holdUp(flavor, held, access, others, `round ${round}: ${held} held up before access ${access} by ${others}`);
      if (round % 20 === 0) await turn();
    }
  });
}

test("get is not deceived by an address that is used again", () => {
  for (const flavor of FLAVORS) {
    const { domains, cells } = twoThreads(flavor);
    const [mine, theirs] = cells as [List, List];
    theirs.set([1]);
    assert.deepEqual(mine.get(), [1]);
    let seen = 0;
    for (let i = 2; i < 300; i++) {
      domains[0]?.offline(() => {});
      theirs.set([i]);
      reuse(domains[1] as Domain);
      const value = mine.get() as number[];
      assert.equal(value[0], i, `${flavor}: the value of an earlier block at the same address`);
      seen++;
    }
    assert.equal(seen, 298);
    for (const domain of domains) domain.detach();
  }
});
