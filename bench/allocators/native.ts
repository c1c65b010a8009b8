/** glibc's malloc and mimalloc, from the C program in native/: built when there is a C compiler and the library, left out when not. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Subject } from "./jobs.js";
import type { NativeName } from "./names.js";
import type { BurstOrder } from "./patterns.js";
import type { Waste } from "./replay.js";
import type { Trace } from "./trace.js";

/** From build/bench/allocators/, where this runs. */
const SOURCE = fileURLToPath(new URL("../../../bench/allocators/native/bench.c", import.meta.url));

const FLAGS: Readonly<Record<NativeName, readonly string[]>> = { glibc: [], mimalloc: ["-DMIMALLOC", "-lmimalloc"] };
const PACKAGES: Readonly<Record<NativeName, string>> = { glibc: "gcc", mimalloc: "gcc libmimalloc-dev" };

/** One of them. Each call is a process of its own, so nothing of one is left for the next. */
export class Native implements Subject {
  readonly name: NativeName;
  readonly threads: number = 2;
  readonly #directory: string;
  readonly #program: string;
  readonly #files = new Map<string, string>();

  private constructor(name: NativeName, directory: string, program: string) {
    this.name = name;
    this.#directory = directory;
    this.#program = program;
  }

  /** Build it; or why not. */
  static build(name: NativeName): Native | string {
    const directory = mkdtempSync(join(tmpdir(), "quiesce-malloc-"));
    const program = join(directory, name);
    const { status, error, stderr } = spawnSync("cc", ["-O2", SOURCE, "-o", program, ...FLAGS[name], "-lpthread"], { encoding: "utf8" });
    if (status === 0) return new Native(name, directory, program);
    rmSync(directory, { recursive: true, force: true });
    const why = error?.message ?? stderr.split("\n").find((line) => line.includes("error")) ?? `cc ended with ${status}`;
    return `${name} is not beside these figures, for its program could not be built (${why.trim()}): on Debian \`apt-get install ${PACKAGES[name]}\`.`;
  }

  #run(...args: readonly (string | number)[]): unknown {
    const { status, stdout, stderr } = spawnSync(this.#program, args.map(String), { encoding: "utf8", timeout: 120_000 });
    if (status !== 0) throw new Error(`the program for ${this.name} ended with ${status}: ${stderr}`);
    return JSON.parse(stdout);
  }

  async pairs(bytes: number, ms: number, threads: number): Promise<readonly number[]> {
    return (this.#run("pairs", bytes, ms, threads) as { ns: number[] }).ns;
  }

  async burst(bytes: number, order: BurstOrder, ms: number, threads: number): Promise<readonly number[]> {
    return (this.#run("burst", bytes, order, ms, threads) as { ns: number[] }).ns;
  }

  async remote(bytes: number, ms: number): Promise<number> {
    return (this.#run("remote", bytes, ms) as { ns: number }).ns;
  }

  #file(trace: Trace): string {
    let file = this.#files.get(trace.name);
    if (file === undefined) {
      file = join(this.#directory, `${this.#files.size}.trace`);
      writeFileSync(file, trace.events);
      this.#files.set(trace.name, file);
    }
    return file;
  }

  async replay(trace: Trace): Promise<number | undefined> {
    return (this.#run("replay", this.#file(trace), 1) as { ns: number[] }).ns[0];
  }

  async waste(trace: Trace): Promise<Waste> {
    return this.#run("waste", this.#file(trace), trace.peak) as Waste;
  }

  async end(): Promise<void> {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
