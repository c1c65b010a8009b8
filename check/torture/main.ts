/** The command `npm run torture`: real threads over the shipped code, as badly treated as can be. */

import { Interrupt } from "../../src/cli/demo/interrupt.js";
import { runCommand } from "../command.js";
import { COMMAND, type Options, optionsOf } from "./options.js";
import { type Result, Run } from "./run.js";

const failed = ({ errors, stalls, leaked, violations }: Result): boolean => errors > 0 || stalls > 0 || leaked !== 0 || violations.length > 0;

function summary(result: Result): string {
  const { structure, flavor, seconds, threads, kills, seed } = result;
  const kinds = Object.entries(result.errorKinds).map(([kind, count]) => `${kind} ${count}`);
  const lines = [
    `${structure}, ${flavor}: ${seconds} s, ${threads} threads, ${kills} kills, seed ${seed}`,
    `${result.reads} checked reads, ${result.updates} updates, ${result.callbacks} callbacks, ${result.gracePeriods} grace periods, the longest watched ${result.longestGracePeriod} ms`,
    structure === "rcu"
      ? `pipe (grace periods that a held element was removed for, and one): ${result.pipe.join(" ")}`
      : `${result.histories} histories of exact lookups checked, ${result.operations} operations in them`,
    `errors ${result.errors}${kinds.length > 0 ? ` (${kinds.join(", ")})` : ""}, stalls ${result.stalls}, bytes leaked ${result.leaked}, violations ${result.violations.length}`,
    ...result.violations.map((violation) => `  ${violation}`),
    ...(result.firstFailure === null ? [] : [`first failure: ${result.firstFailure}`]),
    failed(result) ? "FAILED" : "all right",
  ];
  return lines.join("\n");
}

async function torture(options: Options): Promise<number> {
  const interrupt = new Interrupt();
  try {
    console.error(`torture of ${options.structure} (${options.flavor}) with ${options.threads} threads for ${options.seconds} s, seed ${options.seed}`);
    const run = new Run(options, (line) => console.error(line));
    const result = await run.run(interrupt.signal);
    if (options.json) console.log(JSON.stringify(result));
    else console.log(summary(result));
    if (options.json && failed(result)) console.error(summary(result));
    return failed(result) ? 1 : 0;
  } finally {
    interrupt.dispose();
  }
}

await runCommand(COMMAND, (values) => torture(optionsOf(values)));
