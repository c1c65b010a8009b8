/** The command `npm run check`: every scenario of the shipped code, explored completely. */

import { parseArgs } from "node:util";
import { explore, replay } from "./explore.js";
import type { Result, Scenario } from "./scenario.js";
import { scenarios } from "./scenarios/index.js";
import { EXPLORE } from "./scenarios/options.js";

const HELP = `Usage: npm run check -- [options] [word ...]

Runs every scenario of the shipped code (those whose name contains one of the words) through every interleaving of its
accesses to shared memory, and looks for races, use after free, lost wake-ups and wrong results.

  --json                    one JSON object on stdout: { complete, racesFound, executions, scenarios }
  --replay NAME SCHEDULE    run one execution of a scenario again, as a failure printed it
  --help                    this text

Exit status: 0 when every scenario was explored completely and none failed, else 1; 2 for a wrong command line.`;

/** Kinds of failure that are races or misused words. */
const RACES: readonly string[] = ["race", "use-after-free", "uninitialised", "immutable"];

const passed = (result: Result): boolean => result.complete && result.failure === undefined;

function row(cells: readonly (string | number)[], widths: readonly number[]): string {
  return cells.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i] as number) : String(cell).padStart(widths[i] as number))).join("  ");
}

function table(results: readonly Result[]): string {
  const head = ["scenario", "executions", "a second", "complete", "spins", "ok"];
  const rows = results.map((r) => [r.scenario, r.executions, r.perSecond, r.complete ? "yes" : "no", r.spins, passed(r) ? "ok" : (r.failure?.kind ?? "cut")]);
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((cells) => String(cells[i]).length)));
  return [head, ...rows].map((cells) => row(cells, widths)).join("\n");
}

/** Progress, on a line that is written over. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function run(chosen: readonly Scenario[], json: boolean): Promise<number> {
  const results: Result[] = [];
  for (const [i, scenario] of chosen.entries()) {
    progress(`${i + 1}/${chosen.length} ${scenario.name}`);
    results.push(explore(scenario, EXPLORE));
    await new Promise(setImmediate); // the drivers that the runs left behind come to their end, and are forgotten
  }
  progress("");
  const complete = results.every((result) => result.complete);
  const racesFound = results.filter(({ failure }) => failure !== undefined && RACES.includes(failure.kind)).length;
  const executions = results.reduce((sum, result) => sum + result.executions, 0);
  if (json) {
    const rows = results.map(({ failure, ...rest }) => (failure === undefined ? rest : { ...rest, failure: { ...failure, error: undefined } }));
    console.log(JSON.stringify({ complete, racesFound, executions, scenarios: rows }, undefined, 2));
  } else {
    console.log(table(results));
    const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
    console.log(`\n${executions} executions in ${seconds.toFixed(1)} s, complete: ${complete}, races found: ${racesFound}`);
    for (const { failure } of results) if (failure !== undefined) console.log(`\n${failure.text}`);
  }
  return results.every(passed) ? 0 : 1;
}

function again(name: string, schedule: string): number {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) return refuse(`no scenario is called "${name}"; there are:\n${scenarios.map((each) => `  ${each.name}`).join("\n")}`);
  const { failure } = replay(scenario, schedule, EXPLORE);
  console.log(failure?.text ?? `${name}: this schedule does not fail.`);
  return failure === undefined ? 0 : 1;
}

function refuse(message: string): number {
  console.error(message);
  return 2;
}

async function main(args: readonly string[]): Promise<number> {
  let parsed: { values: { json?: boolean; replay?: boolean; help?: boolean }; positionals: string[] };
  try {
    const flag = { type: "boolean" } as const;
    parsed = parseArgs({ args: [...args], allowPositionals: true, options: { json: flag, replay: flag, help: flag } });
  } catch (error) {
    return refuse(`${(error as Error).message}\n\n${HELP}`);
  }
  const { values, positionals } = parsed;
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  if (values.replay === true) {
    const [name, schedule] = positionals;
    if (name === undefined || schedule === undefined || positionals.length > 2) return refuse(`--replay takes a NAME and a SCHEDULE.\n\n${HELP}`);
    try {
      return again(name, schedule);
    } catch (error) {
      if (error instanceof RangeError) return refuse(error.message);
      throw error;
    }
  }
  const chosen = scenarios.filter(({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)));
  if (chosen.length === 0) return refuse(`no scenario's name contains ${positionals.join(" or ")}.`);
  return run(chosen, values.json === true);
}

process.exitCode = await main(process.argv.slice(2));
