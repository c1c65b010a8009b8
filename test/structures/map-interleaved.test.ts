/**
 * Readers and writers of a shared.map in each other's way at every single access.
 *
 * A writer is held up before each access of an update while another thread reads every key, iterates, or updates the same and other keys; and a reader is held
 * up before each access of a lookup while another makes whole updates, and has memory reclaimed and used again.
 */

import assert from "node:assert/strict";
import { heldLocks, slotAddress } from "../../src/memory/slot.js";
import type { Domain } from "../../src/rcu/domain.js";
import type { SharedMap } from "../../src/structures/map/map.js";
import { u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { onEach, type Setting } from "../support/each-flavor.js";
import { openSharedMap, sorted, tablesOf } from "../support/shared-maps.js";
import type { World } from "../support/world.js";

type Texts = SharedMap<number, string>;

const schema = { key: u32, value: utf8 } as const;
/** A writer that never has to wait for having retired too much: the reader it would wait for is this very thread. */
const patient = { retireLimit: Number.POSITIVE_INFINITY };
const arena = { slots: 8, caches: 48 };
const KEYS = 9;
const text = (n: number): string => `value ${n} `.repeat(n % 4);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

function beginResize(domain: Domain, more: number): void {
  const tables = tablesOf(domain, schema);
  const nesting = domain.reader.begin();
  tables.resize(tables.current.bits + more);
  domain.reader.endTo(nesting);
}

/** What one thread does, and the keys whose presence it does not change. */
interface Step {
  readonly name: string;
  readonly run: (map: Texts) => unknown;
  /** Keys of 0 .. KEYS - 1 that are present all the while. */
  readonly stays: readonly number[];
  readonly resize?: number;
}

const steps: readonly Step[] = [
  { name: "set of a new key", run: (m) => m.set(50, text(7)), stays: range(0, KEYS) },
  { name: "set of a key", run: (m) => m.set(4, text(7)), stays: range(0, KEYS) },
  { name: "delete", run: (m) => m.delete(4), stays: range(0, KEYS).filter((key) => key !== 4) },
  { name: "set while the table grows", run: (m) => m.set(4, text(7)), stays: range(0, KEYS), resize: 1 },
  { name: "set while the table grows a lot", run: (m) => m.set(50, text(7)), stays: range(0, KEYS), resize: 3 },
  { name: "check(), which moves and holds all", run: (m) => assert.deepEqual(m.check(), []), stays: range(0, KEYS), resize: 2 },
  { name: "clear", run: (m) => m.clear(), stays: [] },
  { name: "clear while the table grows", run: (m) => m.clear(), stays: [], resize: 1 },
  { name: "snapshot", run: (m) => assert.equal(m.snapshot().size >= KEYS - 2, true), stays: range(0, KEYS) },
];

/** Two threads' maps; all are empty, and the table as small as it can be, at the beginning of each round. */
function pair({ world, attach }: Setting): { mine: Texts; others: Texts; memory: ReturnType<Setting["world"]["dying"]>; domain: Domain; other: Domain } {
  const memory = world.dying();
  const domain = attach(patient, memory);
  const other = attach(patient);
  return { mine: openSharedMap(domain, schema), others: openSharedMap(other, schema), memory, domain, other };
}

function reset(map: Texts, domain: Domain, resize = 0): void {
  map.clear();
  for (const key of range(0, KEYS)) map.set(key, text(key));
  assert.deepEqual(map.check(), []);
  if (resize !== 0) beginResize(domain, resize);
}

for (const { name, run, stays, resize } of steps) {
  onEach(
    `all keys are read, and iterated over, at each access of: ${name}`,
    (setting) => {
      const { mine, others, memory, domain, other } = pair(setting);
      reset(mine, domain, resize);
      const seen: string[] = [];
      memory.hook = (access) => {
        const when = `before access ${access}`;
        for (const key of stays) assert.ok(others.has(key), `${when}: key ${key} is there all the while, and was not found`);
        const entries = [...others];
        const keys = entries.map(([key]) => key);
        assert.equal(new Set(keys).size, keys.length, `${when}: a key came twice`);
        for (const key of stays) assert.ok(keys.includes(key), `${when}: iteration missed key ${key}`);
        const state = JSON.stringify(sorted(entries));
        assert.equal(JSON.stringify(sorted(range(0, 60).flatMap((key) => (others.has(key) ? [[key, others.get(key)] as const] : [])))), state, when);
        if (state !== seen.at(-1)) seen.push(state);
        other.offline(() => {}); // so that what the writer retires comes back and is used again
      };
      memory.arm();
      run(mine);
      memory.hook = undefined;
      assert.ok(seen.length <= 2, `${name}: ${seen.length} states were seen`);
      assert.deepEqual(others.check(), []);
    },
    { arena },
  );

  const others: readonly (readonly [string, (m: Texts) => unknown])[] = [
    ["sets the same key", (m) => m.set(4, "other")],
    ["sets another key", (m) => m.set(60, "other")],
    ["deletes the same key", (m) => m.delete(4)],
    ["sets many", (m) => m.setMany(range(100, 120).map((key) => [key, "other"] as const))],
  ];
  for (const [what, doOther] of others) {
    onEach(
      `another thread ${what} between any two accesses of: ${name}`,
      (setting) => {
        const { mine, others, memory, domain, other } = pair(setting);
        let tried = 0;
        for (let access = 1, isReached = true; isReached; access += 3) {
          reset(mine, domain, resize);
          const before = sorted(mine);
          isReached = false;
          memory.hook = (now) => {
            // Who holds the map, or is about to, would be waited for by this very thread.
            if (now < access || isReached || hasLock(setting.world, other)) return;
            isReached = true;
            doOther(others);
            other.offline(() => {});
          };
          memory.arm();
          run(mine);
          memory.hook = undefined;
          if (!isReached) break;
          const when = `before access ${access}`;
          tried++;
          const now = sorted(mine);
          assert.equal(mine.size, now.length, when);
          assert.deepEqual(sorted(others), now, when);
          const possible = orders(before, run, doOther);
          assert.ok(possible.has(JSON.stringify(now)), `${when}: ${JSON.stringify(now)} is of neither order: ${[...possible].join(" or ")}`);
          assert.deepEqual(mine.check(), [], when);
        }
        assert.ok(tried > 0);
      },
      { arena, flavors: ["event-loop"] },
    );
  }
}

/** Whether the thread that is held up, which came first, has a lock. */
function hasLock(world: World, { arena: { layout } }: Domain): boolean {
  return heldLocks(world.memory, slotAddress(layout, 0)).length > 0;
}

/** What the map holds after both, in either order: by a plain Map that does as little of it as these steps need. */
function orders(before: readonly (readonly [number, string])[], first: (map: Texts) => unknown, second: (map: Texts) => unknown): Set<string> {
  const possible = new Set<string>();
  for (const order of [
    [first, second],
    [second, first],
  ]) {
    const plain = new Map(before);
    const model = Object.assign(plain, {
      setMany: (entries: Iterable<readonly [number, string]>) => {
        for (const [key, value] of entries) plain.set(key, value);
      },
      check: () => [],
      snapshot: () => plain,
    });
    for (const run of order) run(model as unknown as Texts);
    possible.add(JSON.stringify(sorted(plain)));
  }
  return possible;
}
/** What one reader does; it is held up in it. */
const lookups: readonly (readonly [string, (map: Texts) => unknown, (got: never) => void])[] = [
  ["get", (m) => m.get(4), (got: unknown) => assert.ok(got === text(4) || got === "later", String(got))],
  ["read", (m) => m.read(4, (view) => view), (got: unknown) => assert.ok(got === text(4) || got === "later", String(got))],
  [
    "iteration",
    (m) => [...m],
    (got: [number, string][]) => {
      const keys = got.map(([key]) => key);
      assert.equal(new Set(keys).size, keys.length, "a key came twice");
      for (const key of range(0, KEYS)) assert.ok(keys.includes(key), `key ${key} was missed`);
      for (const [key, value] of got) assert.ok(value === text(key % 10) || value === "later", `${key}: ${value}`);
    },
  ],
  [
    "snapshot",
    (m) => m.snapshot(),
    (got: Map<number, string>) => {
      const later = [...got.values()].filter((value) => value === "later").length;
      assert.ok((later === 0 && got.size === KEYS) || (later === 2 && got.size === KEYS), `${later} of ${got.size} are later`);
    },
  ],
];

for (const [name, run, isRight] of lookups) {
  onEach(
    `held up before any of its accesses, while the table grows and shrinks and memory is used again: ${name}`,
    (setting) => {
      const { mine, others, memory, domain, other } = pair(setting);
      let access = 1;
      for (let isReached = true; isReached; access++) {
        reset(others, other);
        domain.offline(() => {});
        isReached = false;
        memory.hook = (now) => {
          if (now !== access) return;
          isReached = true;
          if (hasLock(setting.world, other)) return;
          others.setMany(range(1000, 1060).map((key) => [key * 10, text(0)] as const));
          others.set(4, "later");
          for (const key of range(1000, 1060)) others.delete(key * 10);
          others.set(5, "later");
          // What can be given back without waiting, is: 64 retires make a long turn look.
          for (let i = 0; i < 64; i++) other.retire(other.arena.heap.kmalloc(24));
          other.afterUpdate();
        };
        memory.arm();
        const got = run(mine);
        memory.hook = undefined;
        isRight(got as never);
        assert.deepEqual(others.check(), [], `before access ${access}`);
      }
      assert.ok(access > 5, `${access} accesses are too few to mean anything`);
    },
    { arena },
  );
}
