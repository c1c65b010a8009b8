#!/usr/bin/env node
/**
 * The command `quiesce`: finds the subcommand, hands it the rest of the line, and turns what it
 * gives back (or throws) into an exit status. Nothing else happens here.
 */

import { existsSync, readFileSync } from "node:fs";
import { CliError } from "./failure.js";

/** A subcommand: gets the arguments after its name, gives the exit status. */
type Run = (args: string[]) => Promise<number>;

interface Command {
  readonly summary: string;
  /** Loaded only when asked for, so that `--help` stays instant. */
  readonly load: () => Promise<Run>;
}

const commands = new Map<string, Command>([
  [
    "demo",
    {
      summary: "look up real IP ranges from several threads while one thread changes them",
      load: async () => (await import("./demo/command.js")).demo,
    },
  ],
]);

function help(): string {
  const lines = ["Usage: quiesce <command> [options]", "", "Commands:"];
  for (const [name, command] of commands) lines.push(`  ${name.padEnd(10)} ${command.summary}`);
  lines.push("", "Options:", "  --help     this text; `quiesce <command> --help` for a command's own", "  --version  the version", "");
  return lines.join("\n");
}

/** Our own package.json, wherever the compiled file lies below it. */
function version(): string {
  for (let folder = new URL("./", import.meta.url); ; folder = new URL("../", folder)) {
    const file = new URL("package.json", folder);
    if (existsSync(file)) {
      const found = JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string };
      if (found.name === "quiesce") return found.version ?? "unknown";
    }
    if (new URL("../", folder).href === folder.href) return "unknown";
  }
}

async function main(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(help());
    return 2;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help());
    return 0;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const command = commands.get(name);
  if (command === undefined) {
    const kind = name.startsWith("-") ? "option" : "command";
    throw new CliError(`unknown ${kind} "${name}"; the commands are: ${[...commands.keys()].join(", ")} (see quiesce --help)`);
  }
  return (await command.load())(rest);
}

// `quiesce demo | head`: the reader of our output has gone, which is no reason for a stack trace.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

try {
  // Not process.exit(): what is still in the pipe to the next program must get there.
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof CliError) {
    process.stderr.write(`quiesce: ${error.message}\n`);
    process.exitCode = error.status;
  } else {
    process.stderr.write(`quiesce: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  }
}
