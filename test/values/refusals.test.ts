/** What codecs cannot hold is refused by name, before anything is taken. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { QuiesceError } from "../../src/memory/errors.js";
import { bytes } from "../../src/values/bytes.js";
import { type CodecOptions, codec } from "../../src/values/custom.js";
import { f64 } from "../../src/values/f64.js";
import { json, jsonOf } from "../../src/values/json.js";
import { rcuHead } from "../../src/values/rcu-head.js";
import { bool, i32, u8, u16, u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { AT, guardedMemory } from "../support/guarded-memory.js";
import { refuses } from "../support/refusals.js";

const MOST = 2 ** 22 - 4;

test("numbers that are none are refused", () => {
  for (const [codec, least, most] of [
    [u8, 0, 255],
    [u16, 0, 65535],
    [u32, 0, 4294967295],
    [i32, -2147483648, 2147483647],
  ] as const) {
    for (const value of [least - 1, most + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, "7", 7n, null, undefined, true, {}, [7], Symbol("s")]) {
      refuses(codec, value, new RegExp(`^a ${codec.name} is a whole number from ${least} to ${most}; got `));
    }
    codec.check(least);
    codec.check(most);
  }
  refuses(u16, "seven", /got "seven"/);
  refuses(u16, 7n, /got 7n/);
  refuses(u16, Number.NaN, /got NaN/);
  refuses(u16, function seven() {}, /got the function seven\.$/);
  for (const value of ["7", 7n, null, undefined, true, {}, new Number(7), Symbol("s")]) refuses(f64, value, /^an f64 is a number; got /);
  for (const value of [0, 1, "true", null, undefined, {}, new Boolean(true)]) refuses(bool, value, /^a bool is true or false; got /);
  for (const value of [1, "0", null, undefined, false]) refuses(rcuHead, value, /^an embedded rcuHead is written as 0; got /);
});

test("text that is none, is too long, or is not well-formed is refused", () => {
  for (const value of [7, null, undefined, {}, ["a"], Symbol("s")]) refuses(utf8, value, /a utf8 is a string; got /);
  for (const value of ["\ud800", "a\udc00b", "\udc00\ud800", `${"x".repeat(1000)}\ud83d`]) refuses(utf8, value, /well-formed Unicode; got a lone surrogate/);
  utf8.prepare("x".repeat(MOST));
  refuses(utf8, "x".repeat(MOST + 1), new RegExp(`at most ${MOST} bytes; got one of ${MOST + 1}`), "ERR_VALUE_TOO_LARGE");
  utf8.prepare("é".repeat(MOST / 2));
  refuses(utf8, "é".repeat(MOST / 2 + 1), /at most/, "ERR_VALUE_TOO_LARGE");
  refuses(utf8, "🙂".repeat(MOST / 4 + 1), /at most/, "ERR_VALUE_TOO_LARGE");
});

test("bytes that are none, or too many, are refused; those of another realm are not", () => {
  for (const value of [7, null, undefined, "abc", [1, 2], new ArrayBuffer(4), new DataView(new ArrayBuffer(4)), new Uint16Array(2), new Uint8ClampedArray(2)]) {
    refuses(bytes, value, /^bytes are a Uint8Array; got /);
  }
  bytes.prepare(new Uint8Array(MOST));
  refuses(bytes, new Uint8Array(MOST + 1), /at most 4194300 bytes/, "ERR_VALUE_TOO_LARGE");
  assert.deepEqual(bytes.prepare(runInNewContext("Uint8Array.of(1, 2)")), Uint8Array.of(1, 2));
});

class Money {
  readonly cents: number = 5;
}

test("what JSON would lose in silence is refused, with its place", () => {
  const loses: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /got undefined\.$/],
    [Symbol("s"), /got Symbol\(s\)\.$/],
    [7n, /got 7n\.$/],
    [function f() {}, /got the function f\.$/],
    [Number.NaN, /got NaN, which JSON would make null\.$/],
    [Number.POSITIVE_INFINITY, /got Infinity/],
    [new Map(), /got an instance of Map, which is no plain object\.$/],
    [new Uint8Array(2), /instance of Uint8Array/],
    [/x/, /instance of RegExp/],
    [new Number(7), /instance of Number/],
    [new Money(), /instance of Money/],
  ];
  const sparse: unknown[] = [1];
  sparse[2] = 3;
  for (const [value, says] of loses) {
    refuses(json, value, says);
    const end = says.source.endsWith("\\.$") ? `${says.source.slice(0, -3)} at ` : `${says.source}.* at `;
    refuses(json, { "a b": [1, { c: value }] }, new RegExp(`${end}\\["a b"\\]\\[1\\]\\["c"\\]\\.$`));
    refuses(json, { toJSON: () => [value] }, new RegExp(`${end}\\[0\\]\\.$`));
  }
  refuses(json, sparse, /got undefined at \[1\]/);
  refuses(json, { a: { toJSON: () => undefined } }, /got undefined at \["a"\]/);
});

test("JSON that contains itself, or goes too deep, is refused; what is only met twice is not", () => {
  const loop: { self?: unknown; list: unknown[] } = { list: [] };
  loop.list.push(1, { around: loop });
  refuses(json, loop, /got an object that contains itself at \["list"\]\[1\]\["around"\]/);
  const one = { a: 1 };
  assert.ok(json.same(json.prepare([one, one, [one]]), json.prepare([{ a: 1 }, { a: 1 }, [{ a: 1 }]])));
  const deep = (levels: number): unknown => Array.from({ length: levels }).reduce((inner) => [inner], 0);
  json.copy(deep(1000) as never);
  refuses(json, deep(1001), /nested at most 1000 deep/, "ERR_VALUE_TOO_LARGE");
  refuses(json, deep(100_000), /nested at most 1000 deep/, "ERR_VALUE_TOO_LARGE");
  json.prepare("x".repeat(MOST - 2));
  refuses(json, "x".repeat(MOST - 1), /^a json takes at most/, "ERR_VALUE_TOO_LARGE");
});

test("toJSON says what is stored, its argument is the key; what is given is not changed", () => {
  const keys: string[] = [];
  const asked = {
    toJSON(key: string) {
      keys.push(key);
      return { by: key };
    },
  };
  const given = { date: new Date(0), list: [asked, 2], plain: { b: 1, a: [Object.create(null)] }, asked };
  const stored = jsonOf<unknown>().copy(given);
  assert.deepEqual(stored, { date: "1970-01-01T00:00:00.000Z", list: [{ by: "0" }, 2], plain: { b: 1, a: [{}] }, asked: { by: "asked" } });
  assert.deepEqual(Object.keys(stored as object), ["date", "list", "plain", "asked"]);
  assert.deepEqual(keys, ["0", "asked"]);
  assert.ok(given.date instanceof Date && given.list[0] === asked && given.asked === asked);
  assert.deepEqual(json.copy(asked as never), { by: "" });
  // What toJSON gives is not asked again, and is held to the same.
  refuses(json, { toJSON: () => asked }, /got the function toJSON at \["toJSON"\]/);
  // A key that would set a prototype is a key as any other.
  const odd = JSON.parse('{"__proto__": {"x": 1}, "a": 2}');
  assert.deepEqual(Object.entries(json.copy({ odd, date: new Date(0) } as never) as object)[0], ["odd", odd]);
  Object.defineProperty(odd, "__proto__", { value: new Date(0), enumerable: true });
  assert.equal(JSON.stringify(json.copy(odd)), '{"__proto__":"1970-01-01T00:00:00.000Z","a":2}');
  // Objects of another realm are plain, too.
  assert.deepEqual(json.copy(runInNewContext('({ a: [1, { b: "c" }] })')), { a: [1, { b: "c" }] });
  assert.equal(json.same(json.prepare({ a: 1, b: 2 }), json.prepare({ b: 2, a: 1 })), false, "order counts");
});

test("what a user's functions throw goes on unchanged", () => {
  const thrown = new TypeError("of the user's");
  const fails = (): never => {
    throw thrown;
  };
  const is = (error: unknown): boolean => error === thrown;
  const good: CodecOptions<number> = { name: "good", encode: (value) => Uint8Array.of(value), decode: ([value = 0]) => value };
  assert.throws(() => codec({ ...good, encode: fails }).prepare(1), is);
  assert.throws(() => codec({ ...good, check: fails }).prepare(1), is);
  assert.throws(() => jsonOf<unknown>().prepare([{ toJSON: fails }]), is);
  const memory = guardedMemory();
  const bad = codec({ ...good, decode: fails });
  bad.write(memory, AT, bad.prepare(1));
  assert.throws(() => bad.read(memory, AT), is);
});

test("a user's codec is held to what it says", () => {
  const of = (encode: (value: unknown) => unknown, more: object = {}) =>
    codec<unknown>({ name: "mine", encode: encode as () => Uint8Array, decode: (stored) => stored[0], ...more });
  for (const encoded of [undefined, null, "text", [1], new Uint16Array(1)])
    refuses(
      of(() => encoded),
      1,
      /^the `encode` of custom\(mine\) gives a Uint8Array; it gave /,
    );
  refuses(
    of(() => new Uint8Array(3), { size: 4 }),
    1,
    /^the `encode` of custom\(mine,4\) gives 4 bytes; it gave 3\.$/,
  );
  refuses(
    of(() => new Uint8Array(MOST + 1)),
    1,
    /^a custom\(mine\) takes at most/,
    "ERR_VALUE_TOO_LARGE",
  );
  const nothing = (): Uint8Array => new Uint8Array();
  for (const value of [new Uint8Array(2), new Map(), new Set(), new Date()]) {
    refuses(of(nothing), value, /^custom\(mine\) cannot freeze (Uint8Array|Map|Set|Date): give the codec a `freeze` function, or `freeze: false`/);
    of(nothing, { freeze: false }).prepare(value);
    of(nothing, { freeze: (frozen: unknown) => frozen }).prepare(value);
  }
  assert.equal(of(nothing, { freeze: false }).canFreeze, false);
  assert.equal(of(nothing).canFreeze, true);
  assert.equal(of(nothing, { freeze: () => "frozen" }).freeze("thawed"), "frozen");
  assert.equal(of(nothing).freeze(7), 7);
  const order: string[] = [];
  const encode = (): Uint8Array => {
    order.push("encode");
    return new Uint8Array();
  };
  codec<unknown>({ name: "order", decode: () => 0, check: () => order.push("check"), encode }).prepare(1);
  assert.deepEqual(order, ["check", "encode"]);
  class Own implements CodecOptions<number> {
    readonly name = "own";
    readonly #key = 3;
    encode(value: number): Uint8Array {
      return Uint8Array.of(value ^ this.#key);
    }
    decode([byte = 0]: Uint8Array): number {
      return byte ^ this.#key;
    }
  }
  assert.equal(codec(new Own()).copy(5), 5);
});

test("options that make no codec are refused", () => {
  const good = { name: "good", encode: () => new Uint8Array(), decode: () => 0 };
  const refused = (options: unknown, says: RegExp): void => {
    assert.throws(
      () => codec(options as never),
      (error: unknown) => error instanceof QuiesceError && error.code === "ERR_SCHEMA" && says.test(error.message),
    );
  };
  for (const none of [undefined, null, 7, "good"]) refused(none, /a codec is made of \{ name, encode, decode \}; got /);
  for (const name of [undefined, 7, "", "a b", "a,b", "a\n", "a)", "a{", "ü", "x".repeat(65)]) refused({ ...good, name }, /a codec's name is 1 to 64 letters/);
  for (const what of ["encode", "decode"]) refused({ ...good, [what]: 7 }, new RegExp(`the \`${what}\` of a codec is a function; got 7`));
  refused({ ...good, check: 7 }, /the `check` of a codec/);
  for (const size of [-1, 0.5, "4", Number.NaN]) refused({ ...good, size }, /the `size` of a codec/);
  for (const freeze of [true, 7, null]) refused({ ...good, freeze }, /the `freeze` of a codec/);
});
