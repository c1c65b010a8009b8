/** Phase domains beside the main one, on each flavor of it: independent, by name, and as many as there is room for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMIT } from "../../check/support/watchdog.js";
import { FLAVORS } from "../../src/rcu/flavors/flavor.js";
import { Shared } from "../../src/shared/shared.js";
import { u16 } from "../../src/values/scalars.js";
import { settle, until } from "../support/each-flavor.js";
import { refusal } from "../support/refusal.js";

const BYTES = 2 ** 21;

for (const flavor of FLAVORS) {
  test(`${flavor}: a section in one domain holds up that one only`, async () => {
    const shared = Shared.create({ bytes: BYTES, flavor });
    const [sleepy, other] = [shared.phaseDomain("sleepy"), shared.phaseDomain("other")];
    assert.deepEqual([sleepy.flavor, other.flavor, shared.domain.flavor], ["phase", "phase", flavor]);
    const index = sleepy.readLock();
    const cookie = sleepy.startPoll();
    await shared.domain.synchronize();
    shared.domain.synchronizeSync();
    other.synchronizeSync();
    await settle(20);
    assert.equal(sleepy.pollState(cookie), false);
    assert.equal(
      refusal(() => other.readUnlock(index), /of another domain's readLock\(\)/),
      "ContextError ERR_FOREIGN_INDEX",
    );
    sleepy.readUnlock(index);
    assert.equal(sleepy.pollState(cookie), true);
    shared.close();
  });

  test(`${flavor}: a section of the main domain holds up no other`, () => {
    const shared = Shared.create({ bytes: BYTES, flavor });
    const other = shared.phaseDomain("other");
    shared.domain.read(() => {
      assert.equal(other.pollState(other.startPoll()), true);
      // But to sleep in it would hold up the main one.
      if (flavor === "phase") other.synchronizeSync({ timeout: LIMIT });
      else
        assert.equal(
          refusal(() => other.synchronizeSync(), /may wait, and was called in a read-side section/),
          "ContextError ERR_IN_SECTION",
        );
    });
    shared.close();
  });

  test(`${flavor}: what is retired in a domain waits for that domain's readers`, async () => {
    const shared = Shared.create({ bytes: BYTES, flavor });
    const sleepy = shared.phaseDomain("sleepy");
    const index = sleepy.readLock();
    sleepy.retire(shared.domain.arena.heap.kmalloc(64));
    shared.domain.retire(shared.domain.arena.heap.kmalloc(64));
    shared.domain.flushSync(10); // of all domains: its time runs out on the sleepy one
    await until(() => shared.domain.stats().waiting === 0, "what the main domain waits for");
    await settle(30);
    assert.deepEqual([shared.domain.stats().waiting, sleepy.stats().waiting], [0, 1]);
    sleepy.readUnlock(index);
    sleepy.flushSync(LIMIT);
    assert.equal(sleepy.stats().waiting, 0);
    assert.deepEqual(shared.check(), []);
    shared.close();
  });
}

test("the same name is the same domain, also in a thread that attaches again", () => {
  const shared = Shared.create({ bytes: BYTES });
  const domain = shared.phaseDomain("a");
  assert.equal(shared.phaseDomain("a"), domain);
  assert.notEqual(shared.phaseDomain("b"), domain);
  const { handle } = shared;
  const { index } = domain;
  shared.close();
  const again = Shared.attach(handle);
  assert.deepEqual([again.phaseDomain("b").index, again.phaseDomain("a").index], [index + 1, index]);
  assert.deepEqual(again.stats().structures, [
    { name: "a", schema: "phase domain" },
    { name: "b", schema: "phase domain" },
  ]);
  again.close();
});

test("a name that a structure has is refused, and the other way round", () => {
  const shared = Shared.create({ bytes: BYTES });
  shared.intervalMap("map", { bounds: "u32", value: u16 });
  shared.phaseDomain("domain");
  for (const [open, says] of [
    [() => shared.phaseDomain("map"), /map exists as intervalMap\(u32 -> u16\); it cannot be opened as phase domain/],
    [() => shared.intervalMap("domain", { bounds: "u32", value: u16 }), /domain exists as phase domain; it cannot be opened as intervalMap/],
  ] as const)
    assert.equal(refusal(open, says), "SchemaError ERR_SCHEMA_MISMATCH");
  shared.close();
});

test("one domain too many is refused, leaves nothing, and the others are as they were", () => {
  const shared = Shared.create({ bytes: BYTES, domains: 3 });
  const domains = [shared.phaseDomain("one"), shared.phaseDomain("two")];
  const { used } = shared.stats().bytes;
  for (let i = 0; i < 20; i++)
    assert.equal(
      refusal(() => shared.phaseDomain("three"), /all 3 grace-period domains are taken: create the memory with more `domains`/),
      "SchemaError ERR_TOO_MANY_DOMAINS",
    );
  assert.equal(shared.stats().bytes.used, used);
  assert.deepEqual(
    domains.map(({ index }) => index),
    [1, 2],
  );
  for (const domain of domains) domain.synchronizeSync();
  shared.close();
});

test("closing is refused while a section of any domain is open, and closes all", async () => {
  const shared = Shared.create({ bytes: BYTES });
  const domain = shared.phaseDomain("sleepy");
  let wake = (): void => {};
  const section = domain.readAsync(
    () =>
      new Promise<void>((resolve) => {
        wake = resolve;
      }),
  );
  assert.equal(
    refusal(() => shared.close(), /detach\(\) with a read-side section open/),
    "ContextError ERR_IN_SECTION",
  );
  shared.domain.synchronizeSync(); // still open
  wake();
  await section;
  shared.close();
  assert.equal(
    refusal(() => domain.readLock(), /was closed in this thread/),
    "ClosedError ERR_CLOSED",
  );
  assert.equal(
    refusal(() => shared.phaseDomain("sleepy"), /was closed in this thread/),
    "ClosedError ERR_CLOSED",
  );
});
