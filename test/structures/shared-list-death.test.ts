/**
 * A writer of the friendly list dies at every single access of an update; another thread reaps it and goes on.
 *
 * After each death the elements are those before the call or those after it, the next update mends the list, check() finds nothing, and once all is cleared and drained the arena
 * holds exactly what it holds with an empty list.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import type { ListRef } from "../../src/structures/list/elements.js";
import type { SharedList } from "../../src/structures/list/shared-list.js";
import type { CodecBase } from "../../src/values/codec.js";
import { u32 } from "../../src/values/scalars.js";
import { utf8 } from "../../src/values/utf8.js";
import { audit } from "../support/audit.js";
import { openList } from "../support/shared-lists.js";
import { flush, reapAll, SURVIVOR, THIRD, turn, VICTIM, World } from "../support/world.js";

/** An update of a list of four, whose references it is given. */
type Update = (list: { [K in keyof SharedList<unknown>]: SharedList<unknown>[K] }, refs: readonly ListRef[], value: unknown) => unknown;

const updates: Readonly<Record<string, Update>> = {
  push: (list, _, value) => list.push(value),
  unshift: (list, _, value) => list.unshift(value),
  insertAfter: (list, [, second], value) => list.insertAfter(second as ListRef, value),
  insertBefore: (list, [, second], value) => list.insertBefore(second as ListRef, value),
  "remove in the middle": (list, [, second]) => list.remove(second as ListRef),
  "remove the last": (list, [, , , last]) => list.remove(last as ListRef),
  replace: (list, [, second], value) => list.replace(second as ListRef, value),
  clear: (list) => list.clear(),
  get: (list, [first]) => list.get(first as ListRef),
};

interface Kind<T> {
  readonly codec: CodecBase<T>;
  of(n: number): T;
}
const kinds = { u32: { codec: u32, of: (n: number) => n }, utf8: { codec: utf8, of: (n: number) => `value ${n} `.repeat(n % 5) } } as const;

async function dieEverywhere<T>({ codec, of }: Kind<T>, flavor: FlavorName, update: Update, { empty: fromNothing = false, again = false } = {}): Promise<void> {
  const world = new World(16, {}, { flavor });
  const first = world.domain(SURVIVOR);
  openList(first, codec);
  flush(first);
  first.detach();
  const empty = audit(world);

  const builder = world.domain(SURVIVOR);
  const built = openList(builder, codec);
  const refs = fromNothing ? [] : [1, 2, 3, 4].map((n) => built.push(of(n)));
  flush(builder);
  const before = [...built];
  builder.detach();
  world.snapshot();

  const updater = world.domain(SURVIVOR);
  const updated = openList(updater, codec);
  const run = (list: SharedList<T>): unknown => update(list as never, refs, of(9));
  run(updated);
  const after = [...updated];
  updater.detach();

  const isEither = (list: SharedList<T>, when: string): void => {
    const found = [...list];
    assert.deepEqual([list.first(), list.last()], [found[0], found.at(-1)], `${when}: first() and last()`);
    try {
      assert.deepEqual(found, before);
    } catch {
      assert.deepEqual(found, after, `${when}: neither as before nor as after`);
    }
  };

  const settle = (dead: readonly number[], when: string): void => {
    const survivor = world.domain(SURVIVOR);
    reapAll(dead, (thread, timeout) => survivor.reap(thread, timeout));
    const list = openList(survivor, codec);
    isEither(list, when);
    const added = list.push(of(7)); // the next update mends what was left, and does its own work
    assert.equal(list.remove(added), true, when);
    isEither(list, `${when}, mended`);
    assert.deepEqual(list.check(), [], when);
    assert.deepEqual(survivor.arena.check(), [], when);
    list.clear();
    flush(survivor);
    assert.deepEqual(list.check(), [], `${when}, cleared`);
    survivor.detach();
    assert.deepEqual(audit(world, when), empty, `${when}: not all was given back`);
  };

  let deaths = 0;
  for (let access = 1, alive = false; !alive; access += again ? 7 : 1) {
    for (let second = 1 + (access % 17); ; second += 17) {
      world.restore();
      const memory = world.dying();
      const victim = openList(world.domain(VICTIM, memory), codec);
      memory.arm(access);
      alive = !memory.run(() => run(victim));
      memory.kill();
      const when = `death before access ${access} (${memory.last})`;
      if (!again) {
        settle([VICTIM], when);
        break;
      }
      const memory2 = world.dying();
      memory2.arm(second);
      const died = memory2.run(() => {
        const next = world.domain(THIRD, memory2);
        next.reap(VICTIM, 0);
        const list = openList(next, codec);
        if (refs.length > 0) list.remove(refs[0] as ListRef);
        else list.clear();
      });
      memory2.kill();
      // What the second was to take out may be out.
      const survivor = world.domain(SURVIVOR);
      reapAll([THIRD, VICTIM], (thread, timeout) => survivor.reap(thread, timeout));
      const list = openList(survivor, codec);
      const found = JSON.stringify([...list]);
      const without = (values: readonly T[]): string => JSON.stringify(values.filter((value) => JSON.stringify(value) !== JSON.stringify(of(1))));
      assert.ok(
        [JSON.stringify(before), JSON.stringify(after), without(before), without(after)].includes(found),
        `${when}, then before ${second} (${memory2.last}): ${found}`,
      );
      list.push(of(7));
      assert.deepEqual(list.check(), [], when);
      list.clear();
      flush(survivor);
      survivor.detach();
      assert.deepEqual(audit(world, when), empty, `${when}: not all was given back`);
      deaths++;
      if (!died) break;
    }
    deaths++;
    if (deaths % 50 === 0) await turn();
  }
  assert.ok(deaths > 10, `${deaths} deaths are too few to mean anything`);
}

for (const [name, update] of Object.entries(updates)) {
  for (const flavor of FLAVORS) test(`${flavor}: a writer dies at each access of ${name}, utf8 values`, () => dieEverywhere(kinds.utf8, flavor, update));
  test(`a writer dies at each access of ${name}, u32 values`, () => dieEverywhere(kinds.u32, "event-loop", update));
}
for (const [name, update] of Object.entries(updates).slice(0, 2)) {
  test(`a writer dies at each access of the first ${name}`, () => dieEverywhere(kinds.utf8, "event-loop", update, { empty: true }));
}
for (const name of ["insertBefore", "replace", "clear"] as const) {
  test(`the writer that mends what one left in ${name} dies too; a third one finishes`, () =>
    dieEverywhere(kinds.utf8, "event-loop", updates[name] as Update, { again: true }));
}
