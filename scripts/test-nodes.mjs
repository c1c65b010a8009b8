/**
 * Runs the compiled tests on several versions of Node, each brought by the npm package `node`: `npm run test:nodes`,
 * or `npm run test:nodes -- 22 26`.
 */
import { spawnSync } from "node:child_process";

const versions = process.argv.length > 2 ? process.argv.slice(2) : ["20", "22", "24", "26"];
const npx = process.platform === "win32" ? "npx.cmd" : "npx";
let failed = false;
for (const version of versions) {
  console.log(`\nNode ${version}`);
  const { status } = spawnSync(npx, ["--yes", "--package", `node@${version}`, "node", "scripts/test.mjs"], { stdio: "inherit" });
  if (status !== 0) failed = true;
}
process.exitCode = failed ? 1 : 0;
