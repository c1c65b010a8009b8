/** What litmus tests forbid never happens, and what they allow is seen. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { litmusTests } from "../../check/litmus/index.js";
import { asScenario, runLitmus } from "../../check/litmus/litmus.js";
import { patch } from "../../check/mutants/mutant.js";
import { EXPLORE } from "../../check/scenarios/options.js";
import { Site } from "../../src/rcu/flavors/site.js";
import { VERIFICATION } from "../support/verification.js";

for (const litmus of litmusTests) {
  test(`${litmus.verdict}: ${litmus.name}`, (t) => {
    const { ok, seen, executions, complete, failure } = runLitmus(litmus, EXPLORE);
    assert.equal(failure, undefined, failure?.text);
    assert.equal(complete, true);
    assert.ok(ok, `${litmus.outcome}: seen in ${seen} of ${executions} executions`);
    t.diagnostic(`seen in ${seen} of ${executions} executions`);
  });
}

test("a verdict that is wrong is seen to be", () => {
  const allowed = litmusTests.find(({ verdict }) => verdict === "Allowed");
  const never = litmusTests.find(({ verdict }) => verdict === "Never");
  assert.ok(allowed !== undefined && never !== undefined);
  const refuted = runLitmus({ ...allowed, verdict: "Never" }, EXPLORE);
  assert.equal(refuted.ok, false);
  assert.match(refuted.failure?.message ?? "", /must never happen/);
  assert.equal(runLitmus({ ...never, verdict: "Allowed" }, EXPLORE).ok, false);
});

/** Those that stand on publication, on sequential consistency or on a lock, and need no grace period. */
const WITHOUT = /^(MP|SB|LB|double-check)/;

for (const litmus of litmusTests.filter(({ verdict }) => verdict === "Never")) {
  test(`${WITHOUT.test(litmus.name) ? "needs no" : "needs a"} grace period: ${litmus.name}`, () => {
    const restore = patch(Site.prototype, "isLive", () => () => false); // grace periods wait for nobody
    try {
      assert.equal(runLitmus(litmus, EXPLORE).ok, WITHOUT.test(litmus.name));
    } finally {
      restore();
    }
  });
}

test("the verdicts are those of docs/verification.md", () => {
  for (const { name, verdict, outcome } of litmusTests) assert.ok(VERIFICATION.includes(`| ${name} | ${verdict} | ${outcome} |`), `${name}: ${verdict}`);
});

test("a litmus test that fails can be run again by its name", () => {
  const names = litmusTests.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const litmus of litmusTests) assert.equal(asScenario(litmus).name, litmus.name);
});

test("npm run check gives scenarios and litmus tests as JSON", () => {
  const main = fileURLToPath(new URL("../../check/main.js", import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [main, "--json", "RCU+sync+free", "nested sections against"], { encoding: "utf8" });
  assert.equal(status, 0);
  const { complete, racesFound, scenarios, litmus } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual([complete, racesFound, (scenarios as unknown[]).length], [true, 0, 3]);
  const [{ name, verdict, observed, executions, ok }, ...others] = litmus as [Record<string, unknown>];
  assert.deepEqual([name, verdict, observed, ok, others.length], ["RCU+sync+free", "Never", false, true, 2]);
  assert.ok((executions as number) > 1);
});
