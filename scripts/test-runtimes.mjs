/**
 * Runs the core's compiled tests on other runtimes, each brought by its npm package when it is not in the cache. See HELP.
 *
 * Each runtime runs the files with a runner of its own (`node --test`, `bun test`, `deno test`), all of which know node:test. A runner is believed
 * only after it has reported tests that fail on purpose.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ALL = ["node@20", "node@22", "node@24", "node@26", "bun", "deno"];
const CORE = ["memory", "rcu", "shared", "threads"];
const CACHE = resolve(process.env.QUIESCE_RUNTIMES ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "quiesce", "runtimes"));
/** A file that takes longer hangs, in ms. */
const PATIENCE = 30 * 60_000;

const HELP = `npm run test:runtimes -- [runtime...] [--only word]... [--all] [--verbose]

Runs the tests of the core (${CORE.join(", ")}) on each runtime: ${ALL.join(", ")}, or those named.
A runtime is a name of an npm package and, if wanted, a version: node@24, bun, bun@1.4.5, deno, 22 (node@22).

  --only word   only test files whose path has the word (any of the words)
  --all         all test files, not only the core's
  --verbose     show what the runners print also when nothing failed

Runtimes are kept in ${CACHE} (QUIESCE_RUNTIMES names another folder); delete one to get a newer version.
Exits with 1 when a test fails anywhere, or a runtime cannot be had.`;

/** Where a package keeps its program, how it runs test files, and how its runner counts. */
const KINDS = {
  node: {
    program: ["node", "bin", process.platform === "win32" ? "node.exe" : "node"],
    args: (files) => ["--test", "--test-reporter=spec", ...files],
    passed: /^ℹ pass (\d+)/m,
    failed: /^ℹ fail (\d+)/m,
  },
  bun: {
    program: ["bun", "bin", "bun.exe"],
    // A limit of its own, longer than that of whatever a test waits for, which says what hung.
    args: (files) => ["test", "--timeout", "600000", ...files],
    passed: /^ *(\d+) pass$/m,
    failed: /^ *(\d+) fail$/m,
  },
  deno: {
    program: ["deno", process.platform === "win32" ? "deno.exe" : "deno"],
    args: (files) => ["test", "--allow-all", "--no-check", "--no-lock", ...files],
    passed: /\| (\d+) passed/,
    failed: /\| (\d+) failed/,
  },
};

class Failure extends Error {}

function arrange(argv) {
  const options = { runtimes: [], only: [], all: false, verbose: false };
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i];
    if (arg === "--help" || arg === "-h") return undefined;
    else if (arg === "--all") options.all = true;
    else if (arg === "--verbose") options.verbose = true;
    else if (arg === "--only" && argv[i + 1] !== undefined) options.only.push(argv[++i]);
    else if (/^\d+(\.\d+)*$/.test(arg)) options.runtimes.push(`node@${arg}`);
    else if (/^(node|bun|deno)(@[\w.-]+)?$/.test(arg)) options.runtimes.push(arg);
    else throw new Failure(`${arg} is no runtime and no option; see --help`);
  }
  if (options.runtimes.length === 0) options.runtimes = ALL;
  return options;
}

function run(program, args, env = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    timeout: PATIENCE,
    killSignal: "SIGKILL",
    maxBuffer: 2 ** 28,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined, ...env },
  });
  return { ok: status === 0, how: error?.message ?? signal ?? `exit code ${status}`, stdout: stdout ?? "", stderr: stderr ?? "" };
}

