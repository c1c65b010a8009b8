/** A writer dies at each access of a deletion that takes from the reserve; another thread reaps it, deletes the rest, and everything is free. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openMap } from "../../check/support/open-map.js";
import { NULL, type Order } from "../../src/memory/address.js";
import { OutOfMemoryError } from "../../src/memory/errors.js";
import type { Domain } from "../../src/rcu/domain.js";
import type { IntervalMap } from "../../src/structures/interval-map.js";
import { u16 } from "../../src/values/scalars.js";
import { audit, type Usage } from "../support/audit.js";
import { flush, SURVIVOR, turn, VICTIM, World } from "../support/world.js";

type Map16 = IntervalMap<"u32", number>;

const open = (domain: Domain): Map16 => openMap(domain, { bounds: "u32", value: u16 });

/** A map of one slab, full, and no page left but the reserve. */
function fullWorld(): { world: World; count: number } {
  const world = new World();
  const domain = world.domain(SURVIVOR);
  const { heap } = domain.arena;
  const map = open(domain);
  map.set(0, 0, 0);
  while (heap.allocPages(0 as Order) !== NULL);
  const fits = (key: number, value: number): boolean => {
    try {
      map.set(key, key, value);
      return true;
    } catch (error) {
      assert.ok(error instanceof OutOfMemoryError, String(error));
      return false;
    }
  };
  let count = 1;
  while (count < 1000 && fits(4 * count, count)) count++;
  // Where an insertion takes one node and no rotation there may still be room.
  for (let n = 0; n < count; n++) fits(4 * n + 2, 60_000 + n);
  flush(domain);
  domain.detach();
  world.snapshot();
  return { world, count };
}

function emptyIt(domain: Domain, map: Map16, count: number): void {
  for (let n = 0; n < count; n++) map.delete(4 * n, 4 * n + 3);
  assert.equal(map.size, 0);
  flush(domain);
}

async function dieEverywhere(name: string, update: (map: Map16, count: number) => void): Promise<void> {
  const { world, count } = fullWorld();
  assert.ok(count > 50 && count < 1000, `${count} entries`);
  const peaceful = world.domain(SURVIVOR);
  emptyIt(peaceful, open(peaceful), count);
  peaceful.detach();
  const empty: Usage = audit(world);
  let deaths = 0;
  let overdrawn = 0;
  for (let access = 1; ; access++) {
    world.restore();
    const memory = world.dying();
    const victim = world.domain(VICTIM, memory);
    const map = open(victim);
    memory.arm(access);
    const died = memory.run(() => update(map, count));
    const when = `${name}: death before access ${access} (${memory.last})`;
    memory.kill();
    const survivor = world.domain(SURVIVOR);
    if (survivor.arena.heap.pages.isShort) overdrawn++;
    survivor.reap(VICTIM, 0);
    const its = open(survivor);
    emptyIt(survivor, its, count);
    assert.deepEqual(its.check(), [], when);
    assert.deepEqual(survivor.arena.check(), [], when);
    survivor.detach();
    assert.deepEqual(audit(world, when), empty, when);
    if (access % 200 === 0) await turn();
    if (!died) break;
    deaths++;
  }
  assert.ok(deaths > 50, `${deaths} deaths are too few to mean anything`);
  assert.ok(overdrawn > 20, `only ${overdrawn} times with a page of the reserve`);
}

test("one entry of a full arena", () => dieEverywhere("one", (map) => map.delete(4 * 31, 4 * 31)));
test("a range of entries of a full arena", () => dieEverywhere("many", (map, count) => map.delete(4 * (count - 40), 4 * (count - 9))));
