/** The scenarios of the shipped code hold, completely; and each guarantee, once broken, is seen to be. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { explore, replay } from "../../check/explore.js";
import type { Scenario } from "../../check/scenario.js";
import { scenarios } from "../../check/scenarios/index.js";
import { EXPLORE } from "../../check/scenarios/options.js";
import { type Mutant, mutants } from "./mutants.js";

for (const scenario of scenarios) {
  test(scenario.name, (t) => {
    const { failure, complete, executions, perSecond } = explore(scenario, EXPLORE);
    assert.equal(failure, undefined, failure?.text);
    assert.equal(complete, true);
    t.diagnostic(`${executions} executions, ${perSecond}/s`);
  });
}

/** The scenario, run by the broken code. */
function broken(mutant: Mutant): Scenario {
  const scenario = scenarios.find(({ name }) => name === mutant.scenario);
  assert.ok(scenario, `there is no scenario "${mutant.scenario}"`);
  const { memory } = mutant;
  if (memory === undefined) return scenario;
  return { ...scenario, threads: scenario.threads.map((run, thread) => (inner, tools) => run(memory(inner, thread), tools)) };
}

for (const mutant of mutants) {
  test(`found: ${mutant.name}`, (t) => {
    const restore = mutant.patch?.();
    try {
      const scenario = broken(mutant);
      const { failure, executions } = explore(scenario, EXPLORE);
      assert.ok(failure !== undefined && mutant.kinds.includes(failure.kind), `${failure?.kind ?? "no failure"}: ${failure?.message ?? mutant.scenario}`);
      assert.equal(replay(scenario, failure.schedule, EXPLORE).failure?.kind, failure.kind);
      t.diagnostic(`${failure.kind} after ${executions} executions: ${failure.message}`);
    } finally {
      restore?.();
    }
  });
}

test("every scenario has a name of its own", () => {
  assert.equal(new Set(scenarios.map(({ name }) => name)).size, scenarios.length);
});
