/** The friendly list against an array of [number, value], and what it promises of references, iterations and refusals. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { Shared } from "../../src/shared/shared.js";
import type { ListRef } from "../../src/structures/list/elements.js";
import type { SharedList } from "../../src/structures/list/shared-list.js";
import type { CodecBase } from "../../src/values/codec.js";
import { codec } from "../../src/values/custom.js";
import { u32 } from "../../src/values/scalars.js";
import { struct } from "../../src/values/struct.js";
import { utf8 } from "../../src/values/utf8.js";
import { audit } from "../support/audit.js";
import { onEach } from "../support/each-flavor.js";
import { refusal } from "../support/refusal.js";
import { openList } from "../support/shared-lists.js";
import { flush, World } from "../support/world.js";

type Entry<T> = [ref: ListRef, value: T];

/** What a step of a property does: to the list and to the model, at an element that may be gone. */
function step<T>(list: SharedList<T>, model: Entry<T>[], gone: ListRef[], { kind, at, value }: { kind: number; at: number; value: T }): void {
  const place = at % (model.length + 1);
  const ref = model[place]?.[0] ?? gone[at % gone.length];
  const isThere = place < model.length;
  const put = (where: number, made: ListRef | undefined): void => {
    assert.equal(made !== undefined, isThere || kind < 2);
    if (made !== undefined) model.splice(where, 0, [made, value]);
  };
  if (kind === 0) put(model.length, list.push(value));
  else if (kind === 1) put(0, list.unshift(value));
  else if (kind === 6 && at % 5 === 0) {
    list.clear();
    gone.push(...model.splice(0).map(([it]) => it));
  } else if (ref === undefined) return;
  else if (kind === 2) put(place + 1, list.insertAfter(ref, value));
  else if (kind === 3) put(place, list.insertBefore(ref, value));
  else if (kind === 4) {
    assert.equal(list.replace(ref, value), isThere);
    if (isThere) model[place] = [ref, value];
  } else if (kind === 5) {
    assert.equal(list.remove(ref), isThere);
    if (isThere) model.splice(place, 1);
    gone.push(ref);
  } else assert.deepEqual(list.get(ref), isThere ? model[place]?.[1] : undefined);
}

function againstArray<T>(name: string, codec: CodecBase<T>, values: fc.Arbitrary<T>): void {
  test(`a list of ${name} against an array`, () => {
    const world = new World(64);
    const domain = world.domain(1);
    const list = openList(domain, codec);
    const other = openList(domain, codec, "other");
    const foreign = other.push(fc.sample(values, 1)[0] as T);
    fc.assert(
      fc.property(fc.array(fc.record({ kind: fc.nat(6), at: fc.nat(60), value: values }), { maxLength: 60 }), (steps) => {
        list.clear();
        const model: Entry<T>[] = [];
        const gone: ListRef[] = [foreign];
        for (const one of steps) step(list, model, gone, one);
        assert.deepEqual([...list.entries()], model);
        assert.deepEqual(
          [...list],
          model.map(([, value]) => value),
        );
        assert.equal(list.size, model.length);
        assert.deepEqual([list.first(), list.last()], [model[0]?.[1], model.at(-1)?.[1]]);
        assert.deepEqual(list.check(), []);
      }),
      { seed: seedOf(`list of ${name}`), numRuns: 150 },
    );
    list.clear();
    other.clear();
    flush(domain);
    assert.deepEqual([list.check(), other.check()], [[], []]);
    domain.detach();
    audit(world);
  });
}
againstArray("u32", u32, fc.nat());
againstArray("utf8", utf8, fc.string({ unit: "grapheme" }));
againstArray("struct", struct({ a: u32, b: u32 }), fc.record({ a: fc.nat(), b: fc.nat() }, { noNullPrototype: true }));

