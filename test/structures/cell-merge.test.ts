/** Three-way merges: their laws, and models of what they give. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { editsBetween } from "../../src/structures/cell/alignment.js";
import { MergeConflict } from "../../src/structures/cell/errors.js";
import { mergeAny, mergeLists, mergeMaps, mergeObjects, mergeSets } from "../../src/structures/cell/merge.js";
import { Interner, same } from "../../src/structures/cell/same.js";

const letters = fc.array(fc.constantFrom(..."ABCDEF"), { maxLength: 12 });
const run = <T extends [unknown, ...unknown[]]>(name: string, property: fc.IProperty<T>, numRuns = 2000): void =>
  void fc.assert(property, { seed: seedOf(name), numRuns });
const list = (text: string): string[] => [...text];

const conflictIn = (merge: () => unknown): MergeConflict | undefined => {
  try {
    merge();
    return undefined;
  } catch (error) {
    if (error instanceof MergeConflict) return error;
    throw error;
  }
};

test("the lecture's example", () => {
  assert.deepEqual(mergeLists(list("ACD"), list("ACBD"), list("AED")), list("AEBD"));
});

test("lists: what comes where", () => {
  const cases: [base: string, mine: string, theirs: string, merged: string][] = [
    ["ACD", "AED", "ACBD", "AEBD"],
    ["AD", "ABD", "ACD", "ACBD"], // one gap: theirs, then mine
    ["AD", "ABD", "ABD", "ABD"],
    ["AD", "AXYD", "AXZD", "AXZYD"],
    ["ABC", "AC", "AB", "A"],
    ["ABC", "", "ABXC", "X"], // an insertion stays, though all about it is gone
    ["ABCD", "AXBCD", "AEFD", "AXEFD"], // before the run that was replaced
    ["ABCD", "ABCXD", "AEFD", "AEFXD"], // after it
    ["ABCD", "AXYD", "AXYD", "AXYD"],
    ["ABCD", "AXCD", "ABYD", "AXYD"],
    ["ABC", "AC", "AXC", "AXC"], // removed by one, replaced by the other
    ["", "AB", "AC", "ACB"],
  ];
  for (const [base, mine, theirs, merged] of cases)
    assert.equal(mergeLists(list(base), list(mine), list(theirs)).join(""), merged, `${base} ${mine} ${theirs}`);
});

test("lists: both replace the same by different things", () => {
  const conflict = conflictIn(() => mergeLists(list("ABCD"), list("AXYD"), list("ABZD")));
  assert.deepEqual(conflict?.path, [2]);
  assert.deepEqual([conflict?.base, conflict?.mine, conflict?.theirs], [list("BC"), list("XY"), list("Z")]);
  assert.equal(conflict?.code, "ERR_MERGE_CONFLICT");
  // The same elements, in the place of other runs.
  for (const [mine, theirs] of [
    ["CEC", "C"],
    ["C", "CEC"],
    ["CA", "C"],
  ] as const)
    assert.ok(conflictIn(() => mergeLists(list("AEA"), list(mine), list(theirs))));
});

/** Longest common subsequence, by the table. */
function lcsLength(a: readonly unknown[], b: readonly unknown[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    for (let j = 0; j < b.length; j++) next.push(same(x, b[j]) ? (row[j] as number) + 1 : Math.max(row[j + 1] as number, next[j] as number));
    row = next;
  }
  return row.at(-1) as number;
}

test("what a merge of a kind gives is the caller's own, whoever changed nothing", () => {
  const [base, mine, theirs] = [Object.freeze(["a"]), Object.freeze(["a", "b"]), Object.freeze(["c", "a"])];
  for (const [b, m, t] of [
    [base, mine, base],
    [base, base, theirs],
    [base, mine, mine],
  ] as const)
    mergeLists(b, m, t).push("z");
  const set = new Set([1]);
  assert.notEqual(mergeSets(set, set, set), set);
  const map = new Map([[1, 1]]);
  assert.notEqual(mergeMaps(map, map, map), map);
  const object = { a: 1 };
  const merged = mergeObjects(object, object, object);
  assert.deepEqual(merged, object);
  assert.notEqual(merged, object);
});

test("a merge of a kind, given another kind, never makes up a value", () => {
  assert.deepEqual(mergeObjects([1, 2], [1, 2, 3], [9, 2]), [9, 2, 3], "lists are merged as lists, whoever is asked");
  for (const merge of [mergeLists, mergeSets, mergeMaps, mergeObjects] as ((base: unknown, mine: unknown, theirs: unknown) => unknown)[]) {
    for (const mine of [5, "text", null, true]) {
      assert.ok(conflictIn(() => merge({ a: 1 }, mine, { a: 1, b: 2 })) instanceof MergeConflict, `${merge.name}: ${String(mine)}`);
      assert.deepEqual(merge(mine, mine, { b: 2 }), { b: 2 }, "only one of them changed it");
    }
  }
});

