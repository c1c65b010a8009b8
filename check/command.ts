/** What the commands of check/ share: how a command line is read and refused, and what their exit statuses mean. */

import { type ParseArgsConfig, parseArgs } from "node:util";

/** Options as `parseArgs` takes them; --help goes without saying. */
export type Flags = NonNullable<ParseArgsConfig["options"]>;

/** The values of options. */
export type Values<F extends Flags> = ReturnType<typeof parseArgs<{ options: F }>>["values"];

export const flag = { type: "boolean" } as const;
export const text = { type: "string" } as const;

/** The command line cannot be understood, or asks for what there is not. */
export class UsageError extends Error {
  /** Whether the help says more. */
  readonly showsHelp: boolean;

  constructor(message: string, showsHelp = true) {
    super(message);
    this.showsHelp = showsHelp;
  }
}

export interface Command<F extends Flags> {
  readonly help: string;
  readonly flags: F;
  /** Whether words may stand beside the options. */
  readonly words: boolean;
}

/**
 * Read a command line.
 * @returns "help" when that was asked for
 * @throws UsageError
 */
export function readCommand<F extends Flags>({ flags, words }: Command<F>, args: readonly string[]): { values: Values<F>; words: string[] } | "help" {
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: words, options: { ...flags, help: flag } });
    return (values as { help?: boolean }).help === true ? "help" : { values: values as Values<F>, words: positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Run a command over the process's arguments; its exit status is what `run` gives, or 2 for a wrong command line. */
export async function runCommand<F extends Flags>(command: Command<F>, run: (values: Values<F>, words: string[]) => Promise<number> | number): Promise<void> {
  try {
    const line = readCommand(command, process.argv.slice(2));
    if (line === "help") console.log(command.help);
    else process.exitCode = await run(line.values, line.words);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.showsHelp ? `${error.message}\n\n${command.help}` : error.message);
    process.exitCode = 2;
  }
}

/** Those whose name has one of the words; all when there are none. */
export function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  words: readonly string[],
  isToo: (one: T, word: string) => boolean = () => false,
): T[] {
  return all.filter((one) => words.length === 0 || words.some((word) => one.name.includes(word) || isToo(one, word)));
}

export function numberOf(name: string, given: string, allowed: string, isAllowed: (value: number) => boolean): number {
  const value = Number(given);
  if (given.trim() === "" || !isAllowed(value)) throw new UsageError(`--${name} takes ${allowed}; got "${given}".`);
  return value;
}

export function oneOf<const T extends string>(name: string, given: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === given);
  if (found === undefined) throw new UsageError(`--${name} takes ${allowed.join(" or ")}; got "${given}".`);
  return found;
}
