/**
 * A writer of the interval map dies at every single access of an update; another thread reaps it and goes on.
 *
 * After each death the entries are those before the call or those after it, the next update mends the tree, check() finds
 * nothing, and once all is cleared and drained the arena holds exactly what it holds with an empty map.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openMap } from "../../check/support/open-map.js";
import { randomOf, seedOf } from "../../check/support/seed.js";
import type { IntervalMap } from "../../src/structures/interval-map.js";
import type { Codec } from "../../src/values/codec.js";
import { u16, u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { audit, type Usage } from "../support/audit.js";
import { flush, reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

type U32Map<T, V> = IntervalMap<"u32", T, V>;
type Update<T, V> = (map: U32Map<T, V>) => void;

/** One of each kind of codec: a value for a small number. */
const kinds = {
  u16: { codec: u16, of: (n: number) => n },
  struct: { codec: struct({ country: u16, version: u32 }), of: (n: number) => ({ country: n, version: n * 3 }) },
  utf8: { codec: utf8, of: (n: number) => `value ${n} `.repeat(n % 5) },
} as const;

/** A map before an update, and the update; a number stands for the value that `of` makes of it. */
interface Shape {
  readonly name: string;
  readonly rows: readonly (readonly [lo: number, hi: number, value: number])[];
  readonly update: (map: {
    set(lo: number, hi: number, value: number): void;
    delete(lo: number, hi: number): void;
    load(rows: readonly (readonly [number, number, number])[]): void;
    compact(): void;
    clear(): void;
  }) => void;
}

const ladder = (count: number): [number, number, number][] => Array.from({ length: count }, (_, i) => [i * 10 + 10, i * 10 + 15, i]);

const shapes: readonly Shape[] = [
  { name: "first insert", rows: [], update: (m) => m.set(5, 9, 1) },
  { name: "plain insert", rows: ladder(6), update: (m) => m.set(37, 38, 9) },
  { name: "the value it has", rows: ladder(3), update: (m) => m.set(21, 24, 1) },
  { name: "split", rows: ladder(7), update: (m) => m.set(42, 43, 9) },
  { name: "split by delete", rows: ladder(7), update: (m) => m.delete(42, 43) },
  { name: "trim one", rows: ladder(7), update: (m) => m.set(33, 38, 9) },
  { name: "trim both and replace between", rows: ladder(9), update: (m) => m.set(33, 62, 9) },
  {
    name: "join both",
    rows: [
      [10, 19, 1],
      [20, 29, 2],
      [30, 39, 1],
      [50, 59, 3],
    ],
    update: (m) => m.set(20, 29, 1),
  },
  {
    name: "single rotation",
    rows: [
      [10, 11, 1],
      [20, 21, 2],
      [30, 31, 3],
    ],
    update: (m) => m.set(40, 41, 4),
  },
  { name: "double rotation", rows: [], update: (m) => m.set(20, 21, 4) },
  { name: "delete one", rows: ladder(9), update: (m) => m.delete(50, 55) },
  { name: "delete many", rows: ladder(40), update: (m) => m.delete(63, 333) },
  { name: "clear", rows: ladder(12), update: (m) => m.clear() },
  {
    name: "load",
    rows: ladder(7),
    update: (m) =>
      m.load([
        [0, 99, 1],
        [20, 30, 2],
        [200, 201, 1],
        [400, 401, 2],
      ]),
  },
  { name: "compact", rows: ladder(7), update: (m) => m.compact() },
];

interface Prepared<T, V> {
  readonly world: World;
  readonly before: readonly unknown[];
  readonly after: readonly unknown[];
  /** What an arena with the empty map holds. */
  readonly empty: Usage;
  open(domain: ReturnType<World["domain"]>): U32Map<T, V>;
}

/** Accesses that a dying thread makes before it is armed are its attaching: the map is there already. */
function prepare<T, V>(codec: Codec<T, V>, build: Update<T, V>, update: Update<T, V>): Prepared<T, V> {
  const world = new World(16);
  const open = (domain: ReturnType<World["domain"]>): U32Map<T, V> => openMap(domain, { bounds: "u32", value: codec });
  const first = world.domain(SURVIVOR);
  open(first);
  flush(first);
  first.detach();
  const empty = audit(world);

  const builder = world.domain(SURVIVOR);
  const map = open(builder);
  build(map);
  flush(builder);
  const before = [...map.entries()];
  builder.detach();
  world.snapshot();

  const updater = world.domain(SURVIVOR);
  const updated = open(updater);
  update(updated);
  const after = [...updated.entries()];
  updater.detach();
  return { world, before, after, empty, open };
}

function isEither(entries: unknown, before: unknown, after: unknown, when: string): void {
  try {
    assert.deepEqual(entries, before);
  } catch {
    assert.deepEqual(entries, after, `${when}: neither as before nor as after`);
  }
}

