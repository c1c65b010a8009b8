/** What the figures were taken on: they mean nothing without it. */

import { arch, availableParallelism, cpus, loadavg, platform, release } from "node:os";

export interface Machine {
  readonly node: string;
  readonly v8: string;
  readonly cpu: string;
  readonly cores: number;
  readonly os: string;
  /** Load average of the last minute when the suite began; above 0.5, somebody else's work is in the figures. */
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
