/** The command line of `npm run torture`. */

import { ALLOCATORS, type AllocatorName } from "../../src/memory/layout.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import { flag, numberOf, oneOf, text, type Values } from "../command.js";
import { STRUCTURES, type Structure } from "./job.js";

const HELP = `Usage: npm run torture -- [options]

Threads read, update, come, go and die at random over the shipped code, with delays injected into it, and check all they see (the method of
the Linux kernel's rcutorture). A line each second on stderr; a stall names the thread that holds up grace periods; the first failure
prints what its reader's section did.

  --flavor event-loop|phase|tree   the flavor of read-copy-update (default event-loop); a tree has 2 children a node, so that it has several levels
  --structure rcu            elements published, removed, and freed after ${"`synchronize`, `synchronizeSync`, `call`, `retire`"} (default)
  --structure intervalMap    interval maps: lookups, versions, and the history of exact lookups (linearizability)
  --structure map            maps that grow and shrink all the time: keys that stay are always found, versions, sums, and the history of the operations on a few keys
  --structure cell           cells: what many commit at once, by swaps and merges; nothing lost, every value of one piece, versions that count
  --structure list           lists: elements that stay are shown once and in their order; references, removals
  --structure rculist        the lists of embedded links, under a caller's lock: walks both ways, splices, swapped heads, objects that move while they are read
  --structure queues         queues and stacks: what is put in comes out once, of a queue in its producer's order
  --structure memory         the allocators: pages, kmalloc, named caches, vmalloc, mempools, blocks that change their owner; with --kill most threads die
                             inside a call, at an access to shared memory chosen at random; every 250 kills all must be back as it was
  --allocator slab|slub|slob   of --structure memory (default slab)
  --seconds N                how long (default 10)
  --threads N                worker threads, 1 to 16 (default 4)
  --seed S                   a whole number; printed, so that the same choices can be made again (default: random)
  --kill                     terminate workers at random instants, and replace them
  --enough                   go on for at most a minute more until something of each kind has been done, or, with --busted, found
  --json                     one JSON object on one line of stdout: errors, pipe (histogram), reads, updates, gracePeriods, kills, stalls,
                             leaked (bytes), violations, seed and more; of memory also killsInside, killsByCall, calls, verified, drains
  --help                     this text

Testing the test: with --busted every grace period is over at once in the workers, and in --structure memory with --kill the reaper frees nothing that the
dead had not published: the run must fail.

Exit status: 0 when nothing was wrong (no error, no stall, nothing leaked, no invariant violated), else 1; 2 for a wrong command line.
Ctrl-C ends the run early, with its summary.`;

export interface Options {
  readonly flavor: FlavorName;
  readonly structure: Structure | "memory";
  readonly allocator: AllocatorName;
  readonly seconds: number;
  readonly threads: number;
  readonly seed: number;
  readonly kill: boolean;
  readonly enough: boolean;
  readonly json: boolean;
  readonly busted: boolean;
}

export const COMMAND = {
  help: HELP,
  flags: { flavor: text, structure: text, allocator: text, seconds: text, threads: text, seed: text, kill: flag, enough: flag, json: flag, busted: flag },
  words: false,
} as const;

/** @throws UsageError */
export function optionsOf(values: Values<typeof COMMAND.flags>): Options {
  return {
    flavor: oneOf("flavor", values.flavor ?? "event-loop", FLAVORS),
    structure: oneOf("structure", values.structure ?? "rcu", [...STRUCTURES, "memory"]),
    allocator: oneOf("allocator", values.allocator ?? "slab", ALLOCATORS),
    seconds: numberOf("seconds", values.seconds ?? "10", "a number of seconds above 0 and at most 86400", (value) => value > 0 && value <= 86_400),
    threads: numberOf("threads", values.threads ?? "4", "a whole number from 1 to 16", (value) => Number.isInteger(value) && value >= 1 && value <= 16),
    seed: numberOf("seed", values.seed ?? String(Math.floor(Math.random() * 2 ** 31)), "a whole number from 0 to 2147483647", (value) => {
      return Number.isInteger(value) && value >= 0 && value < 2 ** 31;
    }),
    kill: values.kill === true,
    enough: values.enough === true,
    json: values.json === true,
    busted: values.busted === true,
  };
}
