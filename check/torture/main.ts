/** The command `npm run torture`: real threads over the shipped code, as badly treated as can be. */

import { Interrupt } from "../../src/cli/demo/interrupt.js";
import { runCommand } from "../command.js";
import { type AllocatorResult, AllocatorRun } from "./allocator-run.js";
import { COMMAND, type Options, optionsOf } from "./options.js";
import { type Result, Run, type Options as RunOptions } from "./run.js";

const failed = ({ errors, stalls, leaked, violations }: Result | AllocatorResult): boolean => errors > 0 || stalls > 0 || leaked !== 0 || violations.length > 0;

function summary(result: Result): string {
  const { structure, flavor, seconds, threads, kills, seed } = result;
  const lines = [
    `${structure}, ${flavor}: ${seconds} s, ${threads} threads, ${kills} kills, seed ${seed}`,
    `${result.reads} checked reads, ${result.updates} updates, ${result.callbacks} callbacks, ${result.gracePeriods} grace periods, the longest watched ${result.longestGracePeriod} ms`,
    ...(structure === "rcu" ? [`pipe (grace periods that a held element was removed for, and one): ${result.pipe.join(" ")}`] : []),
    ...(result.histories > 0 ? [`${result.histories} histories checked, ${result.operations} operations in them`] : []),
    ...verdict(result),
  ];
  return lines.join("\n");
}

function allocatorSummary(result: AllocatorResult): string {
  const { allocator, seconds, threads, kills, killsInside, seed } = result;
  const lines = [
    `memory, ${allocator}: ${seconds} s, ${threads} threads, ${kills} kills, ${killsInside} of them inside a call, seed ${seed}`,
    `inside: ${Object.entries(result.killsByCall)
      .map(([call, count]) => `${call} ${count}`)
      .join(", ")}`,
    `${result.calls} calls, ${result.verified} blocks looked at, ${result.noneLeft} times nothing left, ${result.drains} drains, ${result.inDoubt} blocks that only the dead knew of`,
    ...verdict(result),
  ];
  return lines.join("\n");
}

/** What both kinds of run end with. */
function verdict(result: Result | AllocatorResult): string[] {
  const kinds = Object.entries(result.errorKinds).map(([kind, count]) => `${kind} ${count}`);
  return [
    `errors ${result.errors}${kinds.length > 0 ? ` (${kinds.join(", ")})` : ""}, stalls ${result.stalls}, bytes leaked ${result.leaked}, violations ${result.violations.length}`,
    ...result.violations.map((violation) => `  ${violation}`),
    ...(result.firstFailure === null ? [] : [`first failure: ${result.firstFailure}`]),
    failed(result) ? "FAILED" : "all right",
  ];
}

/** Whether the run is over read-copy-update or the structures. */
const isOfStructures = (options: Options): options is RunOptions => options.structure !== "memory";

/** Run, and give the result as an object and as text. */
async function resultOf(options: Options, signal: AbortSignal): Promise<{ readonly result: Result | AllocatorResult; readonly text: string }> {
  const say = (line: string): void => console.error(line);
  if (isOfStructures(options)) {
    const result = await new Run(options, say).run(signal);
    return { result, text: summary(result) };
  }
  const result = await new AllocatorRun(options, say).run(signal);
  return { result, text: allocatorSummary(result) };
}

async function torture(options: Options): Promise<number> {
  const interrupt = new Interrupt();
  try {
    const what = isOfStructures(options) ? options.flavor : `${options.allocator}, ${options.flavor}`;
    console.error(`torture of ${options.structure} (${what}) with ${options.threads} threads for ${options.seconds} s, seed ${options.seed}`);
    const { result, text } = await resultOf(options, interrupt.signal);
    console.log(options.json ? JSON.stringify(result) : text);
    if (options.json && failed(result)) console.error(text);
    return failed(result) ? 1 : 0;
  } finally {
    interrupt.dispose();
  }
}

await runCommand(COMMAND, (values) => torture(optionsOf(values)));
