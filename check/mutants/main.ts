/** The command `npm run mutants`: every mutant must be found, each by the scenario or litmus test that is there for it. */

import { chosen, flag, runCommand, UsageError } from "../command.js";
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

async function run(picked: readonly Mutant[], form: Form): Promise<number> {
  const results: MutantResult[] = [];
  for (const [i, mutant] of picked.entries()) {
    progress(`${i + 1}/${picked.length} ${mutant.name}`);
    results.push(await runMutant(mutant));
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

const COMMAND = { help: HELP, flags: { json: flag, markdown: flag, text: flag }, words: true } as const;

await runCommand(COMMAND, ({ json, markdown, text }, words) => {
  const picked = chosen(mutants, words, ({ number }, word) => number === word);
  if (picked.length === 0) throw new UsageError(`no mutant's name contains ${words.join(" or ")}.`, false);
  return run(picked, json ? "json" : markdown ? "markdown" : text ? "text" : "table");
});
