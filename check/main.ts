/** The command `npm run check`: every scenario of the shipped code and every litmus test, explored completely. */

import { chosen, flag, runCommand, UsageError } from "./command.js";
import { explore, replay } from "./explore.js";
import { litmusTests } from "./litmus/index.js";
import { asScenario, type Litmus, type LitmusResult, runLitmus } from "./litmus/litmus.js";
import type { Failure, Result, Scenario } from "./scenario.js";
import { scenarios } from "./scenarios/index.js";
import { EXPLORE } from "./scenarios/options.js";
import { markdown, progress, table } from "./table.js";

const HELP = `Usage: npm run check -- [options] [word ...]

Runs every scenario of the shipped code, and every litmus test (those whose name contains one of the words), through every
interleaving of their accesses to shared memory, and looks for races, use after free, lost wake-ups and wrong results; a litmus
test's outcome must never be seen, or must be seen, as its verdict says.

  --json                    one JSON object on stdout: { complete, racesFound, executions, scenarios, litmus }
  --markdown                the tables of docs/verification.md
  --replay NAME SCHEDULE    run one execution again, as a failure printed it
  --help                    this text

Exit status: 0 when everything was explored completely and as it must be, else 1; 2 for a wrong command line.`;

/** Kinds of failure that are races or misused words. */
const RACES: readonly string[] = ["race", "use-after-free", "uninitialised", "immutable"];

const passed = (result: Result): boolean => result.complete && result.failure === undefined;

/** Rows, in a form. */
type Table = (head: readonly string[], rows: readonly (readonly (string | number)[])[], left?: number) => string;

function scenarioTable(results: readonly Result[], form: Table): string {
  const rows = results.map((r) => [r.scenario, r.executions, r.perSecond, r.complete ? "yes" : "no", r.spins, passed(r) ? "ok" : (r.failure?.kind ?? "cut")]);
  const head = ["scenario", "executions", "a second", "complete", "spins", "ok"];
  if (form === table) return form(head, rows);
  const kept = [0, 1, 3]; // what does not change from run to run
  return form(
    kept.map((i) => head[i] as string),
    rows.map((row) => kept.map((i) => row[i] as string | number)),
  );
}

function litmusTable(results: readonly LitmusResult[], form: Table): string {
  const rows = results.map((r) => [r.name, r.verdict, r.outcome, r.seen, r.executions, r.ok ? "ok" : (r.failure?.kind ?? (r.complete ? "WRONG" : "cut"))]);
  return form(["litmus test", "verdict", "outcome", "seen in", "executions", "ok"], rows, 3);
}

/** Run each, with its name as progress. */
async function each<T, R>(all: readonly T[], nameOf: (one: T) => string, runOne: (one: T) => R): Promise<R[]> {
  const results: R[] = [];
  for (const [i, one] of all.entries()) {
    progress(`${i + 1}/${all.length} ${nameOf(one)}`);
    results.push(runOne(one));
    await new Promise(setImmediate); // the drivers that the runs left behind come to their end, and are forgotten
  }
  progress("");
  return results;
}

/** As JSON can have it. */
const plain = <T extends { failure?: Failure }>(result: T): object =>
  result.failure === undefined ? result : { ...result, failure: { ...result.failure, error: undefined } };

async function run(picked: readonly Scenario[], tests: readonly Litmus[], form: "table" | "json" | "markdown"): Promise<number> {
  const results = await each(
    picked,
    ({ name }) => name,
    (scenario) => explore(scenario, EXPLORE),
  );
  const verdicts = await each(
    tests,
    ({ name }) => name,
    (test) => runLitmus(test, EXPLORE),
  );
  const all = [...results, ...verdicts];
  const complete = all.every((result) => result.complete);
  const racesFound = all.filter(({ failure }) => failure !== undefined && RACES.includes(failure.kind)).length;
  const executions = all.reduce((sum, result) => sum + result.executions, 0);
  if (form === "json") {
    console.log(JSON.stringify({ complete, racesFound, executions, scenarios: results.map(plain), litmus: verdicts.map(plain) }, undefined, 2));
  } else {
    const printed = form === "markdown" ? markdown : table;
    if (results.length > 0) console.log(`${scenarioTable(results, printed)}\n`);
    if (verdicts.length > 0) console.log(`${litmusTable(verdicts, printed)}\n`);
    const seconds = all.reduce((sum, result) => sum + result.seconds, 0);
    console.log(`\n${executions} executions in ${seconds.toFixed(1)} s, complete: ${complete}, races found: ${racesFound}`);
    for (const { failure } of all) if (failure !== undefined) console.log(`\n${failure.text}`);
  }
  return results.every(passed) && verdicts.every(({ ok }) => ok) ? 0 : 1;
}

function again(name: string, schedule: string): number {
  const test = litmusTests.find((candidate) => candidate.name === name);
  const scenario = test === undefined ? scenarios.find((candidate) => candidate.name === name) : asScenario(test);
  if (scenario === undefined) {
    const names = [...scenarios, ...litmusTests].map((one) => `  ${one.name}`);
    throw new UsageError(`no scenario and no litmus test is called "${name}"; there are:\n${names.join("\n")}`, false);
  }
  const { failure } = replay(scenario, schedule, EXPLORE);
  console.log(failure?.text ?? `${name}: this schedule does not fail.`);
  return failure === undefined ? 0 : 1;
}

const COMMAND = { help: HELP, flags: { json: flag, markdown: flag, replay: flag }, words: true } as const;

await runCommand(COMMAND, ({ json, markdown, replay }, words) => {
  if (replay === true) {
    const [name, schedule] = words;
    if (name === undefined || schedule === undefined || words.length > 2) throw new UsageError("--replay takes a NAME and a SCHEDULE.");
    try {
      return again(name, schedule);
    } catch (error) {
      throw error instanceof RangeError ? new UsageError(error.message, false) : error;
    }
  }
  const picked = chosen(scenarios, words);
  const tests = chosen(litmusTests, words);
  if (picked.length + tests.length === 0) throw new UsageError(`no scenario's or litmus test's name contains ${words.join(" or ")}.`, false);
  return run(picked, tests, json ? "json" : markdown ? "markdown" : "table");
});