test("edits make one list of the other, and as much stays as can", () => {
  const any = fc.array(fc.oneof(fc.nat(5), fc.array(fc.nat(2), { maxLength: 2 })), { maxLength: 40, size: "max" });
  run(
    "edits",
    fc.property(any, any, (before, after) => {
      const edits = editsBetween(before, after);
      const made = [...before] as unknown[];
      for (const { start, end, items } of [...edits].reverse()) made.splice(start, end - start, ...items);
      assert.deepEqual(made, after);
      const removed = edits.reduce((sum, { start, end }) => sum + end - start, 0);
      assert.equal(before.length - removed, lcsLength(before, after));
      for (const [i, edit] of edits.entries()) {
        assert.ok(edit.start < edit.end || edit.items.length > 0, "an edit changes something");
        if (i > 0) assert.ok((edits[i - 1] as typeof edit).end < edit.start, "something stayed between two edits");
      }
    }),
  );
});

test("lists: who changed nothing, or the same, does not count", () => {
  run(
    "list laws",
    fc.property(letters, letters, (base, x) => {
      for (const [mine, theirs] of [
        [base, x],
        [x, base],
        [x, x],
      ] as const)
        assert.deepEqual(mergeLists(base, mine, theirs), x);
    }),
  );
});

test("lists: changes of different places do not depend on who is called mine", () => {
  // Elements that cannot be taken for others, in pieces that one of the two may change; between them stands one that both keep.
  const piece = fc.tuple(fc.nat(3), fc.constantFrom("mine", "theirs", "nobody"), fc.nat(3), fc.nat(3), fc.nat(3));
  run(
    "lists commute",
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const [base, mine, theirs, expected]: string[][] = [[], [], [], []];
      for (const [i, [length, who, removeFrom, removed, inserted]] of pieces.entries()) {
        const old = Array.from({ length }, (_, n) => `${i}.${n}`);
        const changed = [...old];
        changed.splice(removeFrom, removed, ...Array.from({ length: inserted }, (_, n) => `new ${i}.${n}`));
        const stays = `stays ${i}`;
        base?.push(...old, stays);
        mine?.push(...(who === "mine" ? changed : old), stays);
        theirs?.push(...(who === "theirs" ? changed : old), stays);
        expected?.push(...(who === "nobody" ? old : changed), stays);
      }
      assert.deepEqual(mergeLists(base as string[], mine as string[], theirs as string[]), expected);
      assert.deepEqual(mergeLists(base as string[], theirs as string[], mine as string[]), expected);
    }),
  );
});

test("lists: nothing comes from nowhere, and nothing that both kept goes", () => {
  run(
    "lists conserve",
    fc.property(letters, letters, letters, (base, mine, theirs) => {
      const merged: string[] = [];
      const conflict = conflictIn(() => merged.push(...mergeLists(base, mine, theirs)));
      if (conflict !== undefined) {
        assert.ok((conflict.mine as unknown[]).length > 0 && (conflict.theirs as unknown[]).length > 0);
        assert.ok(
          conflictIn(() => mergeLists(base, theirs, mine)),
          "a conflict, whoever is called mine",
        );
        return;
      }
      assert.ok(merged.every((item) => base.includes(item) || mine.includes(item) || theirs.includes(item)));
      assert.ok(
        lcsLength(merged, mine) >= lcsLength(base, mine) - (base.length - lcsLength(base, theirs)),
        "of what mine kept only what theirs removed is gone",
      );
      const inserted = editsBetween(base, mine).flatMap(({ items }) => items);
      assert.equal(lcsLength(merged, inserted), inserted.length, "all that mine put in is there, in order");
    }),
  );
});

const sets = fc.uniqueArray(fc.nat(8), { maxLength: 8 }).map((items) => new Set(items));

test("sets, against the rule for one element", () => {
  run(
    "sets",
    fc.property(sets, sets, sets, (base, mine, theirs) => {
      const merged = mergeSets(base, mine, theirs);
      for (let item = 0; item <= 8; item++)
        assert.equal(merged.has(item), base.has(item) ? mine.has(item) && theirs.has(item) : mine.has(item) || theirs.has(item));
      assert.deepEqual(mergeSets(base, theirs, mine), merged);
    }),
  );
  assert.equal(
    mergeSets<object>(new Set([{ a: 1 }]), new Set([{ a: 1 }, { b: 2 }]), new Set([{ a: 1 }, { b: 2 }])).size,
    2,
    "elements are told by what they are",
  );
});

