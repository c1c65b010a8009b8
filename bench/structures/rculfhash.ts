/** liburcu's rculfhash, from the C program in native/: built when there is a C compiler and liburcu, left out when not. */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Data } from "./data.js";
import { RCULFHASH } from "./peers.js";

/** From build/bench/structures/, where this runs. */
const SOURCE = fileURLToPath(new URL("../../../bench/structures/native/rculfhash.c", import.meta.url));

/** Build it; the program's path, or why there is none. */
export function buildRculfhash(directory: string): { readonly path: string } | string {
  const path = join(directory, "rculfhash");
  const flags = ["-O2", "-D_LGPL_SOURCE", SOURCE, "-o", path, "-lurcu-qsbr", "-lurcu-cds", "-lpthread"];
  const { status, error, stderr } = spawnSync("cc", flags, { encoding: "utf8" });
  if (status === 0) return { path };
  const why = error?.message ?? stderr.split("\n").find((line) => line.includes("error")) ?? `cc ended with ${status}`;
  return `${RCULFHASH} is not beside these figures, for its program could not be built (${why.trim()}): on Debian \`apt-get install gcc liburcu-dev\`.`;
}

/** A filled table, in a process of its own. */
export class Rculfhash {
  readonly name: string = RCULFHASH;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #exit: Promise<never>;

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#exit = once(child, "exit").then(([code]) => {
      throw new Error(`the program of ${this.name} ended with ${code}`);
    });
    this.#exit.catch(() => {}); // whoever waits for a line sees it
    this.#lines = createInterface(child.stdout);
  }

  /** With the entries of this data. */
  static async start(program: string, directory: string, { numbers, drawnNumbers }: Data): Promise<Rculfhash> {
    const [keys, draws] = ["keys", "draws"].map((name) => join(directory, name)) as [string, string];
    writeFileSync(keys, numbers);
    writeFileSync(draws, drawnNumbers);
    const table = new Rculfhash(spawn(program, [keys, draws], { stdio: ["pipe", "pipe", "inherit"] }) as unknown as ChildProcessWithoutNullStreams);
    await table.#line();
    return table;
  }

  async #line(): Promise<string> {
    return (await Promise.race([once(this.#lines, "line"), this.#exit]))[0] as string;
  }

  async #ask(command: string): Promise<number> {
    const line = this.#line();
    this.#child.stdin.write(`${command}\n`);
    return Number(await line);
  }

  /** Ns of a lookup. */
  get(count: number): Promise<number> {
    return this.#ask(`get ${count}`);
  }

  /** As a crew; of its own running it knows nothing, since another thread frees what was replaced. */
  async write(writers: number, ms: number): Promise<{ rate: number; ns?: undefined }> {
    return { rate: await this.#ask(`set ${ms} ${writers}`) };
  }

  /** Bytes that malloc gave, an entry. */
  bytes(): Promise<number> {
    return this.#ask("bytes");
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    await this.#exit.catch(() => {});
    this.#lines.close();
  }
}
