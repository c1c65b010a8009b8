/** liburcu's qsbr and mb flavors, from the C program beside this: built when there is a C compiler and liburcu, left out when not. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const LIBURCU_FLAVORS = ["qsbr", "mb"] as const;
export type LiburcuFlavor = (typeof LIBURCU_FLAVORS)[number];

/** From build/bench/rcu/, where this runs. */
const SOURCE = fileURLToPath(new URL("../../../bench/liburcu/bench.c", import.meta.url));

export interface LiburcuSections {
  readonly load: number;
  readonly section: number;
  readonly turn: number;
}

export class Liburcu {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Build it; or why not. */
  static build(): Liburcu | string {
    const directory = mkdtempSync(join(tmpdir(), "quiesce-liburcu-"));
    for (const flavor of LIBURCU_FLAVORS) {
      const define = flavor === "qsbr" ? ["-DQSBR"] : [];
      const flags = ["-O2", "-D_LGPL_SOURCE", ...define, SOURCE, "-o", join(directory, flavor), `-lurcu-${flavor}`, "-lpthread"];
      const { status, error, stderr } = spawnSync("cc", flags, { encoding: "utf8" });
      if (status === 0) continue;
      rmSync(directory, { recursive: true, force: true });
      const why = error?.message ?? stderr.split("\n").find((line) => line.includes("error")) ?? `cc ended with ${status}`;
      return `liburcu is not beside these figures, for its program could not be built (${why.trim()}): install a C compiler and liburcu's headers, on Debian \`apt-get install gcc liburcu-dev\`.`;
    }
    return new Liburcu(directory);
  }

  #run(flavor: LiburcuFlavor, args: readonly (string | number)[]): unknown {
    const { status, stdout, stderr } = spawnSync(join(this.#directory, flavor), args.map(String), { encoding: "utf8", maxBuffer: 2 ** 24 });
    if (status !== 0) throw new Error(`the ${flavor} program ended with ${status}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** Ns of a load, of a section with one, of a whole turn with one section. */
  sections(flavor: LiburcuFlavor, calls: number): LiburcuSections {
    return this.#run(flavor, ["sections", calls]) as LiburcuSections;
  }

  /** Durations of grace periods, in us, for so many ms. */
  grace(flavor: LiburcuFlavor, readers: number, busy: boolean, milliseconds: number, sections: number, microseconds: number): number[] {
    const args = ["grace", readers, busy ? 1 : 0, milliseconds, sections, microseconds * 1000];
    return (this.#run(flavor, args) as { microseconds: number[] }).microseconds;
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
