/** What of the suite is to run, and with whom: `--only WORDS` chooses rows, `--peers NAMES` the columns beside the native Map. */

import { QuietRounds } from "../quiet.js";
import type { Figure } from "../rounds.js";
import type { SuiteOptions } from "../suite.js";
import { Data } from "./data.js";
import { NATIVE, RCULFHASH } from "./peers.js";
import { Rculfhash } from "./rculfhash.js";
import type { Measured } from "./rounds.js";

/** A part of the suite. */
export interface Part {
  /** How much of the time it is given, beside the others' weights: none when nothing of it is wanted. */
  weight(plan: Plan): number;
  run(plan: Plan, seconds: number): Promise<Figure[]>;
}

const SIZES = [1000, 100_000, 1_000_000] as const;
const SMALL = [20, 300, 999] as const;

export class Plan {
  readonly seed: number;
  /** For files, and the C program. */
  readonly directory: string;
  readonly #notes: string[] = [];
  /** Of each table, how its rounds were chosen. */
  readonly #quiet = new Map<string, QuietRounds[]>();
  /** Only that everything runs is to be seen: as little as can be. */
  readonly brief: boolean;
  /** Entries of the maps, the largest last; few in a test. */
  readonly sizes: readonly number[];
  /** The program of rculfhash, when it could be built. */
  readonly #rculfhash: string | undefined;
  readonly #only: readonly string[];
  readonly #peers: readonly string[] | undefined;
  #directories = 0;

  constructor(options: SuiteOptions, directory: string, seed: number, rculfhash: { path: string } | string) {
    this.directory = directory;
    this.seed = seed;
    this.brief = options.seconds < 2;
    this.sizes = this.brief ? SMALL : SIZES;
    this.#only = words(options.only, /\s+/);
    this.#peers = options.peers === undefined ? undefined : words(options.peers, /\s*,\s*/);
    this.#rculfhash = typeof rculfhash === "string" ? undefined : rculfhash.path;
    if (typeof rculfhash === "string") this.#notes.push(rculfhash);
  }

  /** Whether a row is to be measured: its table and name have all the words. */
  wants(table: string, row: string): boolean {
    const all = `${table} ${row}`
      .toLowerCase()
      .replaceAll(/[,:()]/g, "")
      .split(" ");
    return this.#only.every((word) => all.includes(word.replaceAll(",", "")));
  }

  /** Whether a peer is to be measured; the native Map always is, since ratios are to it. */
  with(peer: string): boolean {
    const name = peer.toLowerCase();
    return peer === NATIVE || this.#peers === undefined || this.#peers.some((wanted) => name === wanted || name.startsWith(`${wanted} (`));
  }

  /** A table of rculfhash with u32 keys; undefined when it is not to be measured, or cannot be. */
  async startRculfhash(size: number): Promise<Rculfhash | undefined> {
    if (this.#rculfhash === undefined || !this.with(RCULFHASH)) return undefined;
    return Rculfhash.start(this.#rculfhash, this.directory, new Data("u32", size, this.seed));
  }

  note(text: string): void {
    if (!this.#notes.includes(text)) this.#notes.push(text);
  }

  noteRounds(table: string, { quiet }: Measured): void {
    this.#quiet.set(table, [...(this.#quiet.get(table) ?? []), quiet]);
  }

  get allNotes(): string[] {
    return [...this.#notes, ...[...this.#quiet].map(([table, rows]) => `${table}: ${QuietRounds.textOf(rows)}.`)];
  }

  /** A name for a new directory. */
  newDirectory(): string {
    return `${this.directory}/${++this.#directories}`;
  }
}

function words(text: string | undefined, separator: RegExp): string[] {
  return (text ?? "")
    .toLowerCase()
    .split(separator)
    .filter((word) => word !== "");
}
