/** The main job's trace: the demo itself, run in a process of its own with the recorder in each of its threads. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DIRECTORY, GIVEN } from "./recorder.js";
import { given, type Trace, taken, traceOf } from "./trace.js";

const RECORDER = new URL("./recorder.js", import.meta.url).href;
const COMMAND = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** One event as a thread noted it: time, call, address, bytes. */
const NUMBERS = 4;

/**
 * Record the demo with its defaults (all of the data, 1,000 updates a second).
 * @param seconds of updates
 * @returns the trace; or why there is none
 */
export function recordMainJob(seconds: number): Trace | string {
  const directory = mkdtempSync(join(tmpdir(), "quiesce-trace-"));
  try {
    const args = ["--import", RECORDER, COMMAND, "demo", "--json", "--seconds", String(seconds), "--seed", "1"];
    const { status, stderr } = spawnSync(process.execPath, args, {
      encoding: "utf8",
      timeout: (seconds + 60) * 1000,
      env: { ...process.env, [DIRECTORY]: directory },
    });
    if (status !== 0) return `the main job was not recorded, for the demo ended with ${status}: ${stderr.trim().split("\n").at(-1)}`;
    const logs = readdirSync(directory).map((name) => new Float64Array(Uint8Array.from(readFileSync(join(directory, name))).buffer));
    return traceOf("main job", merge(logs));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The threads' events in the order of their times, with addresses turned into numbers of blocks. */
function merge(logs: readonly Float64Array[]): number[] {
  const places = logs.flatMap((log) => Array.from({ length: log.length / NUMBERS }, (_, i) => ({ log, at: i * NUMBERS })));
  places.sort((a, b) => (a.log[a.at] as number) - (b.log[b.at] as number));
  const trace: number[] = [];
  const blocks = new Map<number, number>();
  let next = 0;
  const give = (address: number): void => {
    const block = blocks.get(address);
    if (block === undefined) return;
    blocks.delete(address);
    trace.push(given(block));
  };
  for (const { log, at } of places) {
    const [call = 0, address = 0, bytes = 0] = log.subarray(at + 1, at + NUMBERS);
    give(address); // also of one that is taken anew: it had gone back before its callback ran
    if (call === GIVEN) continue;
    blocks.set(address, next++);
    trace.push(taken(call, bytes));
  }
  return trace;
}
