/**
 * The heart of QSBR as a toy, correct and broken: readers with an online word, a writer that
 * unlinks, starts a grace period, scans the readers and frees. What the real scenarios will look like.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { explore, replay } from "../../check/explore.js";
import type { Scenario, Thread } from "../../check/scenario.js";
import type { Address } from "../../src/memory/address.js";

const POINTER = 1 as Address;
const GP = 2 as Address;
const SLOTS = 3;
const OLD = 16 as Address;
const NEW = 24 as Address;

type Bug = "none" | "no scan" | "offline before the last read" | "first slot skipped" | "plain online";

function reader(slot: number, sections: number, bug: Bug): Thread {
  const word = (SLOTS + slot) as Address;
  return (m) => {
    const seen: number[] = [];
    for (let i = 0; i < sections; i++) {
      // Online: publish what we saw of the grace period, and look again, since it may have moved on.
      for (let gp = m.load(GP); ; ) {
        if (bug === "plain online") m.write(word, gp);
        else m.store(word, gp);
        const again = m.load(GP);
        if (again === gp) break;
        gp = again;
      }
      const block = m.load(POINTER) as Address;
      if (bug === "offline before the last read") m.store(word, 0);
      seen.push(m.read(block));
      if (bug !== "offline before the last read") m.store(word, 0);
    }
    return seen;
  };
}

function writer(readers: number, bug: Bug): Thread {
  return (m, { annotate }) => {
    annotate.allocated(NEW, 2);
    m.write(NEW, 2);
    m.store(POINTER, NEW);
    const target = m.add(GP, 1) + 1;
    for (let slot = bug === "first slot skipped" ? 1 : 0; slot < readers && bug !== "no scan"; slot++) {
      for (;;) {
        const seen = m.load((SLOTS + slot) as Address);
        if (seen === 0 || seen >= target) break;
      }
    }
    annotate.freed(OLD, 2);
    // What a freed block is used for next.
    annotate.allocated(OLD, 2);
    m.write(OLD, -1);
  };
}

function qsbr(readers: number, sections: number, bug: Bug): Scenario {
  return {
    name: `QSBR, ${readers} readers of ${sections} sections, bug: ${bug}`,
    label: (address) => ["null", "pointer", "gp", "slot a", "slot b"][address] ?? (address >= NEW ? "new" : "old"),
    setup: (m) => {
      m.store(GP, 1);
      m.write(OLD, 1);
      m.store(POINTER, OLD);
    },
    threads: [...Array.from({ length: readers }, (_, slot) => reader(slot, sections, bug)), writer(readers, bug)],
    verify: (_, results) => {
      for (const seen of results.slice(0, readers)) for (const value of seen as number[]) assert.ok(value === 1 || value === 2);
    },
  };
}

test("the correct one is explored completely", (t) => {
  for (const [readers, sections] of [
    [1, 1],
    [1, 3],
    [2, 1],
    [2, 2],
  ] as const) {
    const result = explore(qsbr(readers, sections, "none"));
    assert.equal(result.failure, undefined);
    assert.equal(result.complete, true);
    t.diagnostic(`${result.scenario}: ${result.executions} executions, ${result.redundant} redundant, ${result.accesses} accesses, ${result.perSecond}/s`);
  }
});

for (const bug of ["no scan", "offline before the last read", "first slot skipped", "plain online"] as const) {
  test(`found: ${bug}`, (t) => {
    const scenario = qsbr(2, 1, bug);
    const { failure, executions, seconds } = explore(scenario);
    assert.ok(failure?.kind === "race" || failure?.kind === "use-after-free", failure?.message);
    assert.equal(replay(scenario, failure.schedule).failure?.message, failure.message);
    t.diagnostic(`${failure.message}: after ${executions} executions, ${(seconds * 1000).toFixed(1)} ms, schedule ${failure.schedule}`);
    // The values alone show it too, without shadow memory, when the plain accesses are explored.
    const blind = explore(scenario, { races: false, plain: "visible" });
    if (bug !== "plain online") assert.equal(blind.failure?.kind, "verify");
  });
}
