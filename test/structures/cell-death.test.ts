/**
 * A writer of a cell dies at every single access of an update; another thread reaps it and goes on.
 *
 * After each death the value is that from before the call or that from after it, one version on; the next update works; and once all is
 * drained the arena holds one block, and what an arena with a cell that was set once holds.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openCell } from "../../check/support/open-cell.js";
import type { ArenaOptions } from "../../src/memory/layout.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import type { Cell, Copy } from "../../src/structures/cell/cell.js";
import { ConflictError } from "../../src/structures/cell/errors.js";
import { mergeLists } from "../../src/structures/cell/merge.js";
import { jsonOf } from "../../src/values/json.js";
import { audit, type Usage } from "../support/audit.js";
import { onEachAllocator } from "../support/each-allocator.js";
import { flush, reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

type List = Cell<string[]>;
const codec = jsonOf<string[]>();
const open = (domain: ReturnType<World["domain"]>): List => openCell(domain, codec);
/** What the test ends with: as large in every case. */
const LAST = ["the", "last", "value"];

interface Shape {
  readonly name: string;
  readonly before: string[] | undefined;
  /** What others make of it while the writer has its copy. */
  readonly meanwhile?: string[];
  readonly update: (cell: List, copy: Copy<string[] | undefined>) => void;
}

const large = (n: number): string[] => Array.from({ length: 1200 }, (_, i) => `${n} ${i}`);

const shapes: readonly Shape[] = [
  { name: "first set", before: undefined, update: (cell) => cell.set(["A"]) },
  { name: "set", before: ["A"], update: (cell) => cell.set(["B"]) },
  { name: "set of pages, in the place of pages", before: large(1), update: (cell) => cell.set(large(2)) },
  { name: "update", before: ["A"], update: (cell) => void cell.update((value = []) => [...value, "B"]) },
  { name: "a commit that swaps", before: ["A"], update: (cell, copy) => void cell.commit({ ...copy, value: ["A", "B"] }) },
  {
    name: "a commit that merges",
    before: ["A", "C", "D"],
    meanwhile: ["A", "E", "D"],
    update: (cell, copy) => void cell.commit({ ...copy, value: ["A", "C", "B", "D"] }, { merge: mergeLists }),
  },
  {
    name: "a commit that conflicts",
    before: ["A"],
    meanwhile: ["B"],
    update: (cell, copy) => {
      try {
        cell.commit({ ...copy, value: ["C"] }, { merge: mergeLists });
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    },
  },
];

class Deaths {
  readonly #shape: Shape;
  readonly #world: World;
  readonly #before: unknown;
  readonly #after: unknown;
  readonly #version: number;
  readonly #copy: Copy<string[] | undefined>;
  readonly #done: Usage;

  constructor(shape: Shape, flavor: FlavorName, options: ArenaOptions = {}) {
    this.#shape = shape;
    this.#world = new World(24, options, { flavor });
    const builder = this.#world.domain(SURVIVOR);
    const cell = open(builder);
    if (shape.before !== undefined) cell.set(shape.before);
    this.#copy = cell.copy();
    if (shape.meanwhile !== undefined) cell.set(shape.meanwhile);
    this.#before = cell.get();
    this.#version = cell.version;
    flush(builder);
    builder.detach();
    this.#world.snapshot();

    const updater = this.#world.domain(SURVIVOR);
    const updated = open(updater);
    shape.update(updated, this.#copy);
    this.#after = updated.get();
    updated.set(LAST);
    flush(updater);
    updater.detach();
    this.#done = audit(this.#world);
  }

  /** The victim dies before an access; gives whether it did. */
  die(access: number, thread = VICTIM): { died: boolean; when: string } {
    this.#world.restore();
    const memory = this.#world.dying();
    const cell = open(this.#world.domain(thread, memory));
    memory.arm(access);
    const died = memory.run(() => this.#shape.update(cell, this.#copy));
    memory.kill();
    return { died, when: `${this.#shape.name}, death before access ${access} (${memory.last})` };
  }

  /** Somebody who reaps the victim, and then updates, dies too. */
  reaperDies(access: number): { died: boolean; when: string } {
    const memory = this.#world.dying();
    memory.arm(access);
    const died = memory.run(() => {
      const next = this.#world.domain(THIRD, memory);
      next.reap(VICTIM, 0);
      next.advance();
    });
    memory.kill();
    return { died, when: `the reaper's before ${access} (${memory.last})` };
  }

  settle(dead: readonly number[], when: string): void {
    const survivor = this.#world.domain(SURVIVOR);
    const reader = open(survivor);
    reapAll(dead, (thread, timeout) => survivor.reap(thread, timeout));
    const { version } = reader;
    if (version === this.#version) assert.deepEqual(reader.get(), this.#before, when);
    else assert.deepEqual([version, reader.get()], [this.#version + 1, this.#after], when);
    assert.deepEqual(reader.check(), [], when);
    reader.set(LAST);
    assert.equal(reader.version, version + 1, when);
    flush(survivor);
    assert.deepEqual(reader.check(), [], `${when}, drained`);
    assert.deepEqual(survivor.arena.check(), [], when);
    survivor.detach();
    const { used, live } = audit(this.#world, when);
    assert.deepEqual([used, live.length], [this.#done.used, this.#done.live.length], `${when}: not all was given back`);
  }
}

async function dieEverywhere(shape: Shape, flavor: FlavorName, options: ArenaOptions = {}): Promise<void> {
  const deaths = new Deaths(shape, flavor, options);
  for (let access = 1; ; access++) {
    const { died, when } = deaths.die(access);
    deaths.settle([VICTIM], when);
    if (access % 100 === 0) await turn();
    if (died) continue;
    assert.ok(access > 20, `${access} deaths are too few to mean anything`);
    return;
  }
}

for (const flavor of FLAVORS) for (const shape of shapes) test(`${flavor}: a writer dies at each access of ${shape.name}`, () => dieEverywhere(shape, flavor));

onEachAllocator("a writer dies at each access of a merging commit", (options) => dieEverywhere(shapes[5] as Shape, "event-loop", options), ["slub", "slob"]);

onEachAllocator("who reaps the dead writer dies too, at any access; a third one finishes", async (options) => {
  let deaths = 0;
  const [step, secondStep] = options.allocator === "slab" ? [5, 37] : [31, 149];
  for (const name of ["set", "a commit that merges", "set of pages, in the place of pages"]) {
    const both = new Deaths(shapes.find((shape) => shape.name === name) as Shape, "event-loop", options);
    for (let access = 1, alive = false; !alive; access += step) {
      for (let second = 1 + (access % secondStep); ; second += secondStep) {
        const first = both.die(access);
        alive = !first.died;
        const { died, when } = both.reaperDies(second);
        both.settle([THIRD, VICTIM], `${first.when}, ${when}`);
        if (++deaths % 100 === 0) await turn();
        if (!died) break;
      }
    }
  }
  assert.ok(deaths > 50, `${deaths} deaths are too few to mean anything`);
});
