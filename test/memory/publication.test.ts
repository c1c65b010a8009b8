/**
 * Publication by itself: a word, blocks that take each other's place in it, a count for each thread. Two publishers in each other's way at every access;
 * a publisher, and its reaper, dead at any access; a note that an exception left.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, field, NULL } from "../../src/memory/address.js";
import { Header } from "../../src/memory/layout.js";
import { Publication } from "../../src/memory/publication.js";
import type { Domain } from "../../src/rcu/domain.js";
import { type InUse, inUse, isAsAtStart } from "../support/shared-maps.js";
import { flush, reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

const TAG = -0x12345;
const patient = { retireLimit: Number.POSITIVE_INFINITY };

/** One thread's part: puts a block, which names another, into the word that stands first in `base`; its count follows. */
class Publisher {
  readonly domain: Domain;
  readonly #publication: Publication;
  readonly #base: Address;
  readonly #count: Address;

  constructor(domain: Domain, base: Address) {
    this.domain = domain;
    this.#base = base;
    this.#count = field(base, 1 + domain.arena.heap.slot.index);
    this.#publication = new Publication(domain.arena.heap, TAG, domain.index);
  }

  /** Replace what is there. Gives whether nobody was faster. @param between runs between looking and publishing */
  replace(bytes: number, between: () => void = () => {}): boolean {
    const { domain } = this;
    const { memory, heap } = domain.arena;
    const publication = this.#publication;
    const value = publication.take(bytes);
    memory.write(value, 7);
    const nesting = domain.reader.begin();
    let isDone = false;
    let block = NULL as Address;
    try {
      const from = memory.load(this.#base) as Address;
      block = publication.take(8);
      memory.write(block, value);
      const oldValue = from === NULL ? NULL : (memory.read(from) as Address);
      if (from !== NULL) publication.settle(from);
      if (oldValue !== NULL) publication.settle(oldValue);
      between();
      const change = { word: this.#base, from, to: block, block, value, oldBlock: from, oldValue, counter: this.#count, added: 1 };
      isDone = publication.publish(change);
      if (isDone) {
        if (from !== NULL) domain.retire(from);
        if (oldValue !== NULL) domain.retire(oldValue);
        publication.done();
      }
    } finally {
      domain.reader.endTo(nesting);
    }
    if (!isDone) for (const mine of [block, value]) heap.kfree(mine);
    return isDone;
  }
}

interface Start {
  readonly world: World;
  readonly base: Address;
  readonly empty: InUse;
}

function start(): Start {
  const world = new World(40);
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const { heap, memory } = domain.arena;
  const base = heap.kmalloc(64, TAG + 1);
  memory.fill(base, 16, 0);
  domain.detach();
  const empty = inUse(world);
  const first = world.domain(SURVIVOR, world.memory, patient);
  assert.ok(new Publisher(first, base).replace(100));
  flush(first);
  first.detach();
  world.snapshot();
  return { world, base, empty };
}

/** What must hold when all the dead are reaped: the block in the word and its value are there, and no other; as many are counted as were published. */
function settle({ world, base, empty }: Start, dead: readonly number[], published: readonly number[], when: string): void {
  const domain = world.domain(SURVIVOR, world.memory, patient);
  const { heap, memory } = domain.arena;
  reapAll(dead, (thread, timeout) => domain.reap(thread, timeout));
  flush(domain);
  const block = memory.load(base) as Address;
  const value = memory.read(block) as Address;
  assert.equal(memory.read(value), 7, when);
  assert.deepEqual(heap.ownedBy(TAG).sort(), [block, value].sort(), `${when}: what is linked, and nothing else, is the structure's`);
  let counted = 0;
  for (let slot = 0; slot < 8; slot++) counted += memory.load(field(base, 1 + slot));
  assert.ok(published.includes(counted), `${when}: ${counted} were counted`);
  assert.deepEqual(domain.arena.check(), [], when);
  // The one that is counted last is the one in the word.
  const publisher = new Publisher(domain, base);
  assert.ok(publisher.replace(20), when);
  const last = memory.load(base) as Address;
  memory.store(base, NULL);
  for (const mine of [memory.read(last) as Address, last]) domain.retire(mine);
  flush(domain);
  domain.detach();
  isAsAtStart(world, empty, when);
}

for (const bytes of [8, 300, 9000]) {
  test(`a publisher dies at each access; values of ${bytes} bytes`, async () => {
    const all = start();
    const { world, base } = all;
    let deaths = 0;
    for (let access = 1, isAlive = false; !isAlive; access++) {
      world.restore();
      const memory = world.dying();
      const victim = new Publisher(world.domain(VICTIM, memory, patient), base);
      memory.arm(access);
      isAlive = !memory.run(() => void victim.replace(bytes));
      memory.kill();
      settle(all, [VICTIM], isAlive ? [2] : [1, 2], `death before access ${access} (${memory.last})`);
      if (++deaths % 200 === 0) await turn();
    }
    assert.ok(deaths > 40);
  });

  test(`a publisher is held up, or dies, at each access while another unlinks what it published; values of ${bytes} bytes`, async () => {
    for (const isDying of [false, true]) {
      const all = start();
      const { world, base } = all;
      for (let access = 1, isReached = true; isReached; access++) {
        world.restore();
        const memory = world.dying();
        const first = new Publisher(world.domain(VICTIM, memory, patient), base);
        const second = new Publisher(world.domain(THIRD, world.memory, patient), base);
        isReached = false;
        let done = 1;
        memory.hook = (now) => {
          if (now !== access || isHoldingLock(world)) {
            if (now === access) isReached = true;
            return;
          }
          isReached = true;
          memory.hook = undefined;
          for (let i = 0; i < 3; i++) {
            assert.ok(second.replace(bytes));
            done++;
          }
          if (isDying) memory.arm(0); // at this very access
        };
        memory.arm();
        let isDone = false;
        const died = memory.run(() => {
          isDone = first.replace(bytes);
        });
        memory.hook = undefined;
        const when = `before access ${access} (${memory.last})`;
        if (!died) first.domain.detach();
        else memory.kill();
        second.domain.offline(() => {});
        second.domain.detach();
        settle(all, died ? [VICTIM] : [], died ? [done, done + 1] : [done + (isDone ? 1 : 0)], when);
        if (access % 200 === 0) await turn();
      }
    }
  });
}

function isHoldingLock(world: World): boolean {
  return world.memory.load(Header.ARENA_LOCK) !== 0;
}

test("the reaper of a publisher dies at each access too", async () => {
  const all = start();
  const { world, base } = all;
  let deaths = 0;
  for (let access = 5, isAlive = false; !isAlive; access += 11) {
    for (let second = 1, isReaping = true; isReaping; second += 19) {
      world.restore();
      const memory = world.dying();
      const victim = new Publisher(world.domain(VICTIM, memory, patient), base);
      memory.arm(access);
      isAlive = !memory.run(() => void victim.replace(300));
      memory.kill();
      const memory2 = world.dying();
      const reaper = world.domain(THIRD, memory2, patient);
      memory2.arm(second);
      isReaping = memory2.run(() => void reaper.reap(VICTIM, 0));
      memory2.kill();
      settle(all, [THIRD, VICTIM], [1, 2], `death before access ${access} (${memory.last}), the reaper's before ${second} (${memory2.last})`);
      if (++deaths % 200 === 0) await turn();
    }
  }
  assert.ok(deaths > 200);
});
