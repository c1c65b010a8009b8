/**
 * Runs the compiled tests with Node's own runner: all of them, or those whose path contains one of the given words.
 * (The runner's own globs differ between Node 20 and 22.)
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

const words = process.argv.slice(2);
const files = readdirSync("build/test", { recursive: true, encoding: "utf8" })
  .map((file) => `build/test/${file.replaceAll("\\", "/")}`)
  .filter((file) => file.endsWith(".test.js") && (words.length === 0 || words.some((word) => file.includes(word))))
  .sort();
if (files.length === 0) {
  console.error(`no test file's path contains ${words.join(" or ")}`);
  process.exit(1);
}
process.exitCode = spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...files], { stdio: "inherit" }).status ?? 1;