test("an iteration shows all that is there all the while, once and in order, whatever is done between its steps", () => {
  const domain = new World(64).domain(1);
  const list = openList(domain, u32);
  const choice = fc.record({ kind: fc.nat(6), at: fc.nat(200), value: fc.nat(1e6) });
  // Most of what was shown is taken out in some runs, so that the place must be found again by what is left.
  fc.assert(
    fc.property(fc.nat(120), fc.array(fc.array(choice, { maxLength: 3 }), { maxLength: 150 }), fc.boolean(), (count, meanwhile, purge) => {
      list.clear();
      const model: Entry<number>[] = [];
      for (let i = 0; i < count; i++) model.push([list.push(i), i]);
      const order = model.map(([ref]) => ref.id);
      const stays = new Set(order);
      const shown: number[] = [];
      const gone: ListRef[] = [];
      for (const [ref] of list.entries()) {
        shown.push(ref.id);
        if (purge && shown.length % 16 === 0) for (const [it] of model.splice(0, shown.length)) list.remove(it);
        for (const one of meanwhile[shown.length] ?? []) step(list, model, gone, one);
        const now = new Set(model.map(([it]) => it.id));
        for (const id of stays) if (!now.has(id)) stays.delete(id);
      }
      assert.equal(new Set(shown).size, shown.length, "shown twice");
      assert.deepEqual(
        shown.filter((id) => stays.has(id)),
        order.filter((id) => stays.has(id)),
      );
    }),
    { seed: seedOf("iteration"), numRuns: 200 },
  );
  domain.detach();
});

test("get() whose codec throws has changed nothing, so nobody goes over the list for it", () => {
  const shared = Shared.create({ bytes: 2 ** 22 });
  const { heap } = shared.domain.arena;
  let walks = 0;
  const { liveObjects } = heap;
  heap.liveObjects = (cache) => {
    walks++;
    return liveObjects.call(heap, cache);
  };
  const broken = codec<number>({
    name: "broken",
    encode: (value) => Uint8Array.of(value),
    decode: () => {
      throw new RangeError("not now");
    },
  });
  const list = shared.list("broken", broken);
  const ref = list.push(1);
  assert.throws(() => list.get(ref), RangeError);
  list.push(2);
  assert.deepEqual([list.size, walks], [2, 0]);
  shared.close();
});

onEach("a list in two threads", ({ attach }) => {
  const [a, b] = [attach(), attach()];
  const [ours, theirs] = [openList(a, utf8), openList(b, utf8)];
  assert.deepEqual([theirs.first(), theirs.last(), [...theirs], theirs.size], [undefined, undefined, [], 0], "nobody has written to it yet");
  const first = ours.push("a");
  const second = theirs.push("b");
  assert.equal(theirs.replace(first, "A"), true);
  assert.deepEqual([...ours], ["A", "b"]);
  assert.deepEqual(
    ours.find((value) => value === "b"),
    [second, "b"],
  );
  assert.equal(
    ours.find(() => false),
    undefined,
  );
  assert.equal(ours.remove(first), true);
  assert.equal(theirs.remove(first), false, "of two one is told so");
  assert.deepEqual([...theirs], ["b"]);
  ours.clear();
  b.reader.goOffline(); // the other thread's turn is over
  flush(a);
  assert.deepEqual(ours.check(), []);
});

test("a reference that is too old never touches what stands in its place", () => {
  const domain = new World(64).domain(1);
  const list = openList(domain, u32);
  const stale: ListRef[] = [];
  let reused = 0;
  for (let i = 0; i < 200; i++) {
    const ref = list.push(i);
    if (stale.some(({ node }) => node === ref.node)) reused++;
    for (const old of stale) {
      assert.equal(list.replace(old, 7), false);
      assert.equal(list.insertAfter(old, 7), undefined);
      assert.equal(list.get(old), undefined);
    }
    assert.deepEqual([...list], [i]);
    list.remove(ref);
    stale.push(ref);
    flush(domain);
  }
  assert.ok(reused > 100, `only ${reused} nodes were used again`);
  domain.arena.heap.trim();
  assert.equal(list.remove(stale[0] as ListRef), false, "its memory is anybody's");
  domain.detach();
});

