/** docs/api.md names whatever there is: each call, code, tracepoint and figure; and the pages name no file that there is not. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { LIMIT } from "../check/support/watchdog.js";
import { Heap } from "../src/memory/heap.js";
import * as memoryDoor from "../src/memory/index.js";
import { AreaView } from "../src/memory/vmalloc/view.js";
import { Domain } from "../src/rcu/domain.js";
import { FLAVORS } from "../src/rcu/flavors/flavor.js";
import { tracepoints } from "../src/rcu/tracepoints.js";
import { Cell } from "../src/structures/cell/cell.js";
import * as structuresDoor from "../src/structures/index.js";
import { SharedMap } from "../src/structures/map/map.js";
import { World } from "./support/world.js";

const api = readFileSync("docs/api.md", "utf8");

function mustHave(words: readonly string[], what: string): void {
  assert.deepEqual(
    words.filter((word) => !api.includes(word)),
    [],
    `docs/api.md lacks these ${what}`,
  );
}

/** For structures and for Shared; said in the source. */
const INTERNAL = new Set([
  "constructor",
  "open",
  "flavor",
  "afterUpdate",
  "beforeUpdate",
  "allocate",
  "flushSync",
  "nameThread",
  "onSuspects",
  "helpDeparted",
  "detach",
  "drainDead",
]);

test("every call of a domain", () =>
  mustHave(
    Object.getOwnPropertyNames(Domain.prototype).filter((name) => !INTERNAL.has(name)),
    "calls",
  ));

/** Of the heap: for the allocators, limbo and the reaper. */
const INTERNAL_OF_HEAP = new Set([
  "constructor",
  "lockArena",
  "cacheIndexes",
  "makeCache",
  "forget",
  "freeUnpublished",
  "cacheOf",
  "isLive",
  "clearLive",
  "linkOf",
  "putBack",
  "isPutBack",
  "doubleFree",
  "limboOf",
  "limbosOf",
  "pageListOf",
  "isRetiredPages",
  "isUnpublished",
  "isUnpublishedTag",
]);

test("every call, export, code and figure of quiesce/memory", () => {
  const { Arena, FileStore, Mempool, RobustMutex, RwLock, SeqLock, SpinLock, Vmalloc } = memoryDoor;
  const section = api.slice(api.indexOf("## quiesce/memory"));
  const calls = [Heap, Arena, AreaView, FileStore, Mempool, RobustMutex, RwLock, SeqLock, SpinLock, Vmalloc]
    .flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype))
    .filter((name) => !INTERNAL_OF_HEAP.has(name));
  const codes = ["errors", "heap", "mempool", "robust-mutex", "rw-lock", "seqlock", "slot", "vmalloc/store"].flatMap(
    (file) => readFileSync(`src/memory/${file}.ts`, "utf8").match(/ERR_[A-Z_]+/g) ?? [],
  );
  const info = new World(64).arena(1).heap.slabinfo()[0];
  const names = [...Object.keys(memoryDoor), ...calls, ...codes];
  assert.ok(names.length > 100);
  assert.deepEqual(
    names.filter((name) => !new RegExp(`\\b${name}\\b`).test(section)),
    [],
    "docs/api.md lacks these of quiesce/memory",
  );
  const memory = readFileSync("docs/memory.md", "utf8");
  const figures = Object.keys(info ?? {});
  assert.ok(figures.length > 5);
  assert.deepEqual(
    figures.filter((name) => !memory.includes(name)),
    [],
    "docs/memory.md lacks these of slabinfo()",
  );
});

test("every call and export of quiesce/structures", () => {
  const section =
    api.slice(api.indexOf("## quiesce/structures"), api.indexOf("## quiesce/memory")) + api.slice(api.indexOf("### Lists"), api.indexOf("## Values"));
  const { LfStack, WfcQueue } = structuresDoor;
  const calls = [LfStack, WfcQueue].flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype)).filter((name) => name !== "constructor");
  assert.deepEqual(
    calls.filter((name) => !new RegExp(`\\b${name}\\b`).test(section)),
    [],
    "docs/api.md lacks these of quiesce/structures",
  );
  mustHave(Object.keys(structuresDoor), "exports");
});

test("every door has its section, or is README.md's", () => {
  const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, unknown> };
  const doors = Object.keys(exports).filter((door) => door !== "." && door !== "./package.json");
  assert.deepEqual(doors, ["./rcu", "./memory", "./structures"]);
  mustHave(
    doors.map((door) => `\`${door.replace(".", "quiesce")}\``),
    "doors",
  );
});

/** Of the views of lists: what they share among themselves. */
const INTERNAL_OF_LISTS = new Set(["constructor", "mayUpdate", "mayRead", "wayBack", "mustLead", "walk", "link", "pprev", "writeNext"]);

