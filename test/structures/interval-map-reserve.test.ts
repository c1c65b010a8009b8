/** Deleting from an arena that is full to the last byte: each deletion succeeds, in any order, for as long as one likes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openMap } from "../../check/support/open-map.js";
import { Random, seedOf } from "../../check/support/seed.js";
import { type Address, NULL, type Order } from "../../src/memory/address.js";
import { OutOfMemoryError } from "../../src/memory/errors.js";
import type { Domain } from "../../src/rcu/domain.js";
import type { IntervalMap } from "../../src/structures/interval-map.js";
import { boundsOf } from "../../src/structures/schema.js";
import type { Codec } from "../../src/values/codec.js";
import { u16 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { audit } from "../support/audit.js";
import { flush, World } from "../support/world.js";

type Bounds = keyof typeof boundsOf;
/** A map whose keys and values the test need not know. */
interface AnyMap {
  readonly size: number;
  readonly name: string;
  set(n: number, to?: number, round?: number): void;
  delete(n: number, to?: number): boolean;
  has(n: number): boolean;
  clear(): void;
  check(): string[];
}

const VALUES = { "in the node": u16, "in blocks": utf8 } as const;
type ValueKind = keyof typeof VALUES;

/** Keys are 4 n, so that no two entries touch. */
function open(domain: Domain, bounds: Bounds, kind: ValueKind, name = "map"): AnyMap {
  const map = openMap(domain, { bounds, value: VALUES[kind] as Codec<unknown, unknown> }, name) as unknown as IntervalMap<"u32", unknown>;
  const big = typeof boundsOf[bounds].least === "bigint";
  const key = (n: number): number => (big ? ((BigInt(n) << 20n) as unknown as number) : n);
  const value = (n: number): unknown => (kind === "in the node" ? n % 65536 : `value ${n} `.repeat(1 + (n % 9)));
  return {
    name,
    get size() {
      return map.size;
    },
    set: (n, to = n, round = 0) => map.set(key(4 * n), key(4 * to + 1), value(n + round)),
    delete: (n, to = n) => map.delete(key(4 * n), key(4 * to + 1)),
    has: (n) => map.has(key(4 * n)),
    clear: () => map.clear(),
    check: () => map.check(),
  };
}

/** Set entry after entry until one is refused; gives those that were not. */
function fill(map: AnyMap, first = 0): number[] {
  const held: number[] = [];
  for (let n = first; ; n++) {
    assert.ok(n < first + 500_000, "it never fills");
    try {
      map.set(n);
      held.push(n);
    } catch (error) {
      assert.ok(error instanceof OutOfMemoryError, String(error));
      return held;
    }
  }
}

/** Every page that anybody can have. */
function takePages(domain: Domain): Address[] {
  const { heap } = domain.arena;
  const pages: Address[] = [];
  for (let page = heap.allocPages(0 as Order); page !== NULL; page = heap.allocPages(0 as Order)) pages.push(page);
  return pages;
}

function shuffle<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}

const ORDERS: Readonly<Record<string, (held: number[], random: Random) => number[]>> = {
  "first in, first out": (held) => held,
  "last in, first out": (held) => held.reverse(),
  "in any order": shuffle,
};

