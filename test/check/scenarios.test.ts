/** The list of scenarios. They are explored in scenarios/, by groups, so that the groups can run side by side. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { groups, scenarios } from "../../check/scenarios/index.js";
import { VERIFICATION } from "../support/verification.js";

test("every scenario has a name of its own", () => {
  assert.equal(new Set(scenarios.map(({ name }) => name)).size, scenarios.length);
});

test("every group has its tests", () => {
  for (const group of Object.keys(groups)) assert.ok(existsSync(new URL(`./scenarios/${group}.test.js`, import.meta.url)), group);
});

test("the scenarios are those of docs/verification.md", () => {
  for (const { name } of scenarios) assert.ok(VERIFICATION.includes(`| ${name} |`), name);
});