/** The runtime's program and what it says its version is; installed when absent. */
function bring(runtime) {
  const { program } = KINDS[runtime.split("@")[0]];
  const folder = join(CACHE, runtime.replace("@", "-"));
  const path = join(folder, "node_modules", ...program);
  const ask = () => (existsSync(path) ? run(path, ["--version"]) : undefined);
  let answer = ask();
  if (!answer?.ok) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    const windows = process.platform === "win32";
    const install = spawnSync(windows ? "npm.cmd" : "npm", ["install", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=60000", runtime], {
      cwd: folder,
      encoding: "utf8",
      shell: windows,
    });
    answer = install.status === 0 ? ask() : undefined;
    if (!answer?.ok) {
      const said = `${install.stderr ?? ""}${install.error?.message ?? ""}`.trim();
      const unreachable = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED/.exec(said)?.[0];
      throw new Failure(
        unreachable === undefined
          ? `npm could not install ${runtime} into ${folder}:\n${said || answer?.how || "its program is missing"}`
          : `the npm registry cannot be reached (${unreachable}), and ${runtime} is not in ${CACHE}: connect once, or set QUIESCE_RUNTIMES to a folder that has it`,
      );
    }
  }
  return { path, version: /\d+\.\d+\.\d+\S*/.exec(answer.stdout)?.[0] ?? "?" };
}

/** Run test files; the runner's own count. */
function test(runtime, path, files) {
  const { args, passed, failed } = KINDS[runtime.split("@")[0]];
  const started = performance.now();
  const { ok, how, stdout, stderr } = run(path, args(files), { DENO_DIR: join(CACHE, "deno-dir"), DENO_NO_UPDATE_CHECK: "1" });
  const count = (pattern) => {
    const found = pattern.exec(stdout) ?? pattern.exec(stderr); // Bun reports to stderr
    return found === null ? undefined : Number(found[1]);
  };
  return { ok, how, passed: count(passed), failed: count(failed), seconds: (performance.now() - started) / 1000, output: stdout + stderr };
}

const ON_PURPOSE = `
import assert from "node:assert/strict";
import { test } from "node:test";
test("passes", () => {});
test("fails at once", () => assert.equal(1, 2));
test("fails later", async () => {
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.fail("on purpose");
});
`;

/** A runner that does not report failures proves nothing. */
function prove(runtime, path) {
  const folder = mkdtempSync(join(tmpdir(), "quiesce-runtimes-"));
  try {
    const file = join(folder, "fails.test.mjs");
    writeFileSync(file, ON_PURPOSE);
    const { ok, passed, failed, output } = test(runtime, path, [file]);
    if (ok || passed !== 1 || failed !== 2)
      throw new Failure(`its runner did not report two tests that fail on purpose (${passed} passed, ${failed} failed, ${ok ? "exit code 0" : "failed"}):\n${output}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main() {
  const options = arrange(process.argv.slice(2));
  if (options === undefined) {
    console.log(HELP);
    return true;
  }
  const files = readdirSync("build/test", { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".test.js") && (options.all || CORE.includes(file.split("/")[0])))
    .filter((file) => options.only.length === 0 || options.only.some((word) => file.includes(word)))
    .map((file) => `./build/test/${file}`)
    .sort();
  if (files.length === 0) throw new Failure(`no test file's path contains ${options.only.join(" or ")}`);
  let good = true;
  for (const runtime of options.runtimes) {
    try {
      const { path, version } = bring(runtime);
      prove(runtime, path);
      const { ok, how, passed, failed, seconds, output } = test(runtime, path, files);
      const fine = ok && failed === 0 && passed > 0;
      const counts = passed === undefined ? "its runner gave no count" : `${passed} passed, ${failed} failed`;
      const what = `${files.length} files in ${seconds.toFixed(0)} s${ok ? "" : ` (${how})`}`;
      if (!fine || options.verbose) console.log(output);
      console.log(`${fine ? "ok  " : "FAIL"} ${runtime.padEnd(8)} ${version.padEnd(10)} ${counts}, ${what}`);
      good &&= fine;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      console.log(`FAIL ${runtime.padEnd(8)} ${error.message}`);
      good = false;
    }
  }
  return good;
}

try {
  process.exitCode = main() ? 0 : 1;
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
