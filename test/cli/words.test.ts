import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addWords, compareWords, decrement, increment, midpoint, type Words } from "../../src/cli/demo/words.js";

function toWords(value: bigint, words: Words): Uint32Array {
  return Uint32Array.from({ length: words }, (_, index) => Number((value >> BigInt(32 * (words - 1 - index))) & 0xffff_ffffn));
}

function toBigInt(words: Uint32Array): bigint {
  return words.reduce((value, word) => (value << 32n) | BigInt(word), 0n);
}

for (const words of [1, 4] as const) {
  const limit = 2n ** BigInt(32 * words);
  // Numbers near a carry are the ones that go wrong.
  const number = fc.oneof(
    fc.bigInt(0n, limit - 1n),
    fc.tuple(fc.nat(words), fc.integer({ min: -2, max: 2 })).map(([word, off]) => ((((1n << BigInt(32 * word)) + BigInt(off)) % limit) + limit) % limit),
  );

  test(`arithmetic on ${words} words is that of bigints`, () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const order = compareWords(toWords(a, words), 0, toWords(b, words), 0, words);
        assert.equal(Math.sign(order), a < b ? -1 : a > b ? 1 : 0);

        const up = toWords(a, words);
        assert.equal(increment(up, 0, words), a + 1n < limit);
        assert.equal(toBigInt(up), (a + 1n) % limit);
        const down = toWords(a, words);
        assert.equal(decrement(down, 0, words), a > 0n);
        assert.equal(toBigInt(down), (a - 1n + limit) % limit);

        const sum = toWords(a, words);
        addWords(sum, toWords(b, words), 0, words);
        assert.equal(toBigInt(sum), (a + b) % limit);

        const [lo, hi] = a < b ? [a, b] : [b, a];
        const both = Uint32Array.from([...toWords(lo, words), ...toWords(hi, words)]);
        const mid = new Uint32Array(words);
        midpoint(mid, both, 0, words, words);
        assert.equal(toBigInt(mid), lo + (hi - lo) / 2n);
      }),
      { numRuns: 1000 },
    );
  });
}
