/**
 * `quiesce demo`: reads its flags and does one of three things.
 */

import { Interrupt } from "./interrupt.js";
import { Interrupted } from "./load.js";
import { demoHelp, parseOptions } from "./options.js";

export async function demo(args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.mode === "help") {
    process.stdout.write(demoHelp);
    return 0;
  }
  const interrupt = new Interrupt();
  try {
    if (options.mode === "run") return await (await import("./run.js")).run(options, interrupt);
    return await (await import("./lookup.js")).runLookup(options, interrupt);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    // A run reports its own interruption; this is a lookup that goes without its answer.
    process.stderr.write("interrupted while loading\n");
    return 130;
  } finally {
    interrupt.dispose();
  }
}