for (const bounds of Object.keys(boundsOf) as Bounds[]) {
  for (const kind of Object.keys(VALUES) as ValueKind[]) {
    const name = `${bounds}, values ${kind}`;

    test(`${name}: full to the last byte, every entry is deleted, one by one, and everything is free`, () => {
      const random = new Random(seedOf(name));
      for (const [order, arrange] of Object.entries(ORDERS)) {
        for (const extra of [0, 200]) {
          const world = new World(extra);
          const first = world.domain(1);
          open(first, bounds, kind);
          flush(first);
          first.detach();
          const empty = audit(world);
          const domain = world.domain(1);
          const map = open(domain, bounds, kind);
          const held = fill(map);
          const pages = takePages(domain);
          assert.ok(held.length > 500, `only ${held.length}`);
          assert.deepEqual(map.check(), []);
          const left = arrange([...held], random);
          for (const [i, n] of left.entries()) {
            assert.equal(map.delete(n), true, `entry ${n}, ${i} of ${left.length}, ${order}`);
            assert.equal(map.has(n), false);
          }
          assert.equal(map.size, 0);
          assert.deepEqual(map.check(), []);
          for (const page of pages) domain.arena.heap.freePages(page);
          flush(domain);
          domain.detach();
          assert.deepEqual(audit(world), empty, order);
        }
      }
    });

    test(`${name}: deletions of many entries at once, and trimming, while it is full`, () => {
      const random = new Random(seedOf(`wide ${name}`));
      for (let round = 0; round < 12; round++) {
        const world = new World(random.pick([0, 60, 300]));
        const domain = world.domain(1);
        const map = open(domain, bounds, kind);
        const held = shuffle(fill(map), random);
        takePages(domain);
        for (let i = 0; i < 40 && map.size > 0; i++) {
          const n = random.pick(held);
          map.delete(n, n + random.below(random.pick([1, 8, 100, held.length])));
        }
        map.clear();
        assert.equal(map.size, 0);
        assert.deepEqual(map.check(), []);
        assert.deepEqual(domain.arena.check(), []);
        domain.detach();
      }
    });

    test(`${name}: the reserve is not used up by those who set after each deletion`, () => {
      const random = new Random(seedOf(`again ${name}`));
      const world = new World(20);
      const domain = world.domain(1);
      const { heap } = domain.arena;
      const map = open(domain, bounds, kind);
      const held = new Set(fill(map));
      takePages(domain);
      let next = held.size;
      for (let round = 0; round < 300; round++) {
        const gone = random.pick([...held]);
        map.delete(gone);
        held.delete(gone);
        for (let tries = 0; tries < 40; tries++) {
          try {
            map.set(next);
            held.add(next++);
          } catch (error) {
            assert.ok(error instanceof OutOfMemoryError, String(error));
            break;
          }
        }
      }
      assert.equal(map.size, held.size);
      for (const n of held) assert.ok(map.delete(n));
      flush(domain);
      assert.ok(heap.pages.free >= heap.reservePages, "it has filled again by itself");
      assert.deepEqual(domain.arena.check(), []);
      domain.detach();
    });
  }
}

test("several maps fill the arena between them, and each can be emptied, whichever comes first", () => {
  const random = new Random(seedOf("several maps"));
  for (let round = 0; round < 6; round++) {
    const world = new World(random.pick([0, 100]), { caches: 48 });
    const domain = world.domain(1);
    const maps = Array.from({ length: 10 }, (_, i) =>
      open(domain, random.pick(Object.keys(boundsOf) as Bounds[]), random.pick(Object.keys(VALUES) as ValueKind[]), `map ${i}`),
    );
    const entries: [AnyMap, number][] = [];
    for (const map of maps)
      for (let n = 0; n < 20; n++) {
        map.set(n);
        entries.push([map, n]);
      }
    for (const map of shuffle([...maps], random)) for (const n of fill(map, 20)) entries.push([map, n]);
    takePages(domain);
    if (round % 2 === 0) shuffle(entries, random);
    for (const [map, n] of entries) assert.ok(map.delete(n), `${map.name}, ${n}`);
    for (const map of maps) assert.deepEqual(map.check(), []);
    assert.deepEqual(domain.arena.check(), []);
    domain.detach();
  }
});

test("a range that is split in two takes memory, and is refused when there is none: nothing has changed", () => {
  const domain = new World().domain(1);
  const map = openMap(domain, { bounds: "u32", value: u16 });
  map.set(0, 1000, 7);
  for (let n = 0; ; n++) {
    try {
      map.set(2000 + 2 * n, 2000 + 2 * n, 1);
    } catch {
      break;
    }
  }
  takePages(domain);
  const before = [...map.entries()];
  const { heap } = domain.arena;
  const free = heap.pages.free;
  let hole = 0;
  assert.throws(() => {
    for (; hole < 400; hole++) map.delete(2 * hole + 1, 2 * hole + 1);
  }, OutOfMemoryError);
  assert.equal(heap.pages.free, free, "the reserve was not touched");
  assert.equal(map.size, before.length + hole);
  assert.ok(map.delete(2000, 2000));
  assert.deepEqual(map.check(), []);
  domain.detach();
});
