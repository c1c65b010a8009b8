/**
 * Runs the compiled tests with Node's own runner: all of them, or those whose path contains one of the given words.
 * (The runner's own globs differ between Node 20 and 22.)
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";

const words = process.argv.slice(2);
const files = readdirSync("build/test", { recursive: true, encoding: "utf8" })
  .map((file) => `build/test/${file.replaceAll("\\", "/")}`)
  .filter((file) => file.endsWith(".test.js") && (words.length === 0 || words.some((word) => file.includes(word))))
  .sort();
if (files.length === 0) {
  console.error(`no test file's path contains ${words.join(" or ")}`);
  process.exit(1);
}
// Files at once, as many as there are cores: the runner itself leaves one core out, which on two cores is half of them, though it needs next to nothing.
// Never one at a time: a test that fails beside others fails on a busy machine too.
const concurrency = `--test-concurrency=${Math.max(2, availableParallelism())}`;
process.exitCode = spawnSync(process.execPath, ["--test", "--test-reporter=spec", concurrency, ...files], { stdio: "inherit" }).status ?? 1;
