/** The command `npm run mutants`: every mutant must be found, each by the scenario or litmus test that is there for it. */

import { parseArgs } from "node:util";
import { markdown, progress, table } from "../table.js";
import { mutants } from "./index.js";
import type { Mutant } from "./mutant.js";
import { LIMITS, type MutantResult, runMutant } from "./run.js";

const HELP = `Usage: npm run mutants -- [options] [word ...]

Breaks the shipped code in every way that is listed (or those whose name or number contains one of the words), one at a time and
in this process only, and explores the scenario or litmus test that must find it, for at most ${LIMITS.maxSeconds} s each.

  --json       one JSON object on stdout: { total, survived, mutants: [{ name, number, breaks, killedBy, executions, seconds }] }
  --markdown   the table of docs/verification.md
  --text       print how each was found: the schedule that fails
  --help       this text

Exit status: 0 when every mutant was found, 1 when one survives, 2 for a wrong command line.`;

type Form = "table" | "json" | "markdown" | "text";

async function run(chosen: readonly Mutant[], form: Form): Promise<number> {
  const results: MutantResult[] = [];
  for (const [i, mutant] of chosen.entries()) {
    progress(`${i + 1}/${chosen.length} ${mutant.name}`);
    results.push(runMutant(mutant));
    await new Promise(setImmediate); // the drivers that the runs left behind come to their end, and are forgotten
  }
  progress("");
  const survivors = results.filter(({ killedBy }) => killedBy === undefined);
  if (form === "json") {
    const rows = results.map(({ failure, killedBy = null, ...rest }) => ({ ...rest, killedBy, kind: failure?.kind ?? null }));
    console.log(JSON.stringify({ total: results.length, survived: survivors.length, mutants: rows }, undefined, 2));
  } else if (form === "markdown") {
    const rows = results.map((r) => [r.number, r.name, r.breaks, r.killedBy ?? "nothing", r.failure?.kind ?? "-", r.executions]);
    console.log(markdown(["no.", "mutant", "breaks the guarantee that", "killed by", "as", "executions"], rows));
  } else {
    const rows = results.map((r) => [r.number, r.name, r.killedBy ?? `SURVIVED: ${r.survived}`, r.failure?.kind ?? "-", r.executions, r.seconds.toFixed(2)]);
    console.log(table(["no.", "mutant", "killed by", "as", "executions", "seconds"], rows, 4));
    console.log(`\n${results.length} mutants, ${survivors.length} survived`);
    if (form === "text") for (const { name, failure } of results) if (failure !== undefined) console.log(`\n${name}\n${failure.text}`);
  }
  return survivors.length === 0 ? 0 : 1;
}

function refuse(message: string): number {
  console.error(message);
  return 2;
}

async function main(args: readonly string[]): Promise<number> {
  let parsed: { values: { json?: boolean; markdown?: boolean; text?: boolean; help?: boolean }; positionals: string[] };
  try {
    const flag = { type: "boolean" } as const;
    parsed = parseArgs({ args: [...args], allowPositionals: true, options: { json: flag, markdown: flag, text: flag, help: flag } });
  } catch (error) {
    return refuse(`${(error as Error).message}\n\n${HELP}`);
  }
  const { values, positionals } = parsed;
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const chosen = mutants.filter(({ name, number }) => positionals.length === 0 || positionals.some((word) => name.includes(word) || number === word));
  if (chosen.length === 0) return refuse(`no mutant's name contains ${positionals.join(" or ")}.`);
  return run(chosen, values.json ? "json" : values.markdown ? "markdown" : values.text ? "text" : "table");
}

process.exitCode = await main(process.argv.slice(2));
