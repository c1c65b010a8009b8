/**
 * The flags of `quiesce demo`: what they are, what they may be, and the help that says so.
 */

import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { CliError } from "../failure.js";
import { MAX_VERSION } from "./plan.js";

export interface RunOptions {
  readonly mode: "run";
  readonly seconds: number;
  readonly threads: number;
  readonly updates: number;
  readonly seed: number;
  readonly memory: boolean;
  readonly json: boolean;
}

export interface LookupOptions {
  readonly mode: "lookup";
  readonly addresses: readonly string[];
  readonly json: boolean;
}

export interface HelpOptions {
  readonly mode: "help";
}

export type DemoOptions = RunOptions | LookupOptions | HelpOptions;

export const MAX_THREADS = 256;
const MAX_SECONDS = 1_000_000;
const MAX_UPDATES = 1_000_000;
const MAX_SEED = 0xffff_ffff;

export const demoHelp: string = `Usage: quiesce demo [options]
       quiesce demo --lookup ADDRESS [--lookup ADDRESS ...] [--json]

Loads the IP ranges of every country (the npm package @ip-location-db/geo-whois-asn-country)
into one shared memory. Reader threads look addresses up in it without locks, and check every
answer, while a writer thread splits, hands over, rejoins, withdraws and re-adds ranges.

Options:
  --seconds N   how long to run; fractions allowed (default 15)
  --threads N   reader threads, 1 to ${MAX_THREADS} (default: cores minus one, at least 2)
  --updates N   updates a second, 0 to ${MAX_UPDATES} (default 1000)
  --seed N      decides what is looked up and changed, 0 to ${MAX_SEED} (default: random; always
                printed; how the threads interleave remains to chance)
  --memory      at the end, how the free pages of the shared memory lie (as /proc/buddyinfo) and
                what each cache holds (as /proc/slabinfo)
  --json        one JSON object on stdout and nothing else there; the table goes to stderr
  --lookup A    print the country and range of address A and exit; repeatable
  --help        this text

What the columns say:
  ns/lookup     reader threads x time / lookups. Choosing the address and checking the answer
                are in it, and so is waiting for a processor where threads outnumber cores
  gp p50, p99   how long grace periods take, in microseconds: the whole wait of main's own
                synchronize(), called every 50 ms of the run
  retired       objects replaced but not yet given back
  memory        used in the shared memory, once for all threads
  copies        what every thread that uses the data (the readers and the writer) would take
                together, if each had a copy of its own in the most compact plain form: sorted
                typed arrays of lo, hi, country and version (14 bytes an IPv4 range, 38 an IPv6
                range) with no room to grow. Main is not counted, nor are (on either side) the
                tables that the readers check answers against
  wrong         wrong answers. Each answer is checked: half of the ranges are never touched and
                must be exactly as loaded; of the others, country and version must belong
                together, versions never go backwards, bounds must be ones that were stored

Exit status: 0 when all answers were right, 1 when one was wrong or a thread failed, 2 for wrong
use. Ctrl-C ends the run with its summary; a second one ends it at once (130).
`;

export function parseOptions(args: readonly string[]): DemoOptions {
  const flags = readFlags(args);
  if (flags.help) return { mode: "help" };
  const json = flags.json ?? false;
  if (flags.lookup !== undefined) {
    for (const flag of ["seconds", "threads", "updates", "seed", "memory"] as const) {
      if (flags[flag] !== undefined) throw new CliError(`--${flag} has no meaning together with --lookup, which runs no threads`);
    }
    return { mode: "lookup", addresses: flags.lookup, json };
  }
  const seconds = numberOf("seconds", flags.seconds, 15);
  const updates = integerOf("updates", flags.updates, 1000, 0, MAX_UPDATES);
  if (seconds * updates > MAX_VERSION) {
    throw new CliError(`--seconds ${seconds} x --updates ${updates} is too much; at most ${MAX_VERSION} updates have version numbers of their own`);
  }
  const threads = integerOf("threads", flags.threads, Math.min(MAX_THREADS, Math.max(2, availableParallelism() - 1)), 1, MAX_THREADS);
  const seed = integerOf("seed", flags.seed, randomInt(MAX_SEED + 1), 0, MAX_SEED);
  return { mode: "run", seconds, threads, updates, seed, memory: flags.memory ?? false, json };
}

interface Flags {
  seconds?: string | undefined;
  threads?: string | undefined;
  updates?: string | undefined;
  seed?: string | undefined;
  memory?: boolean | undefined;
  json?: boolean | undefined;
  help?: boolean | undefined;
  lookup?: string[] | undefined;
}

function readFlags(args: readonly string[]): Flags {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        seconds: { type: "string" },
        threads: { type: "string" },
        updates: { type: "string" },
        seed: { type: "string" },
        memory: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        lookup: { type: "string", multiple: true },
      },
    }).values;
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS_")) throw error;
    const [first] = (error as Error).message.split("\n");
    throw new CliError(`demo: ${first} (see quiesce demo --help)`);
  }
}

function integerOf(flag: string, text: string | undefined, otherwise: number, least: number, most: number): number {
  if (text === undefined) return otherwise;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new CliError(`--${flag}: ${JSON.stringify(text)} is not allowed; give a whole number from ${least} to ${most}`);
}

function numberOf(flag: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= MAX_SECONDS) return value;
  throw new CliError(`--${flag}: ${JSON.stringify(text)} is not allowed; give a number above 0, at most ${MAX_SECONDS} (such as 15 or 0.5)`);
}
