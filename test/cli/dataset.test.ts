import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { countryName } from "../../src/cli/demo/country.js";
import { findDataset, readRows } from "../../src/cli/demo/dataset.js";
import { newRanges, type Ranges } from "../../src/cli/demo/ranges.js";
import type { Words } from "../../src/cli/demo/words.js";
import { CliError } from "../../src/cli/failure.js";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "quiesce-dataset-"));
});
after(() => rm(folder, { recursive: true }));

async function parse(text: string, words: Words, pieceBytes?: number): Promise<string[]> {
  const file = join(folder, "some.csv");
  await writeFile(file, text);
  const rows = newRanges(words, 1);
  let bytes = 0;
  for await (const read of readRows(file, rows, pieceBytes)) bytes = read;
  assert.equal(bytes, Buffer.byteLength(text));
  return rowsOf(rows);
}

function rowsOf({ words, stride, count, data }: Ranges): string[] {
  const bound = (at: number): bigint => data.subarray(at, at + words).reduce((value, word) => (value << 32n) | BigInt(word), 0n);
  return Array.from({ length: count }, (_, index) => {
    const at = index * stride;
    return `${bound(at)},${bound(at + words)},${countryName(data[at + 2 * words] as number)}`;
  });
}

test("plain lines", async () => {
  assert.deepEqual(await parse("0,1,AA\n16777216,4294967295,ZZ\n", 1), ["0,1,AA", "16777216,4294967295,ZZ"]);
});

test("CRLF, blank lines, no newline at the end, nothing at all", async () => {
  assert.deepEqual(await parse("1,2,AU\r\n\r\n\n3,4,CN\r\n", 1), ["1,2,AU", "3,4,CN"]);
  assert.deepEqual(await parse("1,2,AU\n3,4,CN", 1), ["1,2,AU", "3,4,CN"]);
  assert.deepEqual(await parse("1,2,AU\n3,4,CN\r", 1), ["1,2,AU", "3,4,CN"]);
  assert.deepEqual(await parse("", 1), []);
  assert.deepEqual(await parse("\n", 1), []);
});

test("128-bit numbers", async () => {
  const largest = (2n ** 128n - 1n).toString();
  const rows = [`42540488320432167789079031612388147200,42540488320433376714898646241562853375,JP`, `0,${largest},AA`, `${largest},${largest},ZZ`];
  assert.deepEqual(await parse(rows.join("\n"), 4), rows);
});

test("any numbers, in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Words>(1, 4),
      fc.array(fc.tuple(fc.bigInt(0n, 2n ** 128n - 1n), fc.bigInt(0n, 2n ** 128n - 1n), fc.stringMatching(/^[A-Z]{2}$/)), { maxLength: 20 }),
      fc.constantFrom("\n", "\r\n"),
      fc.integer({ min: 1, max: 200 }),
      async (words, ranges, newline, pieceBytes) => {
        const shift = BigInt(128 - 32 * words);
        const rows = ranges.map(([a, b, country]) => {
          const [lo, hi] = a < b ? [a, b] : [b, a];
          return `${lo >> shift},${hi >> shift},${country}`;
        });
        assert.deepEqual(await parse(rows.join(newline), words, pieceBytes), rows);
      },
    ),
    { numRuns: 60 },
  );
});

const malformed: readonly (readonly [what: string, line: string, words?: Words])[] = [
  ["a word", "hello"],
  ["no country", "1,2"],
  ["an empty country", "1,2,"],
  ["a long country", "1,2,AUS"],
  ["a small letter", "1,2,Au"],
  ["no lower bound", ",2,AU"],
  ["no upper bound", "1,,AU"],
  ["a negative number", "-1,2,AU"],
  ["a fraction", "1.5,2,AU"],
  ["spaces", "1, 2,AU"],
  ["a fourth column", "1,2,AU,x"],
  ["bounds the wrong way round", "2,1,AU"],
  ["33 bits", "1,4294967296,AU"],
  ["far too many digits", `1,${"9".repeat(60)},AU`],
  ["129 bits", `1,${2n ** 128n},AU`, 4],
  ["a carriage return in the middle", "1,2\r,AU"],
  ["only a carriage return and a space", " \r"],
];

for (const [what, line, words = 1] of malformed) {
  test(`malformed (${what}): the error names file and line`, async () => {
    await assert.rejects(parse(`1,2,AU\n\n${line}\n5,6,CN\n`, words), (error: unknown) => {
      assert.ok(error instanceof CliError);
      assert.ok(error.message.startsWith("some.csv:3: "), error.message);
      assert.ok(!error.message.includes(folder), "no folder of this machine");
      return true;
    });
  });
}

test("a missing package: what to install, status 2", async () => {
  const nowhere = join(folder, "x.js");
  await assert.rejects(findDataset([nowhere]), (error: unknown) => {
    assert.ok(error instanceof CliError);
    assert.equal(error.status, 2);
    assert.match(error.message, /npm install @ip-location-db\/geo-whois-asn-country/);
    return true;
  });
});

test("the installed package is found", async () => {
  const dataset = await findDataset();
  assert.match(dataset.ipv4, /-ipv4-num\.csv$/);
  assert.match(dataset.ipv6, /-ipv6-num\.csv$/);
  assert.match(dataset.version, /^\d+\.\d+\.\d+$/);
});