/** What must hold after the dead are known to be dead. */
function settle<T, V>({ world, before, after, empty, open }: Prepared<T, V>, dead: readonly number[], value: T, when: string): void {
  const survivor = world.domain(SURVIVOR);
  reapAll(dead, (thread, timeout) => survivor.reap(thread, timeout));
  const map = open(survivor);
  isEither([...map.entries()], before, after, when);
  // The next update mends what was left, and does its own work.
  map.set(3000, 3001, value);
  assert.equal(map.delete(3000, 3001), true, when);
  isEither([...map.entries()], before, after, `${when}, mended`);
  assert.deepEqual(map.check(), [], when);
  assert.deepEqual(survivor.arena.check(), [], when);
  map.clear();
  assert.equal(map.size, 0);
  flush(survivor);
  assert.deepEqual(map.check(), [], `${when}, cleared`);
  survivor.detach();
  assert.deepEqual(audit(world, when), empty, `${when}: not all was given back`);
}

/** A writer dies at each access of the update. Gives how often. */
async function dieEverywhere<T, V>(prepared: Prepared<T, V>, update: Update<T, V>, value: T): Promise<number> {
  const { world, open } = prepared;
  for (let access = 1; ; access++) {
    world.restore();
    const memory = world.dying();
    const victim = world.domain(VICTIM, memory);
    const map = open(victim);
    memory.arm(access);
    const died = memory.run(() => update(map));
    const when = `death before access ${access} (${memory.last})`;
    memory.kill();
    settle(prepared, [VICTIM], value, when);
    if (access % 200 === 0) await turn();
    if (!died) return access - 1;
  }
}

/** A map that takes numbers for values. */
function numbered<T, V>(map: U32Map<T, V>, of: (n: number) => T): Parameters<Shape["update"]>[0] {
  return {
    set: (lo, hi, value) => map.set(lo, hi, of(value)),
    delete: (lo, hi) => map.delete(lo, hi),
    load: (rows) => map.load(rows.map(([lo, hi, value]) => [lo, hi, of(value)] as const)),
    compact: () => map.compact(),
    clear: () => map.clear(),
  };
}

function shapeOf<T, V>(shape: Shape, of: (n: number) => T): { build: Update<T, V>; update: Update<T, V> } {
  // A tree that leans so that the next insertion takes a double rotation.
  const rows =
    shape.name === "double rotation"
      ? ([
          [10, 11, 1],
          [50, 51, 2],
          [30, 31, 3],
        ] as const)
      : shape.rows;
  return {
    build: (map) => {
      for (const [lo, hi, value] of rows) map.set(lo, hi, of(value));
    },
    update: (map) => shape.update(numbered(map, of)),
  };
}

async function tryShape<T, V>(shape: Shape, codec: Codec<T, V>, of: (n: number) => T): Promise<void> {
  const { build, update } = shapeOf<T, V>(shape, of);
  const deaths = await dieEverywhere(prepare(codec, build, update), update, of(7));
  assert.ok(deaths > 20, `${deaths} deaths are too few to mean anything`);
}

for (const shape of shapes) {
  test(`a writer dies at each access of an update, u16 values: ${shape.name}`, () => tryShape(shape, kinds.u16.codec, kinds.u16.of));
  test(`a writer dies at each access of an update, utf8 values: ${shape.name}`, () => tryShape(shape, kinds.utf8.codec, kinds.utf8.of));
}

test("a writer dies at each access of an update, struct values: trim both and replace between", () =>
  tryShape(shapes[6] as Shape, kinds.struct.codec, kinds.struct.of));

test("a writer dies at each access of random updates", async () => {
  const random = randomOf(seedOf("random updates with deaths"));
  for (let round = 0; round < 6; round++) {
    const rows = Array.from({ length: 30 }, () => {
      const lo = random(200);
      return [lo, lo + random(12), random(3)] as const;
    });
    const lo = random(200);
    const hi = lo + random(60);
    const shape: Shape = { name: `random ${round}`, rows, update: (m) => (round % 3 === 2 ? m.delete(lo, hi) : m.set(lo, hi, 5)) };
    const { build, update } = shapeOf<string, string>(shape, kinds.utf8.of);
    await dieEverywhere(prepare(kinds.utf8.codec, build, update), update, kinds.utf8.of(7));
  }
});

test("the writer that mends a dead writer's tree dies too; a third one finishes", async () => {
  let deaths = 0;
  for (const [name, step, secondStep] of [
    ["trim both and replace between", 97, 7],
    ["delete many", 331, 23],
    ["double rotation", 41, 3],
  ] as const) {
    const shape = shapes.find((s) => s.name === name) as Shape;
    const { build, update } = shapeOf<string, string>(shape, kinds.utf8.of);
    const prepared = prepare(kinds.utf8.codec, build, update);
    const { world, open } = prepared;
    for (let access = 30, alive = false; !alive; access += step) {
      for (let second = 1; ; second += secondStep) {
        world.restore();
        const memory = world.dying();
        const victim = open(world.domain(VICTIM, memory));
        memory.arm(access);
        alive = !memory.run(() => update(victim));
        memory.kill();
        const memory2 = world.dying();
        memory2.arm(second);
        const died = memory2.run(() => {
          const next = world.domain(THIRD, memory2);
          next.reap(VICTIM, 0);
          const map = open(next);
          map.delete(4000, 4001);
        });
        const when = `death before access ${access} (${memory.last}), the next writer's before ${second} (${memory2.last})`;
        memory2.kill();
        settle(prepared, [THIRD, VICTIM], kinds.utf8.of(7), when);
        deaths++;
        if (deaths % 200 === 0) await turn();
        if (!died) break;
      }
    }
  }
  assert.ok(deaths > 200, `${deaths} deaths are too few to mean anything`);
});
