/** Blocks that a thread took for itself and has not published are freed with it, at whatever access it dies; those it published are not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, NULL, type Order } from "../../src/memory/address.js";
import { InvalidAddressError } from "../../src/memory/errors.js";
import { reapThread } from "../../src/memory/reap.js";
import { audit, liveIn } from "../support/audit.js";
import { onEachAllocator } from "../support/each-allocator.js";
import { SURVIVOR, turn, VICTIM, World } from "../support/world.js";

const TAG = 5;
const SIZES = [8, 100, 4096, 20_000];

onEachAllocator("a thread dies at each access of taking blocks for itself, publishing some and freeing one", async (options) => {
  const world = new World(96, options);
  const empty = audit(world);
  world.snapshot();
  let deaths = 0;
  for (let access = 1; ; access++) {
    world.restore();
    const memory = world.dying();
    let published: readonly Address[] = [];
    let publishing: Address = NULL;
    memory.arm(access);
    const died = memory.run(() => {
      const { heap } = world.arena(VICTIM, memory);
      const blocks = SIZES.map((bytes) => heap.kmalloc(bytes, heap.unpublished));
      const page = heap.allocPages(0 as Order, { tag: heap.unpublished });
      heap.kfree(blocks[1] as Address);
      for (const block of [blocks[0] as Address, page]) {
        publishing = block;
        heap.publish(block, TAG);
        published = [...published, block];
        publishing = NULL;
      }
    });
    const when = `death before access ${access} (${memory.last})`;
    memory.kill();
    const survivor = world.arena(SURVIVOR);
    reapThread(survivor.heap, VICTIM);
    assert.deepEqual(survivor.check(), [], when);
    const left = survivor.heap.ownedBy(TAG);
    assert.deepEqual(
      liveIn(survivor),
      [...left].sort((a, b) => a - b),
      `${when}: only what was published lives`,
    );
    for (const block of published) assert.ok(left.includes(block), `${when}: ${block} was published, and is gone`);
    for (const block of left) assert.ok(published.includes(block) || block === publishing, `${when}: ${block} was not published`);
    for (const block of left) survivor.heap.kfree(block);
    survivor.detach();
    assert.deepEqual(audit(world, when), empty, when);
    if (!died) break;
    if (++deaths % 500 === 0) await turn();
  }
  assert.ok(deaths > 100);
});

test("a thread that leaves frees what it has not published; what is not its own it cannot publish", () => {
  const world = new World(64);
  const empty = audit(world);
  const [one, two] = [world.arena(VICTIM), world.arena(SURVIVOR)];
  const [mine, shared] = [one.heap.kmalloc(64, one.heap.unpublished), one.heap.kmalloc(64, one.heap.unpublished)];
  for (const address of [two.heap.kmalloc(64, 3), two.heap.kmalloc(64)]) {
    assert.throws(() => one.heap.publish(address), InvalidAddressError);
    two.heap.kfree(address);
  }
  assert.throws(() => two.heap.publish(mine), InvalidAddressError);
  one.heap.publish(shared);
  assert.throws(() => one.heap.publish(shared), InvalidAddressError);
  one.detach();
  assert.deepEqual(two.heap.ownedBy(0), [shared]);
  two.heap.kfree(shared);
  two.detach();
  assert.deepEqual(audit(world), empty);
});
