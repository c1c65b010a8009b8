/** Grace periods, single-threaded: several domains of one arena stand for several threads. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { randomOf, seedOf } from "../../check/support/seed.js";
import { openLayout } from "../../src/memory/layout.js";
import type { Domain } from "../../src/rcu/domain.js";
import type { GracePeriods } from "../../src/rcu/flavors/flavor.js";
import { formatDomain } from "../../src/rcu/flavors/open.js";
import { ReaderWord, readerWord } from "../../src/rcu/layout.js";
import { flush, turn, World } from "../support/world.js";

const seenOf = (domain: Domain): number => domain.arena.memory.load(readerWord(domain.arena.layout, domain.arena.heap.slot.index, 0, ReaderWord.SEEN));

function startingAt(sequence: number | undefined): { periods: GracePeriods; domains: [Domain, Domain, Domain] } {
  const world = new World();
  if (sequence !== undefined) formatDomain(world.memory, openLayout(world.memory), 0, { sequence });
  const domains: [Domain, Domain, Domain] = [world.domain(1), world.domain(2), world.domain(3)];
  return { periods: domains[0].periods, domains };
}

const starts: readonly (readonly [string, number | undefined])[] = [
  ["as the library begins", undefined],
  ["across 2^31", 2 ** 31 - 41],
  ["across 2^32", -41],
  ["from 1", 1],
];

for (const [name, first] of starts) {
  test(`a cookie is over when every section from before it has ended, and not before: ${name}`, () => {
    const { periods, domains } = startingAt(first);
    const random = randomOf(seedOf(name));
    /** For each cookie: who was in a section when it was taken and has not ended that section since. */
    const waiting = new Map<number, { cookie: ReturnType<GracePeriods["start"]>; on: Set<Domain> }>();
    let overs = 0;
    let helds = 0;
    for (let step = 0; step < 1500; step++) {
      const domain = domains[random(3)] as Domain;
      switch (random(5)) {
        case 0:
          domain.readLock();
          break;
        case 1:
        case 2:
          if (domain.reader.nesting === 0) domain.offline(() => {});
          else {
            domain.readUnlock();
            if (domain.reader.nesting === 0) domain.quiescent();
          }
          break;
        case 3:
          if (domain.reader.nesting === 0) domain.quiescent();
          break;
        default: {
          const cookie = periods.start();
          assert.equal(cookie & 1, 1, "never 0, which is offline");
          waiting.set(step, { cookie, on: new Set(domains.filter((d) => d.reader.nesting > 0)) });
        }
      }
      for (const { on } of waiting.values()) for (const d of on) if (d.reader.nesting === 0) on.delete(d);
      // Outside sections they are all quiescent, so exactness can be asked for.
      for (const d of domains) d.quiescent();
      for (const [at, { cookie, on }] of waiting) {
        const over = periods.isOver(cookie);
        assert.equal(over, on.size === 0, `step ${step}: cookie of step ${at}`);
        if (over) {
          overs++;
          assert.equal(periods.isOver(cookie), true, "what is over stays over");
          waiting.delete(at);
        } else helds++;
      }
    }
    assert.ok(overs > 100 && helds > 100, `${overs} over, ${helds} held: too few to mean anything`);
    for (const domain of domains) {
      while (domain.reader.nesting > 0) domain.readUnlock();
      domain.detach();
    }
  });

  test(`memory goes round and round: ${name}`, () => {
    const { domains } = startingAt(first);
    const [a, b] = domains;
    for (let round = 0; round < 60; round++) {
      const object = a.arena.heap.kmalloc(64);
      b.readLock();
      a.retire(object);
      for (let i = 0; i < 70; i++) a.retire(a.arena.heap.kmalloc(16));
      a.afterUpdate();
      assert.equal(a.arena.heap.isLive(object), false);
      assert.equal(a.stats().waiting, 71, "held by the other's section");
      b.readUnlock();
      b.offline(() => {});
      flush(a);
      assert.equal(a.stats().waiting, 0, `round ${round}`);
      a.synchronizeSync();
    }
    assert.deepEqual(a.arena.check(), []);
    assert.ok(a.stats().gracePeriods >= 120);
    for (const domain of domains) domain.detach();
  });
}

test("a grace period that is under way does not count for who asks later", () => {
  const { periods, domains } = startingAt(undefined);
  const [a, b] = domains;
  a.readLock();
  const early = periods.start();
  b.readLock();
  const late = periods.start();
  a.readUnlock();
  a.quiescent();
  assert.deepEqual([periods.isOver(early), periods.isOver(late)], [true, false]);
  b.readUnlock();
  b.quiescent();
  assert.deepEqual([periods.isOver(early), periods.isOver(late)], [true, true]);
  for (const domain of domains) domain.detach();
});

test("a dead thread's section holds nothing up once it is reaped", async () => {
  const { periods, domains } = startingAt(undefined);
  const [a, b] = domains;
  b.readLock();
  const cookie = periods.start();
  assert.equal(periods.isOver(cookie), false);
  assert.equal(a.reap(2), true);
  assert.equal(periods.isOver(cookie), true);
  assert.equal(a.reap(2), false, "it is not there any more");
  a.synchronizeSync();
  await a.synchronize();
});

test("a turn: offline before it, online from its first section, offline after it", async () => {
  const world = new World();
  const domain = world.domain(1);
  assert.equal(seenOf(domain), 0);
  domain.read(() => assert.notEqual(seenOf(domain), 0));
  assert.notEqual(seenOf(domain), 0, "to the end of the turn");
  domain.read(() => {});
  await turn();
  assert.equal(seenOf(domain), 0);
  domain.readLock();
  domain.readLock();
  const seen = seenOf(domain);
  domain.periods.start();
  domain.readUnlock();
  domain.quiescent();
  assert.equal(seenOf(domain), seen, "never moved on in a section");
  domain.readUnlock();
  domain.quiescent();
  assert.notEqual(seenOf(domain), seen);
  domain.offline(() => assert.equal(seenOf(domain), 0));
  domain.read(() => assert.notEqual(seenOf(domain), 0, "online again in the same turn"));
  await undefined;
  await undefined;
  assert.equal(seenOf(domain), 0);
  domain.detach();
});

test("a long loop of sections in one turn passes quiescent states by itself", () => {
  const { periods, domains } = startingAt(undefined);
  const [a] = domains;
  for (let round = 0; round < 5; round++) {
    a.read(() => {});
    const cookie = periods.start();
    let sections = 0;
    for (; !periods.isOver(cookie); sections++) {
      a.read(() => {});
      assert.ok(sections < 40, "not after 40 sections");
    }
  }
  for (const domain of domains) domain.detach();
});
