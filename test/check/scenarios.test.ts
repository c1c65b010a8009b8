/** The scenarios of the shipped code hold, completely. The largest are left to `npm run check`, or QUIESCE_CHECK=all. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { explore } from "../../check/explore.js";
import { scenarios } from "../../check/scenarios/index.js";
import { EXPLORE } from "../../check/scenarios/options.js";

const VERIFICATION = readFileSync(new URL("../../../docs/verification.md", import.meta.url), "utf8");

/** Executions, by docs/verification.md, beyond which a scenario is not for every run of the tests. */
const MANY = 20_000;
const EXECUTIONS = new Map([...VERIFICATION.matchAll(/^\| (.+) \| (\d+) \| yes \|$/gm)].map(([, name, executions]) => [name, Number(executions)]));

for (const scenario of scenarios) {
  const large = (EXECUTIONS.get(scenario.name) ?? 0) > MANY && process.env["QUIESCE_CHECK"] !== "all";
  test(scenario.name, { skip: large && "large: npm run check" }, (t) => {
    const { failure, complete, executions, perSecond } = explore(scenario, EXPLORE);
    assert.equal(failure, undefined, failure?.text);
    assert.equal(complete, true);
    t.diagnostic(`${executions} executions, ${perSecond}/s`);
  });
}

test("every scenario has a name of its own", () => {
  assert.equal(new Set(scenarios.map(({ name }) => name)).size, scenarios.length);
});

test("the scenarios are those of docs/verification.md", () => {
  for (const { name } of scenarios) assert.ok(VERIFICATION.includes(`| ${name} |`), name);
});