test("every call and code of the lists", () => {
  const { RcuHlist, RcuHlistNulls, RcuList, SharedList } = structuresDoor;
  const section = api.slice(api.indexOf("### Lists"), api.indexOf("## Debugging"));
  const [list = "", hlist = "", nulls = "", friendly = ""] = section.split(/\| `RcuHlist|`shared\.list/);
  const HashChain = Object.getPrototypeOf(RcuHlist.prototype);
  const rows: [object[], string][] = [
    [[RcuList.prototype], list],
    [[RcuHlist.prototype, HashChain], hlist],
    [[RcuHlistNulls.prototype], nulls],
    [[SharedList.prototype], friendly],
  ];
  for (const [prototypes, text] of rows) {
    const calls = prototypes.flatMap((prototype) => Object.getOwnPropertyNames(prototype)).filter((name) => !INTERNAL_OF_LISTS.has(name));
    assert.ok(calls.length > 5);
    assert.deepEqual(
      calls.filter((name) => !new RegExp(`\\b${name}\\b`).test(text)),
      [],
      "docs/api.md lacks these of the lists",
    );
  }
  const codes = readFileSync("src/structures/list/errors.ts", "utf8").match(/ERR_\w+/g) ?? [];
  assert.ok(codes.length >= 4);
  mustHave(codes, "codes");
});

test("every call of the map, the cell and the list", () => {
  const between = (from: string, to: string): string => api.slice(api.indexOf(from), api.indexOf(to));
  const rows: [object, string][] = [
    [SharedMap.prototype, between("### map", "### cell")],
    [Cell.prototype, between("### cell", "### Lists")],
    [structuresDoor.SharedList.prototype, between("`shared.list(name, codec)`", "## Values")],
  ];
  const internal = new Set(["constructor", "begin"]);
  for (const [prototype, section] of rows) {
    const calls = Object.getOwnPropertyNames(prototype).filter((name) => !internal.has(name));
    assert.ok(calls.length > 5);
    assert.deepEqual(
      calls.filter((name) => !new RegExp(`\\b${name}\\b`).test(section)),
      [],
      "docs/api.md lacks these of a structure",
    );
  }
  const schema = readFileSync("src/structures/map/schema.ts", "utf8");
  const options = [...schema.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name as string);
  assert.ok(options.length >= 4);
  for (const page of [rows[0]?.[1] ?? "", readFileSync("docs/structures.md", "utf8")])
    assert.deepEqual(
      options.filter((name) => !new RegExp(`\\b${name}\\b`).test(page)),
      [],
      "a page lacks these of a map's schema",
    );
});

test("the code of docs/structures.md runs", () => {
  const page = readFileSync("docs/structures.md", "utf8");
  const code = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, block]) => block);
  assert.ok(code.length >= 5);
  code.push('console.log(routes.get("/shop").weight, servers.get().join(""), settings.get().theme, shared.check().length);\nshared.close();');
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code.join("\n")], { encoding: "utf8", timeout: LIMIT });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /\/shop 3\n\[ '\/cart' \]\n\[ 'build --fast', 'test' \]\n7\n11 aebd dark 0\n$/);
});

test("the tables that docs/structures.md waits for are the bench's", () => {
  const titles = [...readFileSync("docs/structures.md", "utf8").matchAll(/<!-- table: (.*?)(?:: shared\.map against the others)? -->/g)].map(
    ([, title]) => title,
  );
  const bench = readdirSync("bench/structures")
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(`bench/structures/${file}`, "utf8"))
    .join("");
  assert.ok(titles.length > 10);
  assert.deepEqual(
    titles.filter((title) => !bench.includes(`"${title}"`)),
    [],
  );
});

test("every code, tracepoint, flavor and figure", () => {
  const codes = readFileSync("src/rcu/errors.ts", "utf8").match(/ERR_\w+/g) ?? [];
  assert.ok(codes.length >= 10);
  mustHave(codes, "codes");
  mustHave(
    Object.values(tracepoints).map(({ name }) => `\`${name}\``),
    "tracepoints",
  );
  mustHave(
    FLAVORS.map((flavor) => `\`${flavor}\``),
    "flavors",
  );
  const domain = new World().domain(1);
  const stats = domain.stats();
  mustHave(
    [...Object.keys(stats), ...Object.keys(stats.gpMicros), ...Object.keys(stats.callbacks), ...Object.keys(stats.slots[0] ?? {})].map((name) => `\`${name}`),
    "figures",
  );
  domain.detach();
});

test("files that the pages name exist", () => {
  const exists = (file: string): boolean =>
    [`${file}`, `src/${file}`].some((path) => existsSync(path)) ||
    ["src", "test", "check", "bench", "docs", "examples"].some((room) =>
      readdirSync(room, { recursive: true, encoding: "utf8" }).some((path) => path.replaceAll("\\", "/").endsWith(`/${file}`) || path === file),
    );
  for (const page of ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/api.md", "docs/memory.md", "docs/sources.md", "docs/structures.md"]) {
    const text = readFileSync(page, "utf8").replace(/```[a-z]*\n[\s\S]*?```/g, "");
    const named = [...text.matchAll(/[`(]((?:[\w.-]+\/)*[\w-]+\.(?:ts|mjs|md))\b/g)].map(([, file]) => file as string);
    assert.ok(named.length > 0, page);
    assert.deepEqual(
      named.filter((file) => !exists(file) && !/\bNAME[\w-]*\.ts$/.test(file)),
      [],
      page,
    );
  }
});
