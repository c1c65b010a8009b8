/** The cell: what it holds, copies and commits, what it refuses, what its figures say. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openCell } from "../../check/support/open-cell.js";
import { seedOf } from "../../check/support/seed.js";
import { Shared } from "../../src/index.js";
import type { Copy } from "../../src/structures/cell/cell.js";
import { ConflictError, MergeConflict } from "../../src/structures/cell/errors.js";
import { mergeAny, mergeLists, mergeObjects } from "../../src/structures/cell/merge.js";
import { bytes } from "../../src/values/bytes.js";
import type { CodecBase } from "../../src/values/codec.js";
import { type Json, json, jsonOf } from "../../src/values/json.js";
import { u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { end, onEach } from "../support/each-flavor.js";
import { flush } from "../support/world.js";

const list = jsonOf<string[]>();

onEach("one frozen value for all who ask, until there is a newer one", ({ attach }) => {
  const [a, b] = [attach(), attach()];
  const mine = openCell(a, list);
  const theirs = openCell(b, list);
  assert.equal(mine.get(), undefined);
  assert.equal(mine.version, 0);
  theirs.set(["a"]);
  const seen = mine.get();
  assert.deepEqual(seen, ["a"]);
  assert.ok(Object.isFrozen(seen));
  for (const domain of [a, b]) domain.offline(() => {});
  assert.equal(mine.get(), seen, "another turn, the same object");
  assert.throws(() => seen?.push("b"), TypeError);
  theirs.set(["a"]);
  assert.notEqual(mine.get(), seen, "a newer version is another object");
  assert.equal(mine.version, 2);
  assert.deepEqual(mine.check(), []);
});

onEach("a copy is private, and need not be committed", ({ attach }) => {
  const domain = attach();
  const cell = openCell(domain, jsonOf<{ n: number; on: string[] }>());
  cell.set({ n: 1, on: ["x"] });
  const copy = cell.copy();
  copy.value?.on.push("mine");
  assert.deepEqual(copy.base, { n: 1, on: ["x"] });
  assert.ok(Object.isFrozen(copy.base?.on));
  assert.deepEqual(cell.get(), { n: 1, on: ["x"] });
  const other = cell.getCopy();
  assert.ok(other !== undefined);
  other.n = 9;
  assert.equal(cell.get()?.n, 1);
  cell.set({ n: 2, on: [] });
  flush(domain);
  assert.deepEqual(copy.value, { n: 1, on: ["x", "mine"] }, "it holds nothing shared");
});

onEach("the lecture's example: {A,C,D} made {A,C,B,D} while the list became {A,E,D}", ({ attach }) => {
  const [me, other] = [openCell(attach(), list), openCell(attach(), list)];
  me.set(["A", "C", "D"]);
  const copy = me.copy() as Copy<string[]>;
  copy.value.splice(2, 0, "B");
  other.update((value) => ["A", "E", ...(value ?? []).slice(2)]);
  assert.deepEqual(me.commit(copy, { merge: mergeLists }), { version: 3, distance: 1 });
  assert.deepEqual(other.get(), ["A", "E", "B", "D"]);
  assert.deepEqual(me.stats(), { swaps: 2, merges: 1, conflicts: 0, byDistance: [{ from: 1, to: 1, merges: 1, conflicts: 0 }] });
});

onEach("V is V': a swap. V is V' + k: a merge, or a ConflictError that has all three", ({ attach }) => {
  const cell = openCell(attach(), jsonOf<{ a: number; b: number }>());
  cell.set({ a: 1, b: 1 });
  const copy = cell.copy() as Copy<{ a: number; b: number }>;
  copy.value.a = 2;
  assert.deepEqual(cell.commit(cell.copy()), { version: 2, distance: 0 });
  for (let i = 0; i < 4; i++) cell.update((value) => ({ ...(value as { a: number; b: number }), b: i }));
  const refused = (options: object, message: RegExp): ConflictError => {
    try {
      cell.commit(copy, options);
    } catch (error) {
      assert.ok(error instanceof ConflictError);
      assert.match(error.message, message);
      assert.equal(error.code, "ERR_CONFLICT");
      assert.deepEqual([error.base, error.mine, error.theirs, error.distance], [{ a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 3 }, 5]);
      return error;
    }
    return assert.fail("it was committed");
  };
  assert.equal(refused({}, /no merge function/).cause, undefined);
  refused({ merge: mergeObjects, maxDistance: 4 }, /at most 4/);
  const both = refused({ merge: (base: object, mine: object) => mergeAny(base, mine, { ...base, a: 7 }) }, /both changed "a": 1 became 2 here and 7 there/);
  assert.ok(both.cause instanceof MergeConflict);
  assert.deepEqual([cell.version, cell.get()], [6, { a: 1, b: 3 }], "nothing has changed");
  assert.deepEqual(cell.commit(copy, { merge: mergeObjects, maxDistance: 5 }), { version: 7, distance: 5 });
  assert.deepEqual(cell.get(), { a: 2, b: 3 });
  assert.deepEqual(cell.stats(), { swaps: 6, merges: 1, conflicts: 3, byDistance: [{ from: 4, to: 7, merges: 1, conflicts: 3 }] });
});

onEach("what comes between a merge and its commit is merged too", ({ attach }) => {
  const [me, other] = [openCell(attach(), list), openCell(attach(), list)];
  me.set(["A"]);
  const copy = me.copy() as Copy<string[]>;
  copy.value.push("mine");
  other.update((value) => [...(value ?? []), "1"]);
  let calls = 0;
  const merge = (base: string[], mine: string[], theirs: string[]): string[] => {
    if (calls++ < 3) other.update((value) => [...(value ?? []), `during ${calls}`]);
    assert.ok(Object.isFrozen(base) && Object.isFrozen(theirs));
    return mergeLists(base, mine, theirs);
  };
  assert.deepEqual(me.commit(copy, { merge }), { version: 6, distance: 4 });
  assert.deepEqual(other.get(), ["A", "1", "during 1", "during 2", "during 3", "mine"]);
  calls = 0;
  assert.throws(() => me.commit(copy, { merge, maxDistance: 4 }), ConflictError);
});

onEach("update gets a copy of its own, and runs again when somebody was faster", ({ attach }) => {
  const [me, other] = [openCell(attach(), list), openCell(attach(), list)];
  let calls = 0;
  const made = me.update((value = []) => {
    if (calls++ < 2) other.update((theirs = []) => [...theirs, `other ${calls}`]);
    value.push("mine");
    return value;
  });
  assert.deepEqual(made, ["other 1", "other 2", "mine"]);
  assert.deepEqual(other.get(), made);
  assert.equal(calls, 3);
});

onEach("refusals change nothing", ({ attach, flavor }) => {
  const domain = attach();
  const cell = openCell(domain, u32);
  const code = (expected: string) => (error: unknown) => (error as { code?: unknown }).code === expected;
  const early = cell.copy();
  cell.set(1);
  assert.throws(() => cell.set(-1), code("ERR_VALUE_TYPE"));
  assert.throws(() => cell.set(undefined as never), code("ERR_VALUE_TYPE"));
  assert.throws(() => cell.update(() => "x" as never), code("ERR_VALUE_TYPE"));
  assert.throws(() => cell.update((async () => 2) as never), code("ERR_ASYNC_UPDATE"));
  const nested = (): number => {
    cell.set(5);
    return 2;
  };
  assert.throws(() => cell.update(nested), code("ERR_IN_UPDATE"));
  assert.throws(() => cell.commit(7 as never), code("ERR_COPY"));
  assert.throws(() => cell.commit({ value: 1, base: 1, version: -1 }), code("ERR_COPY"));
  assert.throws(() => cell.commit(cell.copy(), { maxDistance: Number.NaN }), code("ERR_INVALID_SIZE"));
  assert.throws(() => cell.commit(cell.copy(), { merge: "mergeAny" as never }), code("ERR_MERGE"));
  assert.throws(() => cell.commit({ ...early, value: 5 }, { merge: mergeAny }), /no base/);
  assert.throws(() => cell.commit({ ...cell.copy(), value: 2 ** 32 }), code("ERR_VALUE_TYPE"));
  const failing = (): never => {
    throw new RangeError("mine");
  };
  assert.throws(() => cell.update(failing), RangeError);
  assert.throws(() => cell.commit({ value: 1, base: 1, version: 0 }, { merge: failing }), RangeError);
  assert.throws(() => cell.commit({ value: 1, base: 1, version: 9 }, { merge: failing }), code("ERR_COPY"));
  const index = domain.readLock();
  for (const update of [() => cell.set(2), () => cell.update(() => 2), () => cell.commit(early), () => cell.check()])
    if (flavor !== "phase") assert.throws(update, code("ERR_IN_SECTION"));
  assert.equal(cell.get(), 1, "reading is allowed");
  end(domain, index);
  assert.deepEqual([cell.get(), cell.version, cell.check()], [1, 1, []]);
  domain.detach();
  for (const use of [() => cell.get(), () => cell.set(2), () => cell.copy(), () => cell.watch()]) assert.throws(use, code("ERR_CLOSED"));
});

test("values of each kind of codec", () => {
  const shared = Shared.create({ bytes: 2 ** 24 });
  const check = <T>(codec: CodecBase<T>, ...values: T[]): void => {
    const cell = shared.cell(codec.name, codec);
    for (const value of values) {
      cell.set(value);
      assert.deepEqual([cell.get(), cell.getCopy(), cell.copy().value, cell.copy().base], [value, value, value, value]);
    }
  };
  check(u32, 0, 1, 2 ** 32 - 1);
  check(utf8, "", "é".repeat(5), "long ".repeat(20_000));
  check<Json>(json, null, false, { a: [1, { b: null }] });
  check(struct({ a: u32, b: u32 }), { a: 1, b: 2 });
  const raw = shared.cell("raw", bytes);
  raw.set(Uint8Array.of(1, 2));
  const seen = raw.get() as Uint8Array;
  seen[0] = 9;
  assert.deepEqual([...(raw.get() as Uint8Array)], [1, 2], "what cannot be frozen is copied");
  const copy = raw.copy();
  assert.notEqual(copy.base, copy.value);
  assert.throws(() => raw.set(new Uint8Array(2 ** 22 - 4)), { code: "ERR_VALUE_TOO_LARGE" });
  assert.deepEqual(shared.check(), []);
  shared.close();
});

test("a codec whose code sets the cell that it is of is refused, and does not begin again for ever", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  let meddle = false;
  const cell = shared.cell("text", json);
  const meddling = (): Json => {
    const toJSON = (): number => {
      if (meddle) cell.set("other");
      return 1;
    };
    return { toJSON } as unknown as Json;
  };
  cell.set("first");
  meddle = true;
  assert.throws(() => cell.update(meddling), { code: "ERR_IN_UPDATE" });
  const copy = cell.copy();
  meddle = false;
  cell.set("second");
  meddle = true;
  assert.throws(() => cell.commit(copy, { merge: meddling }), { code: "ERR_IN_UPDATE" });
  assert.deepEqual([cell.get(), cell.version, cell.check()], ["second", 2, []]);
  shared.close();
});

test("where one may not update, a cell that has a value may be opened with another initial one", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  shared.cell("n", u32, { initial: 1 });
  assert.equal(
    shared.domain.read(() => shared.cell("n", u32, { initial: 2 }).get()),
    1,
  );
  assert.throws(() => shared.domain.read(() => shared.cell("m", u32, { initial: 2 })), { code: "ERR_IN_SECTION" });
  shared.close();
});

test("an initial value is for whoever finds none", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  const cell = shared.cell("flags", json, { initial: { dark: false } });
  assert.deepEqual(cell.get(), { dark: false });
  cell.set({ dark: true });
  assert.deepEqual(shared.cell("flags", json, { initial: { dark: false } }).get(), { dark: true });
  assert.equal(cell.version, 2);
  assert.throws(() => shared.cell("flags", u32), { code: "ERR_SCHEMA_MISMATCH" });
  assert.throws(() => shared.cell("other", 7 as never), { code: "ERR_SCHEMA" });
  shared.close();
});

test("many updates give back what they replace", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  const cell = shared.cell("text", utf8);
  for (let i = 0; i < 5000; i++) cell.set(`${i} `.repeat(i % 900));
  assert.equal(cell.get(), "4999 ".repeat(4999 % 900));
  assert.deepEqual(shared.check(), []);
  shared.close();
});

/** What is done to three threads' cells, and to one model of them. */
type Step = { readonly thread: number; readonly does: "set" | "update" | "copy" | "commit" | "merge" | "get" | "turn"; readonly n: number };
const step: fc.Arbitrary<Step> = fc.record({
  thread: fc.nat(2),
  does: fc.constantFrom("set", "update", "copy", "commit", "merge", "get", "turn"),
  n: fc.nat(4),
});

