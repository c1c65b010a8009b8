/** Each example runs, ends by itself, and prints what it promises. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { LIMIT } from "../check/support/watchdog.js";

const expected: Readonly<Record<string, RegExp[]>> = {
  "interval-map.mjs": [/the worker found 1 at 25/, /\[ 10, 19, 1 \], \[ 20, 69, 2 \]/, /now it finds 2/],
  "publish-and-reclaim.mjs": [
    /still sees \[ 1, 42, 23 \]/,
    /comes now sees 24/,
    /grace period: 1/,
    /every section that was open then has ended/,
    /waiting now: 0/,
  ],
  "foo-update.mjs": [
    /300,000 reads, 0 of them wrong[\s\S]*300,000 reads, 0 of them wrong/,
    /500 updates, the last one a = 1499/,
    /500 updates, the last one a = 2499/,
    /still b = 98, c = 99/,
    /last a: one updater's last/,
    /violated invariants: 0/,
  ],
  "lecture-merge.mjs": [
    /made it \{A,C,B,D\}; meanwhile the list became \{A,E,D\}/,
    /ERR_CONFLICT, base \{A,C,D\}, mine \{A,C,B,D\}, theirs \{A,E,D\}, distance 1/,
    /the cell: version 3, merged over 1: \{A,E,B,D\}/,
    /by hand: {2}V is V' \+ 1: a merge: \{A,E,B,D\}/,
    /a swap: \{A,E,B,D,F\}/,
    /swaps, merges, conflicts: 2 1 1/,
    /violated invariants: 0/,
  ],
  "feature-flags.mjs": [
    /saved over 200 newer versions; banner: Sale!/,
    /exceptions changed for user 1, user 7\nuser 1 sees newCheckout true - user 2 false/,
    /3 workers served requests during 200 switches; requests that saw one flag without the other: 0/,
    /^every worker's watch was told of the last version 203$/m,
    /violated invariants: 0/,
  ],
  "routing-table.mjs": [
    /^[1-9]\d* requests over 12 connections: \d+\/s; meanwhile [1-9]\d* updates\/s$/m,
    /every worker answered: true - all were answered: true/,
    /failed: 0 - that saw half a route: 0 - that saw an older route than one before: 0/,
    /changed routes were seen: true - routes now: as many as were put in/,
    /violated invariants: 0/,
  ],
  "session-cache.mjs": [
    /the map holds at most 1000: true/,
    /at least 99 % found them: true/,
    /page views, counted by all workers: 9000 of 9000/,
    /decoded once: true - frozen: true/,
    /both guests were there: true; 2000 ms later the idle one: false, the busy one: true/,
    /logged out: true - and again: false/,
    /violated invariants: 0/,
  ],
  "super-duper.mjs": [/20,000 structures published; the reader saw many of them, and 0 torn ones/, /not yet given back: 0/],
  "embedded-head.mjs": [
    /still reads meaning = 1/,
    /refused: ERR_DOUBLE_CALL/,
    /freeing \{ head: 0, meaning: 1, of: 42, life: 23 \}[\s\S]*new readers read meaning = 2/,
  ],
  "sleeping-readers.mjs": [
    /begins with "the old front page"[\s\S]*sees "the new front page"[\s\S]*ends with {3}"the old front page"/,
    /did not wait for the sleeper; still waiting: 1/,
    /has ended; still waiting: 0/,
    /sections open: 0/,
  ],
  "many-threads.mjs": [/9 threads in a tree of 16 slots/, /at least 10 grace periods/, /there all the while: 0/, /violated invariants: 0/],
  "trace.mjs": [/(\d+) grace periods began, \1 ended; \d+ batches/],
  "memory-debug.mjs": [
    /write-after-free, 12 bytes into a block of 40\n {2}allocated by "main" .*writeAfterFree.*\n {2}freed by "main" .*writeAfterFree/,
    /300 +3 +kmalloc-128 +0 +\d+ importer \(gone\) .*forget/,
  ],
  "lists.mjs": [
    /routes: 10:0 20:0 30:0\nafter 500 replacements: 10:0 20:500 30:0/,
    /walked it many times: true; saw anything else than its three routes: 0/,
    /refused: ERR_LOCK_NOT_HELD\nrefused: ERR_NOT_LINKED/,
    /spliced away: "" is left/,
    /jobs: fetch, build, test twice, deploy\nremoved: true and again: false\njobs left: deploy - last: deploy/,
    /violated invariants: 0/,
  ],
  "vmalloc.mjs": [
    /at 123456: p; in the guard page: ERR_PAGE_FAULT/,
    /4096 pages, most of them in the file: true; wrong: 0/,
    /in a section: ERR_ATOMIC_CONTEXT/,
    /virtual: false, true/,
    /who waited has what came back: true; another is held: true/,
    /violated invariants: 0/,
  ],
  "allocators.mjs": [
    /kmalloc\(0\) gives 8 bytes[\s\S]*kmalloc\(100\) gives 128 bytes/,
    /kmalloc\(4194305\) gives 0; kvmalloc's is virtual: true/,
    /free blocks by order: (.*)\nwhile handed out: .*\njoined again: {9}\1\n/,
    /(\d+) of \1 pages of 4096 bytes free/,
    /live nodes: 1, the side word says 7/,
    /^nodes .* 24 /m,
    /violated invariants: {2}0/,
  ],
};

test("every example has an expectation", () => {
  assert.deepEqual(readdirSync("examples").sort(), Object.keys(expected).sort());
});

for (const [file, patterns] of Object.entries(expected)) {
  test(`examples/${file}`, () => {
    const { status, stdout, stderr, signal } = spawnSync(process.execPath, [`examples/${file}`], { encoding: "utf8", timeout: LIMIT });
    assert.equal(signal, null, `it did not end by itself; it had printed: ${stdout}`);
    assert.equal(status, 0, stderr);
    for (const pattern of patterns) assert.match(stdout, pattern);
  });
}
