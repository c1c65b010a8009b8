/** The four segments of callbacks against a plain model: nothing early, nothing lost, nothing out of order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { CallbackList } from "../../src/rcu/callbacks.js";
import type { GracePeriods } from "../../src/rcu/flavors/flavor.js";
import type { Cookie } from "../../src/rcu/sequence.js";

/** Grace periods that the test ends when it likes. */
class Scripted implements GracePeriods {
  started = 0;
  over = 0;
  start = (): Cookie => ++this.started as Cookie;
  snap = (): Cookie => (this.started + 1) as Cookie;
  isOver = (cookie: Cookie): boolean => cookie <= this.over;
  completed = (): Cookie => this.over as Cookie;
  force(): void {}
  blockers = (): number[] => [];
}

interface Waiting {
  readonly id: number;
  /** Grace periods started before it was registered: none of those is one for it. */
  readonly after: number;
}

type Step = { readonly kind: "enqueue"; readonly lazy: boolean } | { readonly kind: "advance" | "take" } | { readonly kind: "end"; readonly count: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("enqueue" as const), lazy: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom("advance" as const, "take" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("end" as const), count: fc.nat(2) }) },
);

test("random operations", () => {
  const property = fc.property(fc.array(steps, { maxLength: 200, size: "max" }), (script) => {
    const periods = new Scripted();
    const list = new CallbackList();
    const model: Waiting[] = [];
    const ran: number[] = [];
    let registered = 0;
    const take = (): boolean => {
      const callback = list.takeDone();
      if (callback === undefined) return false;
      callback.run();
      const expected = model.shift() as Waiting;
      assert.equal(ran.at(-1), expected.id, "in the order they were registered in");
      assert.ok(periods.over > expected.after, `callback ${expected.id} ran on a grace period that had begun before it`);
      return true;
    };
    for (const step of script) {
      if (step.kind === "enqueue") {
        const id = registered++;
        model.push({ id, after: periods.started });
        list.enqueue({ run: () => void ran.push(id), lazy: step.lazy });
      } else if (step.kind === "advance") list.advance(periods);
      else if (step.kind === "end") periods.over = Math.min(periods.started, periods.over + step.count);
      else take();
      assert.equal(list.size, model.length);
      const { done, wait, nextReady, next } = list.counts();
      assert.equal(done + wait + nextReady + next, list.size);
      assert.equal(list.started, done + wait > 0);
      assert.ok(list.urgent <= next);
      assert.ok(list.oldestCookie === undefined || list.oldestCookie <= periods.started);
    }
    // And all of them run in the end: two grace periods at most are needed.
    for (let round = 0; round < 3; round++) {
      list.advance(periods);
      periods.over = periods.started;
    }
    list.advance(periods);
    while (take());
    assert.deepEqual([list.size, model.length, ran.length], [0, 0, registered]);
  });
  fc.assert(property, { seed: seedOf("callback list"), numRuns: 300 });
});

test("a callback that comes while a grace period runs waits for the next, and so does all that comes with it", () => {
  const [periods, list] = [new Scripted(), new CallbackList()];
  const add = (): void => list.enqueue({ run() {}, lazy: false });
  add();
  list.advance(periods);
  assert.deepEqual(list.counts(), { done: 0, wait: 1, nextReady: 0, next: 0 });
  add();
  list.advance(periods);
  assert.deepEqual(list.counts(), { done: 0, wait: 1, nextReady: 1, next: 0 });
  add();
  add();
  list.advance(periods);
  assert.deepEqual(list.counts(), { done: 0, wait: 1, nextReady: 1, next: 2 }, "both cookies are taken: these wait until one is over");
  periods.over = 1;
  list.advance(periods);
  assert.deepEqual(list.counts(), { done: 1, wait: 1, nextReady: 2, next: 0 });
  periods.over = 3;
  list.advance(periods);
  list.advance(periods);
  assert.deepEqual(list.counts(), { done: 4, wait: 0, nextReady: 0, next: 0 });
});
