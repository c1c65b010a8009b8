/** Each guarantee, once broken, is seen to be. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { mutants } from "../../check/mutants/index.js";
import { runMutant } from "../../check/mutants/run.js";
import { runs } from "../../check/mutants/runs.js";
import { scenarios } from "../../check/scenarios/index.js";
import { VERIFICATION } from "../support/verification.js";

for (const mutant of mutants) {
  test(`found: ${mutant.number} ${mutant.name}`, async (t) => {
    const { killedBy, survived, executions, failure } = await runMutant(mutant);
    assert.equal(killedBy, mutant.killer, `${survived}: ${failure?.text ?? mutant.killer}`);
    t.diagnostic(`${failure?.kind} after ${executions} executions: ${failure?.message.split("\n")[0]}`);
  });
}

test("code that is not broken survives", async () => {
  const scenario = scenarios[0];
  assert.ok(scenario !== undefined);
  const { killedBy, survived } = await runMutant({ name: "nothing", number: "-", breaks: "nothing", killer: scenario.name, kinds: ["race"] });
  assert.equal(killedBy, undefined);
  assert.equal(survived, "every execution is right");
});

for (const { name, run } of runs) test(`code that is not broken passes: ${name}`, () => run((inner) => inner));

test("every mutant has a name of its own, and a guarantee", () => {
  const names = mutants.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { number, breaks } of mutants) assert.match(`${number} ${breaks}`, /^(-|[GCS]\d+) [a-z].*$/);
});

test("the mutants are those of docs/verification.md", () => {
  for (const { number, name, breaks, killer } of mutants)
    assert.ok(VERIFICATION.includes(`| ${number} | ${name} | ${breaks} | ${killer} |`), `${number} ${name}`);
});

test("the command gives its JSON, and refuses what it does not know", () => {
  const command = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [fileURLToPath(new URL("../../check/mutants/main.js", import.meta.url)), ...args], { encoding: "utf8" });
  const { status, stdout } = command("--json", "a map's writers do not lock");
  assert.equal(status, 0);
  const { total, survived, mutants: rows } = JSON.parse(stdout) as { total: number; survived: number; mutants: Record<string, unknown>[] };
  assert.deepEqual([total, survived], [1, 0]);
  const { name, number, killedBy, executions, seconds } = rows[0] ?? {};
  assert.deepEqual([name, number, killedBy], ["a map's writers do not lock", "S8", "two writers delete one range"]);
  assert.ok(typeof executions === "number" && typeof seconds === "number");
  assert.match(command("--help").stdout, /--json/);
  assert.equal(command("--nonsense").status, 2);
  assert.equal(command("no such mutant").status, 2);
});
