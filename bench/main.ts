/**
 * `npm run bench -- SUITE [--json]`: what is compared stands side by side in one run; each figure is the median of several
 * rounds, each ratio the median of the rounds' own ratios, since the machine's speed drifts.
 */

import { parseArgs } from "node:util";
import type { Figure } from "./rounds.js";

const suites: Readonly<Record<string, () => Promise<() => Promise<Figure[]>>>> = {
  "ip-lookup": async () => (await import("./ip-lookup.js")).ipLookup,
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" }, help: { type: "boolean" } } });
const name = positionals[0] ?? "";
const suite = suites[name];
if (values.help === true || suite === undefined) {
  console.error(`Usage: npm run bench -- SUITE [--json]\nSuites: ${Object.keys(suites).join(", ")}`);
  process.exitCode = values.help === true ? 0 : 2;
} else {
  const figures = await (await suite())();
  if (values.json === true) console.log(JSON.stringify({ suite: name, node: process.version, figures }));
  else for (const { what, value, unit } of figures) console.log(`${what.padEnd(76)} ${value.toFixed(value < 100 ? 2 : 0).padStart(12)} ${unit}`);
}