onEach("against a model: three threads, any steps", ({ attach }) => {
  const domains = [attach(), attach(), attach()];
  let round = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const name = `cell ${round++ % 8}`;
      const cells = domains.map((domain) => openCell(domain, jsonOf<number[]>(), name));
      let version = (cells[0] as (typeof cells)[number]).version;
      let value = (cells[0] as (typeof cells)[number]).get();
      const copies: (Copy<number[] | undefined> | undefined)[] = [];
      for (const { thread, does, n } of steps) {
        const cell = cells[thread] as (typeof cells)[number];
        const put = (next: number[]): void => {
          version++;
          value = next;
        };
        if (does === "turn") domains[thread]?.offline(() => {});
        else if (does === "get") assert.deepEqual([cell.get(), cell.version], [value, version]);
        else if (does === "copy") {
          copies[thread] = cell.copy();
          copies[thread]?.value?.push(n);
        } else if (does === "set") {
          cell.set([n]);
          put([n]);
        } else if (does === "update") {
          put([...(value ?? []).slice(-6), n]);
          assert.deepEqual(
            cell.update((old = []) => [...old.slice(-6), n]),
            value,
          );
        } else {
          const copy = copies[thread];
          if (copy?.value === undefined) continue;
          const distance = version - copy.version;
          const base = copy.base as number[];
          const merge = (b: number[], m: number[], t: number[]): number[] => {
            assert.deepEqual([b, m, t], [base, copy.value, value]);
            return [...t.slice(-5), ...m.slice(-1)];
          };
          try {
            const expected = distance === 0 ? copy.value : [...(value as number[]).slice(-5), ...copy.value.slice(-1)];
            assert.deepEqual(cell.commit(copy, does === "merge" ? { merge } : {}), { version: version + 1, distance });
            put(expected);
          } catch (error) {
            assert.ok(error instanceof ConflictError && does === "commit" && distance > 0, `${error}`);
          }
        }
      }
      for (const cell of cells) assert.deepEqual([cell.get(), cell.version], [value, version]);
    }),
    { seed: seedOf("cell model"), numRuns: 150 },
  );
});
