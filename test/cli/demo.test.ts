/** The built command as its users run it: real data, real threads, real signals. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMIT } from "../../check/support/watchdog.js";
import { quiesce } from "./spawn.js";

const FIELDS = [
  "rows",
  "entries",
  "trimmed",
  "threads",
  "seconds",
  "lookups",
  "updates",
  "wrong",
  "gracePeriods",
  "bytesUsed",
  "bytesIfCopied",
  "retiredPending",
  "seed",
];

function parseOnly(stdout: string): Record<string, unknown> {
  assert.match(stdout, /^\{.*\}\n$/, "one object on one line, nothing else");
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("a short run: every field, nothing wrong, status 0", async () => {
  const { status, stdout, stderr } = await quiesce(["demo", "--seconds", "2", "--threads", "2", "--json", "--seed", "1"], LIMIT);
  assert.equal(status, 0, stderr);
  const result = parseOnly(stdout);
  for (const field of FIELDS) assert.equal(typeof result[field], "number", field);
  for (const field of ["p50", "p99", "max"]) assert.equal(typeof (result.gpMicros as Record<string, unknown>)[field], "number", field);
  assert.equal(result.rows, 550_668);
  assert.equal(result.trimmed, 568 + 83);
  assert.ok((result.entries as number) < 550_668 && (result.entries as number) > 500_000);
  assert.equal(result.threads, 2);
  assert.equal(result.seed, 1);
  assert.equal(result.wrong, 0);
  assert.equal(result.audited, true);
  assert.equal(result.interrupted, false);
  assert.deepEqual([result.violations, result.failures], [[], []]);
  assert.ok((result.lookups as number) > 0);
  assert.ok((result.updates as number) > 0);
  assert.ok((result.seconds as number) >= 1.9);
  assert.match(stderr, /lookups\/s/);
  assert.match(stderr, /seed 1/);
});

test("no updates asked, none made; one reader, a fraction of a second", async () => {
  const { status, stdout, stderr } = await quiesce(["demo", "--seconds", "0.3", "--threads", "1", "--updates", "0", "--json"], LIMIT);
  assert.equal(status, 0, stderr);
  const result = parseOnly(stdout);
  assert.equal(result.updates, 0);
  assert.ok((result.lookups as number) > 0);
  assert.equal(result.entries, result.entriesAtEnd);
});

test("without --json the table is on stdout, with no colour codes in a pipe; with --memory what the allocators say", async () => {
  const { status, stdout, stderr } = await quiesce(["demo", "--seconds", "1.5", "--threads", "2", "--memory"], LIMIT);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /time +lookups\/s +ns\/lookup +updates\/s/);
  assert.match(stdout, /Every answer was checked.*: 0 wrong\./);
  assert.match(stdout, /^order +0 +1 [\s\S]*^free +\d+[\s\S]* pages of 4096 bytes free\n\ncache +out +objects /m);
  assert.ok(!stdout.includes("\u001b") && !stderr.includes("\u001b"));
  assert.match(stderr, /^Loading \.\.\.\nLoaded 550,668 rows .*651 \(568 IPv4, 83 IPv6\) overlapped/);
});

test("--lookup prints each address in the order given", async () => {
  const asked = ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "::1", "0.0.0.0"];
  const { status, stdout, stderr } = await quiesce(["demo", ...asked.flatMap((address) => ["--lookup", address])], LIMIT);
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, asked.length);
  assert.match(lines[0] as string, /^8\.8\.8\.8 US [\d.]+ - [\d.]+$/);
  assert.match(lines[1] as string, /^2001:4860:4860::8888 US [\da-f:]+ - [\da-f:]+$/);
  assert.equal(lines[2], (lines[0] as string).replace("8.8.8.8", "::ffff:8.8.8.8"));
  assert.equal(lines[3], "::1 not found");
  assert.equal(lines[4], "0.0.0.0 not found");
});

test("--lookup --json prints one object", async () => {
  const { status, stdout, stderr } = await quiesce(["demo", "--json", "--lookup", "8.8.8.8", "--lookup", "::1"], LIMIT);
  assert.equal(status, 0, stderr);
  const { lookups } = parseOnly(stdout) as { lookups: { address: string; country: string | null; first: string | null; last: string | null }[] };
  assert.equal(lookups.length, 2);
  assert.deepEqual([lookups[0]?.address, lookups[0]?.country], ["8.8.8.8", "US"]);
  assert.deepEqual(lookups[1], { address: "::1", country: null, first: null, last: null });
});

test("a malformed address: told at once, status 2", async () => {
  const { status, stdout, stderr } = await quiesce(["demo", "--lookup", "8.8.8.8", "--lookup", "8.8.8.0/24"], LIMIT);
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /^quiesce: --lookup: "8\.8\.8\.0\/24" is not an address; give /);
  assert.ok(!stderr.includes("Load"), "before the slow part");
});

// The two signals are one to the command: one while it runs, the other while it loads.
test("SIGINT while running: the summary, status 0", async () => {
  let sent = false;
  const { status, stdout, stderr } = await quiesce(["demo", "--seconds", "100", "--threads", "2", "--json"], LIMIT, (text, child) => {
    if (sent || !/\n +1\.\d s/.test(text)) return;
    sent = true;
    child.kill("SIGINT");
  });
  assert.equal(status, 0, stderr);
  const result = parseOnly(stdout);
  assert.equal(result.interrupted, true);
  assert.equal(result.wrong, 0);
  assert.equal(result.audited, true);
  assert.ok((result.lookups as number) > 0);
  assert.match(stderr, /Interrupted after/);
});

test("SIGTERM while loading: says so, status 0, one object on stdout", async () => {
  let sent = false;
  const { status, stdout, stderr } = await quiesce(["demo", "--json"], LIMIT, (_, child) => {
    if (sent) return;
    sent = true;
    child.kill("SIGTERM");
  });
  assert.equal(status, 0, stderr);
  assert.match(stderr, /interrupted while loading/);
  assert.equal(parseOnly(stdout).interrupted, true);
});

test("wrong use: a clear line on stderr, status 2, nothing on stdout", async () => {
  for (const [args, message] of [
    [["frobnicate"], /unknown command "frobnicate"; the commands are: demo/],
    [["--frobnicate"], /unknown option "--frobnicate"/],
    [["demo", "--threads", "none"], /--threads: "none" is not allowed/],
    [["demo", "--frobnicate"], /frobnicate/],
    [[], /Usage: quiesce <command>/],
  ] as const) {
    const { status, stdout, stderr } = await quiesce(args, LIMIT);
    assert.deepEqual([status, stdout], [2, ""], args.join(" "));
    assert.match(stderr, message);
    assert.ok(!/\n\s+at /.test(stderr), "no stack");
  }
});

test("--help and --version", async () => {
  assert.match((await quiesce(["--help"], LIMIT)).stdout, /demo/);
  assert.match((await quiesce(["demo", "--help"], LIMIT)).stdout, /--updates N/);
  assert.match((await quiesce(["--version"], LIMIT)).stdout, /^\d+\.\d+\.\d+\S*\n$/);
});
