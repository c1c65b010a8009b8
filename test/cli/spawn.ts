/**
 * Runs the built command in a process of its own, under a watchdog that says what hung.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run `quiesce ...args`; `onStderr` is called with all of stderr so far, each time there is more. */
export function quiesce(args: readonly string[], limit: number, onStderr?: (text: string, child: ChildProcess) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NO_COLOR: "1" } });
    let stdout = "";
    let stderr = "";
    const watchdog = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`hung: quiesce ${args.join(" ")} was still running after ${limit / 1000} s\nstdout: ${stdout}\nstderr: ${stderr}`));
    }, limit);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      onStderr?.(stderr, child);
    });
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(watchdog);
      resolve({ status, stdout, stderr });
    });
  });
}
