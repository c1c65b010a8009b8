/**
 * `npm run bench -- SUITE [--json] [--seconds N] [--svg FILE] [--into PAGE]`: what is compared stands side by side in one run; each figure is the
 * median of several rounds, each ratio the median of the rounds' own ratios, since the machine's speed drifts.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { into } from "./into.js";
import { describeMachine, machine, Neighbours } from "./machine.js";
import { plot } from "./plot.js";
import { printFigures, printMarkdown } from "./print.js";
import type { Report, SuiteOptions } from "./suite.js";

interface Suite {
  readonly about: string;
  /** Seconds to measure when none are given. */
  readonly seconds: number;
  /** Whether it takes --only and --peers. */
  readonly filters?: boolean;
  run(options: SuiteOptions): Promise<Report>;
}

const suites: Readonly<Record<string, Suite>> = {
  allocators: {
    about: "blocks taken and given back, traces and waste, beside glibc's malloc, mimalloc and @thi.ng/malloc",
    seconds: 120,
    run: async (options) => (await import("./allocators/suite.js")).allocators(options),
  },
  "ip-lookup": {
    about: "lookups in the main job's real data, against a binary search in plain arrays",
    seconds: 30,
    run: async (options) => (await import("./ip-lookup.js")).ipLookup(options),
  },
  map: {
    about: "shared.map and shared.cell beside Map, rculfhash in C, lmdb, sharedmap, shared-memory-datastructures, and locks",
    seconds: 120,
    filters: true,
    run: async (options) => (await import("./structures/suite.js")).maps(options),
  },
  rcu: {
    about: "read-side sections and grace periods of each flavor, with liburcu beside them",
    seconds: 120,
    run: async (options) => (await import("./rcu/suite.js")).rcu(options),
  },
  "turn-costs": {
    about: "what the event-loop flavor costs the event loop, the answers of a thread, and the balance between threads",
    seconds: 60,
    run: async (options) => (await import("./turn-costs/suite.js")).turnCosts(options),
  },
};

const HELP = [
  "Usage: npm run bench -- SUITE [--json | --markdown] [--seconds N] [--svg FILE] [--into PAGE] [--only WORDS] [--peers NAMES]",
  "  --json      one JSON object on standard output",
  "  --markdown  the tables as a page of docs/ has them",
  "  --seconds   about how long to measure; longer is steadier",
  "  --svg FILE  draw the tables too",
  "  --into PAGE put the tables where the page has marks for them (bench/into.ts)",
  "  --only WORDS, --peers NAMES   (map) only the rows whose table and name have all the words, only these peers, with commas between",
  "Suites:",
  ...Object.entries(suites).map(([name, { about }]) => `  ${name.padEnd(11)} ${about}`),
].join("\n");

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean" },
      markdown: { type: "boolean" },
      help: { type: "boolean" },
      seconds: { type: "string" },
      svg: { type: "string" },
      into: { type: "string" },
      only: { type: "string" },
      peers: { type: "string" },
    },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const name = positionals[0] ?? "";
  const suite = Object.hasOwn(suites, name) ? suites[name] : undefined;
  const seconds = values.seconds === undefined ? suite?.seconds : Number(values.seconds);
  const filters = { ...(values.only !== undefined && { only: values.only }), ...(values.peers !== undefined && { peers: values.peers }) };
  if (
    suite === undefined ||
    (suite.filters !== true && Object.keys(filters).length > 0) ||
    positionals.length > 1 ||
    seconds === undefined ||
    !(seconds >= 0 && seconds <= 3600)
  ) {
    console.error(HELP);
    return 2;
  }
  const facts = machine();
  if (values.json !== true) console.log(describeMachine(facts));
  const neighbours = new Neighbours();
  const { figures, notes } = await suite.run({ seconds, ...filters });
  const others = neighbours.cores();
  if (values.json === true) console.log(JSON.stringify({ suite: name, node: process.version, machine: facts, seconds, others, figures, notes }));
  else {
    (values.markdown === true ? printMarkdown : printFigures)(figures, (line) => console.log(line));
    for (const note of notes) console.log(`\nNote: ${note}`);
    console.log(
      `\nOther processes took ${others.toFixed(2)} cores meanwhile${others > 0.1 ? ": they are in these figures, so run it again when the machine is quiet" : ""}.`,
    );
  }
  if (values.into !== undefined) {
    const run = [
      `${describeMachine(facts)}; other processes took ${others.toFixed(2)} cores meanwhile.`,
      `\`npm run bench -- ${name}${values.only === undefined ? "" : ` --only "${values.only}"`} --seconds ${seconds} --into ${values.into}\``,
      ...notes,
    ];
    writeFileSync(values.into, into(readFileSync(values.into, "utf8"), figures, run));
  }
  if (values.svg !== undefined) writeFileSync(values.svg, plot(`${name}: ${describeMachine(facts)}`, figures));
  return 0;
}

process.exitCode = await main();
