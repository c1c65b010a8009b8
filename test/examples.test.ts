/** Each example runs, ends by itself, and prints what it promises. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";

const expected: Readonly<Record<string, RegExp[]>> = {
  "interval-map.mjs": [/the worker found 1 at 25/, /\[ 10, 19, 1 \], \[ 20, 69, 2 \]/, /now it finds 2/],
  "publish-and-reclaim.mjs": [
    /still sees \[ 1, 42, 23 \]/,
    /comes now sees 24/,
    /grace period: 1/,
    /every section that was open then has ended/,
    /waiting now: 0/,
  ],
  "allocators.mjs": [/kmalloc\(0\) gives 8 bytes/, /kmalloc\(100\) gives 128 bytes/, /kmalloc\(4194305\) gives 0/, /violated invariants: {2}0/],
};

test("every example has an expectation", () => {
  assert.deepEqual(readdirSync("examples").sort(), Object.keys(expected).sort());
});

for (const [file, patterns] of Object.entries(expected)) {
  test(`examples/${file}`, () => {
    const { status, stdout, stderr, signal } = spawnSync(process.execPath, [`examples/${file}`], { encoding: "utf8", timeout: 30_000 });
    assert.equal(signal, null, `it did not end by itself; it had printed: ${stdout}`);
    assert.equal(status, 0, stderr);
    for (const pattern of patterns) assert.match(stdout, pattern);
  });
}
