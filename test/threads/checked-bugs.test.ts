/** The tester tested: each kind of error, made on purpose between two real threads, is reported with the stacks of both. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CheckedArena } from "../../check/real/checked-arena.js";
import { CheckedCrew } from "../../check/real/checked-crew.js";
import type { Report, Sampling } from "../../check/real/checked-thread.js";
import { LIMIT } from "../../check/support/watchdog.js";
import { type Address, field } from "../../src/memory/address.js";
import { type BugJob, type BugName, bugs, FLAG, POINTER, WORD } from "./checked-bugs-job.js";

const file = new URL("./checked-bugs-worker.js", import.meta.url);

/** What is found when two threads do what the bug needs. */
async function reportOf(bug: BugName, sampling: Sampling = {}): Promise<Report | undefined> {
  const arena = CheckedArena.create({ threads: 3, sampling });
  const crew = new CheckedCrew(arena);
  const common = arena.domain.arena.heap.kmalloc(64) as Address;
  for (const word of [POINTER, FLAG, WORD]) arena.thread.memory.store(field(common, word), 0);
  const meeting = new SharedArrayBuffer(12);
  const found = crew.run(async () => {
    const hands = ([0, 1] as const).map((side) => crew.start<BugJob>(file, `side ${side}`, { bug, side, common, meeting }));
    await crew.within(LIMIT, "both sides to end", Promise.all(hands.map(({ result }) => result)));
  });
  await found.catch((error: Error) => assert.match(error.message, /^the checker found:/, "the test fails, and says why"));
  return crew.report;
}

for (const [name, { kind, sites, word }] of Object.entries(bugs)) {
  test(`reported with both stacks: ${name}`, async () => {
    const report = await reportOf(name as BugName);
    assert.ok(report !== undefined, "nothing was reported");
    assert.equal(report.kind, kind, report.message);
    assert.match(report.message, word);
    assert.match(report.message, /thread \d \(side [01]\)/);
    assert.equal(report.stacks.length, 2, report.stacks.join("\n"));
    // Whichever came first: each of the two is in a stack of its own.
    const at = sites.map((site) => report.stacks.findIndex((stack) => stack.includes(site)));
    assert.deepEqual(at.sort(), [0, 1], report.stacks.join("\n"));
    assert.match(report.stacks[1] ?? "", /, earlier:/);
    for (const stack of report.stacks) assert.doesNotMatch(stack, /check[\\/]real[\\/]/, "frames of the checker are left out");
  });
}

test("with sites left out, what is wrong is reported still", async () => {
  const report = await reportOf("an atomic word is read plainly while it is written", { sites: 1_000_000 });
  assert.equal(report?.kind, "race");
  assert.match(report.stacks[1] ?? "", /not kept/);
});
