/** What the figures were taken on: they mean nothing without it. */

import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, loadavg, platform, release } from "node:os";

export interface Machine {
  readonly node: string;
  readonly v8: string;
  readonly cpu: string;
  readonly cores: number;
  readonly os: string;
  /** Load average of the last minute when the suite began. */
  readonly load: number;
}

export function machine(): Machine {
  return {
    node: process.version,
    v8: process.versions.v8,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    os: `${platform()} ${release()} ${arch()}`,
    load: loadavg()[0] ?? 0,
  };
}

export function describeMachine({ node, v8, cpu, cores, os, load }: Machine): string {
  return `Node ${node.slice(1)} (V8 ${v8}), ${cores} cores of ${cpu}, ${os}, load ${load.toFixed(2)}`;
}

/** Clock ticks a second of /proc, on every Linux that Node runs on. */
const TICKS = 100;

/** How much of the cores other processes took while a suite ran: above some hundredths, their work is in the figures. */
export class Neighbours {
  readonly #start: number = performance.now();
  readonly #busy: number = busySeconds();
  readonly #own: number = ownSeconds();

  /** Cores that others kept busy since the beginning; NaN where the platform does not tell. */
  cores(): number {
    return Math.max(0, (busySeconds() - this.#busy - (ownSeconds() - this.#own)) / ((performance.now() - this.#start) / 1000));
  }
}

/** Seconds that all cores have been busy. */
function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

/** Seconds that this process and the programs that it ran have used. */
function ownSeconds(): number {
  try {
    const afterName = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return afterName.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
  } catch {
    return Number.NaN;
  }
}
