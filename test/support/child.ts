/** A child process that runs a few lines with the built library: for what only a process can tell, such as whether it exits. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LIMIT } from "../../check/support/watchdog.js";

/** How a child ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Run module code in which `$SRC` stands for the address of the built src/.
 * @param milliseconds after which it is said to hang, and killed
 */
export function runChild(code: string, milliseconds = LIMIT): Promise<Ended> {
  const src = new URL("../../src", import.meta.url).href;
  // A file, since not every runtime takes a module on its command line.
  const folder = mkdtempSync(join(tmpdir(), "quiesce-child-"));
  const file = join(folder, "child.mjs");
  writeFileSync(file, code.replaceAll("$SRC", src));
  const ended = new Promise<Ended>((resolve, reject) => {
    const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (text) => {
      stdout += text;
    });
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the child did not exit by itself in ${milliseconds} ms; it said ${JSON.stringify(stdout + stderr)} to:\n${code}`));
    }, milliseconds);
    child.on("error", reject);
    child.on("close", (exitCode) => {
      clearTimeout(timer);
      resolve({ code: exitCode, stdout, stderr });
    });
  });
  return ended.finally(() => rmSync(folder, { recursive: true, force: true }));
}
