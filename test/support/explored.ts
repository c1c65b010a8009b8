/** The scenarios of a group hold, completely. The largest are left to `npm run check`, or QUIESCE_CHECK=all. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "../../check/explore.js";
import { type Group, groups } from "../../check/scenarios/index.js";
import { EXPLORE } from "../../check/scenarios/options.js";
import { VERIFICATION } from "./verification.js";

/** Executions, by docs/verification.md, beyond which a scenario is not for every run of the tests. */
const MANY = 20_000;
const EXECUTIONS = new Map([...VERIFICATION.matchAll(/^\| (.+) \| (\d+) \| yes \|$/gm)].map(([, name, executions]) => [name, Number(executions)]));

/** Register a test of each scenario of the group. */
export function exploreGroup(group: Group): void {
  for (const scenario of groups[group]) {
    const large = (EXECUTIONS.get(scenario.name) ?? 0) > MANY && process.env["QUIESCE_CHECK"] !== "all";
    test(scenario.name, { skip: large && "large: npm run check" }, (t) => {
      const { failure, complete, executions, perSecond } = explore(scenario, EXPLORE);
      assert.equal(failure, undefined, failure?.text);
      assert.equal(complete, true);
      t.diagnostic(`${executions} executions, ${perSecond}/s`);
    });
  }
}
