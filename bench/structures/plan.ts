/** What of the suite is to run, and with whom: `--only WORDS` chooses rows, `--peers NAMES` the columns beside the native Map. */

import { QuietRounds } from "../quiet.js";
import type { SuiteOptions } from "../suite.js";
import { Data } from "./data.js";
import { NATIVE, RCULFHASH } from "./peers.js";
import { Rculfhash } from "./rculfhash.js";
import type { Measured } from "./rounds.js";

export class Plan {
  readonly seed: number;
  /** For files, and the C program. */
  readonly directory: string;
  readonly #notes: string[] = [];
  /** Of each table, how its rounds were chosen. */
  readonly #quiet = new Map<string, QuietRounds[]>();
  /** Entries of the maps, the largest last; few in a test. */
  readonly sizes: readonly number[];
  /** The program of rculfhash, when it could be built. */
  readonly #rculfhash: string | undefined;
  readonly #only: readonly string[];
  readonly #peers: readonly string[] | undefined;
  #directories = 0;

  constructor(options: SuiteOptions, directory: string, seed: number, sizes: readonly number[], rculfhash: { path: string } | string) {
    this.directory = directory;
    this.seed = seed;
    this.sizes = sizes;
    this.#only = words(options.only, /\s+/);
    this.#peers = options.peers === undefined ? undefined : words(options.peers, /\s*,\s*/);
    this.#rculfhash = typeof rculfhash === "string" ? undefined : rculfhash.path;
    if (typeof rculfhash === "string") this.#notes.push(rculfhash);
  }

  /** Whether a row is to be measured: its table and name have all the words. */
  wants(table: string, row: string): boolean {
    const text = `${table} ${row}`.toLowerCase().replaceAll(",", "");
    return this.#only.every((word) => text.includes(word.replaceAll(",", "")));
  }

  /** Whether a peer is to be measured; the native Map always is, since ratios are to it. */
  with(peer: string): boolean {
    return peer === NATIVE || this.#peers === undefined || this.#peers.includes(peer.toLowerCase());
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
