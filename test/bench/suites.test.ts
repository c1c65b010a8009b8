/** Each benchmark suite runs, also where there is no C compiler, and prints what its JSON promises. Nothing here looks at a time. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Figure } from "../../bench/rounds.js";
import { LIMIT } from "../../check/support/watchdog.js";

const main = fileURLToPath(new URL("../../bench/main.js", import.meta.url));

interface Printed {
  readonly suite: string;
  readonly node: string;
  readonly machine: { readonly cores: number; readonly cpu: string; readonly node: string; readonly load: number };
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
}

function bench(args: readonly string[], env: NodeJS.ProcessEnv = {}): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["--expose-gc", main, ...args], { encoding: "utf8", timeout: 4 * LIMIT, env: { ...process.env, ...env } });
}

function json(args: readonly string[], env?: NodeJS.ProcessEnv): Printed {
  const { status, stdout, stderr } = bench([...args, "--json"], env);
  assert.equal(status, 0, stderr);
  const printed = JSON.parse(stdout) as Printed;
  assert.equal(printed.suite, args[0]);
  assert.equal(printed.node, process.version);
  assert.ok(printed.machine.cores >= 1 && printed.machine.cpu.length > 0);
  assert.ok(printed.figures.length > 0);
  for (const { what, value, unit } of printed.figures) {
    assert.ok(what.length > 0 && typeof unit === "string", what);
    // A figure that this platform does not tell is null.
    assert.ok(value === null || Number.isFinite(value), `${what}: ${value}`);
  }
  assert.equal(new Set(printed.figures.map(({ what }) => what)).size, printed.figures.length, "no figure stands twice");
  return printed;
}

const tablesOf = ({ figures }: Printed): string[] => [...new Set(figures.map(({ cell }) => cell?.table ?? ""))];

test("--help names the suites; an unknown suite, two, or bad seconds are refused", () => {
  const { status, stdout } = bench(["--help"]);
  assert.equal(status, 0);
  for (const suite of ["allocators", "ip-lookup", "map", "rcu", "turn-costs"]) assert.match(stdout, new RegExp(`^ {2}${suite} `, "m"));
  for (const args of [[], ["nothing"], ["rcu", "rcu"], ["rcu", "--seconds", "soon"], ["toString"], ["rcu", "--only", "x"]])
    assert.equal(bench(args).status, 2, args.join(" "));
});

test("allocators, and a page with its tables; without a C compiler it says what to install", () => {
  const directory = mkdtempSync(join(tmpdir(), "quiesce-bench-"));
  try {
    const page = join(directory, "page.md");
    writeFileSync(page, "<!-- run -->\nold\n<!-- /run -->\n<!-- table: goals -->\nold\n<!-- /table -->\n<!-- table: no such -->\nkept\n<!-- /table -->\n");
    const printed = json(["allocators", "--seconds", "1", "--into", page], { PATH: directory });
    const tables = tablesOf(printed);
    for (const title of [...readFileSync("docs/memory.md", "utf8").matchAll(/<!-- table: (.*?) -->/g)].map(([, title]) => title as string))
      assert.ok(tables.includes(title), `docs/memory.md has a place for "${title}", which the suite does not make`);
    assert.ok(printed.notes.some((note) => note.includes("apt-get install gcc libmimalloc-dev")));
    assert.ok(printed.figures.every(({ cell }) => cell?.column !== "glibc"));
    const wastes = printed.figures.filter(({ what }) => what.startsWith("traces: waste") || what.startsWith("traces: internal"));
    assert.ok(wastes.length > 0 && wastes.every(({ value }) => value >= 0 && value < 100));
    const text = readFileSync(page, "utf8");
    assert.match(text, /^<!-- run -->\n\n- Node [\s\S]*<!-- \/run -->\n<!-- table: goals -->\n\n\| \|[\s\S]*<!-- \/table -->\n<!-- table: no such -->\nkept\n/);
    assert.doesNotMatch(text, /old/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("ip-lookup", () => {
  json(["ip-lookup", "--seconds", "1"]);
});

test("map: every table; without a C compiler it says what to install, and --peers leaves the others out", () => {
  const directory = mkdtempSync(join(tmpdir(), "quiesce-bench-"));
  try {
    const printed = json(["map", "--seconds", "1", "--peers", "Map,shared.map,shared.map under a mutex"], { PATH: directory });
    const tables = tablesOf(printed);
    for (const table of [
      "get, u32 keys",
      "get, utf8 keys",
      "get, utf8 keys to json objects",
      "cell, read and unchanged",
      "set, in each writer",
      "bytes an entry",
    ])
      assert.ok(tables.includes(table), table);
    assert.ok(printed.notes.some((note) => note.includes("apt-get install gcc liburcu-dev")));
    assert.deepEqual(
      printed.notes.filter((note) => note.includes("left out")),
      [],
    );
    assert.ok(printed.figures.every(({ cell }) => cell?.column !== "lmdb"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("map: one row, each peer, and its plot", () => {
  const directory = mkdtempSync(join(tmpdir(), "quiesce-bench-"));
  try {
    const svg = join(directory, "plot.svg");
    const printed = json(["map", "--seconds", "0.5", "--only", "U32 uniform 999", "--svg", svg]);
    assert.deepEqual(tablesOf(printed), ["get, u32 keys", "get, u32 keys: shared.map against the others"]);
    assert.ok(printed.figures.every(({ cell }) => cell?.row === "999 entries, uniform keys"));
    const columns = printed.figures.map(({ cell }) => cell?.column);
    for (const peer of ["Map", "shared.map", "lmdb", "sharedmap", "shared-memory-datastructures"])
      assert.ok(columns.includes(peer) || printed.notes.some((note) => note.startsWith(`${peer} is not`)), peer);
    assert.match(readFileSync(svg, "utf8"), /^<svg [\s\S]*get, u32 keys[\s\S]*<\/svg>\n$/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("rcu, and its plot; where liburcu cannot be built, it says what to install", () => {
  const directory = mkdtempSync(join(tmpdir(), "quiesce-bench-"));
  try {
    const svg = join(directory, "plot.svg");
    const printed = json(["rcu", "--seconds", "1", "--svg", svg], { PATH: directory });
    assert.ok(tablesOf(printed).includes("grace period, p50"));
    assert.ok(printed.notes.some((note) => note.includes("apt-get install gcc liburcu-dev")));
    assert.ok(printed.figures.every(({ what }) => !what.includes("liburcu qsbr,")));
    assert.ok(existsSync(svg));
    assert.match(readFileSync(svg, "utf8"), /^<svg [\s\S]*grace period, p50[\s\S]*<\/svg>\n$/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("turn-costs answers A, B and C", () => {
  assert.deepEqual(tablesOf(json(["turn-costs", "--seconds", "1"])), ["A: scheduling delay", "B: responsiveness", "C: balance"]);
});