test("what a list refuses, and that nothing changes then", () => {
  const domain = new World(16).domain(1);
  const list = openList(domain, u32);
  const ref = list.push(1);
  for (const bad of [undefined, null, 7, {}, { node: 1 }, { node: 1.5, id: 1 }, { node: "1", id: 1 }]) {
    assert.equal(
      refusal(() => list.remove(bad as never), /remove\(\) takes a reference/),
      "ListError ERR_LIST_REF",
    );
  }
  for (const [node, id] of [
    [0, 1],
    [-5, 1],
    [2 ** 31, 1],
    [2 ** 53, 1],
    [ref.node + 1, ref.id],
    [ref.node, ref.id + 1],
  ] as const)
    assert.equal(list.remove({ node, id }), false);
  assert.equal(
    refusal(() => list.push(-1), /u32/),
    "ValueError ERR_VALUE_TYPE",
  );
  assert.equal(
    refusal(() => list.replace(ref, 1.5), /u32/),
    "ValueError ERR_VALUE_TYPE",
  );
  domain.read(() =>
    assert.equal(
      refusal(() => list.push(2), /list\.push\(\) may wait/),
      "ContextError ERR_IN_SECTION",
    ),
  );
  assert.deepEqual([...list.entries()], [[ref, 1]]);
  assert.deepEqual(list.check(), []);
  domain.detach();
  assert.equal(
    refusal(() => list.push(2), /closed/),
    "ClosedError ERR_CLOSED",
  );
  assert.equal(
    refusal(() => list.first(), /closed/),
    "ClosedError ERR_CLOSED",
  );
});

test("in a full arena nothing is added, and elements can be taken out", () => {
  const domain = new World(4).domain(1);
  const list = openList(domain, utf8);
  const refs: ListRef[] = [];
  const code = refusal(() => {
    for (;;) refs.push(list.push("x".repeat(500)));
  }, /bytes/);
  assert.equal(code, "OutOfMemoryError ERR_OUT_OF_MEMORY");
  assert.equal(list.size, refs.length);
  assert.deepEqual(list.check(), []);
  assert.equal(
    refusal(() => list.replace(refs[0] as ListRef, "y".repeat(3000)), /bytes/),
    "OutOfMemoryError ERR_OUT_OF_MEMORY",
  );
  assert.equal(list.first(), "x".repeat(500));
  for (const ref of refs) assert.equal(list.remove(ref), true);
  assert.deepEqual(list.check(), []);
  domain.detach();
});

test("a codec that throws in the middle of an update leaves the list whole", () => {
  const domain = new World(16).domain(1);
  let broken = false;
  const codec: CodecBase<number> = {
    ...u32,
    write(memory, address, value) {
      if (broken) throw new TypeError("broken");
      u32.write(memory, address, value as number);
    },
  };
  const list = openList(domain, codec);
  const ref = list.push(1);
  broken = true;
  assert.throws(() => list.push(2), TypeError);
  assert.throws(() => list.replace(ref, 2), TypeError);
  broken = false;
  assert.deepEqual(list.check(), []);
  list.push(3);
  assert.deepEqual([...list], [1, 3]);
  domain.detach();
});

test("numbers of elements go on beyond 32 bits", () => {
  const domain = new World(16).domain(1);
  const shared = openList(domain, u32);
  const { memory } = domain.arena;
  const first = shared.push(1);
  // The header's count: one line after the head, two words after the lock.
  const nodeOfHead = memory.load(first.node as never); // the head
  memory.write((nodeOfHead + 19) as never, -1);
  const ids = [shared.push(2).id, shared.push(3).id];
  assert.deepEqual(ids, [2 ** 32, 2 ** 32 + 1]);
  assert.deepEqual(shared.check(), []);
  assert.deepEqual(
    [...shared.entries()].map(([{ id }]) => id),
    [1, ...ids],
  );
  domain.detach();
});

test("Shared.list opens one list a name, and refuses another codec", () => {
  const shared = Shared.create({ bytes: 2 ** 21 });
  const list = shared.list("queue", utf8);
  assert.equal(shared.list("queue", utf8), list);
  list.push("hello");
  assert.equal(
    refusal(() => shared.list("queue", u32), /list\(utf8\)/),
    "SchemaError ERR_SCHEMA_MISMATCH",
  );
  assert.equal(
    refusal(() => shared.list("other", undefined as never), /codec/),
    "QuiesceError ERR_SCHEMA",
  );
  assert.deepEqual(shared.stats().structures, [{ name: "queue", schema: "list(utf8)" }]);
  assert.deepEqual(shared.check(), []);
  shared.close();
});