const maps = fc.array(fc.tuple(fc.nat(5), fc.nat(2)), { maxLength: 8 }).map((entries) => new Map(entries));
/** What a key has after the merge. */
const mergedKey = <V>(base: V | undefined, mine: V | undefined, theirs: V | undefined): V | undefined | "conflict" =>
  mine === theirs || base === mine ? theirs : base === theirs ? mine : "conflict";

test("maps and objects, against the rule for one key", () => {
  run(
    "maps",
    fc.property(maps, maps, maps, (base, mine, theirs) => {
      const keys = [0, 1, 2, 3, 4, 5];
      const expected = keys.map((key) => mergedKey(base.get(key), mine.get(key), theirs.get(key)));
      const objects = [base, mine, theirs].map((map) => Object.fromEntries(map)) as [object, object, object];
      if (expected.includes("conflict")) {
        const conflict = conflictIn(() => mergeMaps(base, mine, theirs));
        assert.equal(expected[conflict?.path[0] as number], "conflict");
        assert.equal(expected[Number(conflictIn(() => mergeObjects(...objects))?.path[0])], "conflict");
        return;
      }
      const merged = mergeMaps(base, mine, theirs);
      assert.deepEqual(
        keys.map((key) => merged.get(key)),
        expected,
      );
      assert.deepEqual(mergeObjects(...objects), Object.fromEntries(merged));
    }),
  );
});

test("objects: nested ones field by field, and where it is that both changed something", () => {
  const base = { name: "a", limits: { rate: 1, burst: 2 }, tags: ["x"], on: true };
  assert.deepEqual(
    mergeObjects(base, { ...base, limits: { rate: 5, burst: 2 }, tags: ["x", "m"] }, { ...base, limits: { rate: 1, burst: 9 }, tags: ["t", "x"] }),
    {
      name: "a",
      limits: { rate: 5, burst: 9 },
      tags: ["t", "x", "m"],
      on: true,
    },
  );
  const conflict = conflictIn(() => mergeObjects(base, { ...base, limits: { rate: 5, burst: 2 } }, { ...base, limits: { rate: 6, burst: 2 } }));
  assert.deepEqual(conflict?.path, ["limits", "rate"]);
  assert.deepEqual([conflict?.base, conflict?.mine, conflict?.theirs], [1, 5, 6]);
  const { on: _, ...without } = base;
  const removed = conflictIn(() => mergeAny<object>(base, without, { ...base, on: false }));
  assert.deepEqual([removed?.path, removed?.base, removed?.mine, removed?.theirs], [["on"], true, undefined, false]);
  const named = JSON.parse('{"__proto__":{"a":1},"b":2}');
  const merged = mergeObjects(named, JSON.parse('{"__proto__":{"a":1,"c":3},"b":2}'), { ...named, b: 3 });
  assert.equal(JSON.stringify(merged), '{"__proto__":{"a":1,"c":3},"b":3}');
});

const value = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.nat(2),
    fc.constantFrom("a", "b", null, true, undefined, Number.NaN),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom("p", "q", "__proto__"), tie("any"), { maxKeys: 3 }),
    fc.array(fc.tuple(tie("any"), tie("any")), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie("any"), { maxLength: 3 }).map((items) => new Set(items)),
    fc.uint8Array({ maxLength: 2 }),
    fc.nat(2).map((time) => new Date(time)),
  ),
})).any;

test("any values: the laws, and nothing given is changed", () => {
  run(
    "any laws",
    fc.property(value, value, value, (base, x, y) => {
      const given = JSON.stringify([base, x, y]);
      assert.ok(same(mergeAny(base, base, x), x));
      assert.ok(same(mergeAny(base, x, base), x));
      assert.ok(same(mergeAny(base, x, x), x));
      conflictIn(() => mergeAny(base, x, y));
      assert.equal(JSON.stringify([base, x, y]), given);
    }),
  );
});

test("values are the same exactly when they get one number", () => {
  run(
    "same",
    fc.property(value, value, (a, b) => {
      const interner = new Interner();
      assert.equal(same(a, b), interner.idOf(a) === interner.idOf(b));
      assert.ok(same(a, structuredClone(a)));
    }),
    5000,
  );
  class Named {}
  assert.ok(!same(new Named(), new Named()), "objects of classes are themselves only");
  assert.ok(!same(new Uint8Array([1]), new Int8Array([1])));
  assert.ok(!same({ a: undefined }, {}));
});
