/**
 * A thread dies at every single access of what a domain does; another one reaps it, and grace periods go on.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMIT } from "../../check/support/watchdog.js";
import type { Address } from "../../src/memory/address.js";
import type { Domain } from "../../src/rcu/domain.js";
import { audit } from "../support/audit.js";
import type { DyingMemory } from "../support/dying-memory.js";
import { flush, reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

interface Script {
  readonly name: string;
  /** `live`: what the thread has been given and not retired, kept up by the script. */
  run(attach: () => Domain, live: Set<Address>): void;
}

const take = (domain: Domain, live: Set<Address>, bytes: number): Address => {
  const object = domain.arena.heap.kmalloc(bytes);
  live.add(object);
  return object;
};

const retire = (domain: Domain, live: Set<Address>, object: Address): void => {
  domain.retire(object);
  live.delete(object);
};

const scripts: readonly Script[] = [
  {
    name: "attach, a section, retire, leave with it in limbo",
    run(attach, live) {
      const domain = attach();
      domain.readLock();
      const objects = [take(domain, live, 64), take(domain, live, 4096)];
      domain.readUnlock();
      for (const object of objects) retire(domain, live, object);
      domain.detach();
    },
  },
  {
    name: "retire more than fits one look, in a long turn",
    run(attach, live) {
      const domain = attach();
      for (let round = 0; round < 1; round++) {
        const objects = Array.from({ length: 66 }, () => take(domain, live, 256));
        for (const object of objects) retire(domain, live, object);
        domain.read(() => {});
        domain.afterUpdate();
      }
    },
  },
  {
    name: "synchronizeSync, sections around it, leave",
    run(attach, live) {
      const domain = attach();
      domain.read(() => {});
      retire(domain, live, take(domain, live, 100));
      domain.synchronizeSync();
      domain.readLock();
      domain.readUnlock();
      domain.quiescent();
      domain.offline(() => {});
      flush(domain);
      domain.detach();
    },
  },
];

async function everywhere(script: Script, others: boolean): Promise<number> {
  const world = new World(64);
  const empty = audit(world);
  world.snapshot();
  for (let access = 1; ; access++) {
    world.restore();
    // Another thread that is there all the while, and retires too.
    const other = others ? world.domain(THIRD) : undefined;
    const othersObject = other?.arena.heap.kmalloc(64);
    const memory: DyingMemory = world.dying();
    const live = new Set<Address>();
    memory.arm(access);
    const died = memory.run(() => script.run(() => world.domain(VICTIM, memory), live));
    const when = `death before access ${access} (${memory.last})`;
    memory.kill();
    if (othersObject !== undefined) other?.retire(othersObject);
    const survivor = world.domain(SURVIVOR);
    survivor.read(() => {});
    reapAll([VICTIM], (thread, timeout) => survivor.reap(thread, timeout));
    survivor.synchronizeSync({ timeout: LIMIT });
    flush(survivor);
    if (other !== undefined) flush(other);
    assert.deepEqual(
      survivor.stats().slots.map(({ thread }) => thread),
      others ? [THIRD, SURVIVOR] : [SURVIVOR],
      `${when}: slots`,
    );
    for (const index of survivor.arena.heap.cacheIndexes()) {
      for (const object of survivor.arena.heap.liveObjects(index)) {
        assert.ok(live.has(object), `${when}: ${object} is live, and was never given, or was retired`);
        survivor.arena.heap.kfree(object);
        live.delete(object);
      }
    }
    assert.ok(live.size <= 1, `${when}: what was the dead thread's is gone`); // one may have been on its way to limbo
    other?.detach();
    survivor.detach();
    assert.deepEqual(audit(world, when), empty, when);
    if (access % 200 === 0) await turn();
    if (!died) return access - 1;
  }
}

for (const script of scripts) {
  for (const others of [false, true]) {
    test(`a thread dies at each access of: ${script.name}${others ? ", beside another thread" : ""}`, async () => {
      const deaths = await everywhere(script, others);
      assert.ok(deaths > 50, `${deaths} deaths are too few to mean anything`);
    });
  }
}
