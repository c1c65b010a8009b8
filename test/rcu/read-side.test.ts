/** The read side of the API on each flavor: sections, however they are written, and what may be done in them. */

import assert from "node:assert/strict";
import { type Address, NULL } from "../../src/memory/address.js";
import type { Domain } from "../../src/rcu/domain.js";
import { end, onEach, settle, until } from "../support/each-flavor.js";
import { refusal } from "../support/refusal.js";

const held = (domain: Domain): boolean => domain.readLockHeld;

onEach("read(fn) is a section, gives what fn gives, and ends however fn ends", ({ attach }) => {
  const domain = attach();
  assert.deepEqual([domain.read(() => held(domain)), held(domain)], [true, false]);
  assert.throws(() => domain.read(() => JSON.parse("{")), SyntaxError);
  assert.equal(held(domain), false);
  assert.equal(
    domain.read(() => domain.read(() => domain.reader.nesting)),
    2,
  );
});

onEach("readLock() and readUnlock(index) nest, in any order of ending where sections are told apart", ({ attach, flavor }) => {
  const domain = attach();
  const [outer, inner] = [domain.readLock(), domain.readLock()];
  domain.readUnlock(flavor === "phase" ? outer : inner);
  assert.equal(held(domain), true);
  domain.readUnlock(flavor === "phase" ? inner : outer);
  assert.equal(held(domain), false);
});

onEach("an unlock too many is refused, and changes nothing", ({ attach, flavor }) => {
  const domain = attach();
  const index = domain.readLock();
  domain.readUnlock(index);
  assert.equal(
    refusal(() => domain.readUnlock(index), flavor === "phase" ? /has ended/ : /without a readLock\(\)/),
    "ContextError ERR_UNBALANCED_UNLOCK",
  );
  assert.equal(domain.reader.nesting, 0);
  domain.synchronizeSync(); // the counts still agree
});

onEach("an index of another thread's, or of another domain's section is refused", ({ attach }) => {
  const [a, b] = [attach(), attach()];
  const [ofA, ofB] = [a.readLock(), b.readLock()];
  assert.equal(
    refusal(() => a.readUnlock(ofB), /of another domain's readLock\(\)/),
    "ContextError ERR_FOREIGN_INDEX",
  );
  assert.deepEqual([held(a), held(b)], [true, true]);
  end(a, ofA);
  end(b, ofB);
});

onEach("readUnlock() without an index ends the innermost section, except where sections overlap", ({ attach, flavor }) => {
  const domain = attach();
  const index = domain.readLock();
  if (flavor === "phase")
    assert.equal(
      refusal(() => domain.readUnlock(), /or none at all/),
      "ContextError ERR_FOREIGN_INDEX",
    );
  domain.readUnlock(flavor === "phase" ? index : undefined);
  assert.equal(held(domain), false);
});

onEach("a guard ends its section once, by end() or as its block is left", ({ attach }) => {
  const domain = attach();
  const guard = domain.guard();
  assert.equal(held(domain), true);
  guard.end();
  guard.end();
  guard[Symbol.dispose]();
  assert.equal(held(domain), false);
  {
    const other = domain.guard();
    try {
      assert.equal(held(domain), true);
    } finally {
      other[Symbol.dispose]();
    }
  }
  assert.equal(held(domain), false);
});

onEach("every kind of section holds up a grace period until it ends", async ({ attach, flavor }) => {
  const [reader, updater] = [attach(), attach()];
  const kinds: [name: string, begin: () => () => void][] = [
    [
      "readLock",
      () => {
        const index = reader.readLock();
        return () => reader.readUnlock(index);
      },
    ],
    [
      "guard",
      () => {
        const guard = reader.guard();
        return () => guard.end();
      },
    ],
  ];
  for (const [name, begin] of kinds) {
    const ended = begin();
    const cookie = updater.startPoll();
    for (let i = 0; i < 50; i++) assert.equal(updater.pollState(cookie), false, name);
    await settle(25); // nor do forced scans and timers end it
    assert.equal(updater.pollState(cookie), false, `${name}, later`);
    ended();
    reader.offline(() => {});
    assert.equal(updater.pollState(cookie), true, name);
  }
  reader.read(() => {
    const cookie = updater.startPoll();
    assert.equal(updater.pollState(cookie), false, `read, ${flavor}`);
  });
});

onEach("a section holds up its own domain's grace periods only from when it began", ({ attach }) => {
  const [reader, updater] = [attach(), attach()];
  const before = updater.startPoll();
  assert.equal(updater.pollState(before), true);
  const index = reader.readLock();
  assert.equal(updater.pollState(before), true, "what is over stays over");
  const after = updater.startPoll();
  assert.equal(updater.pollState(after), false);
  end(reader, index);
});

onEach("dereference() only in a section, accessPointer() anywhere", ({ attach }) => {
  const domain = attach();
  const pointer = domain.arena.heap.kmalloc(8);
  domain.assignPointer(pointer, 77 as Address);
  assert.equal(
    refusal(() => domain.dereference(pointer), /outside a read-side section/),
    "ContextError ERR_NOT_IN_SECTION",
  );
  assert.equal(domain.accessPointer(pointer), 77);
  assert.equal(
    domain.read(() => domain.dereference(pointer)),
    77,
  );
  domain.assignPointer(pointer, NULL);
  domain.arena.heap.kfree(pointer);
});

onEach("after detach() every kind of section is refused", ({ attach }) => {
  const domain = attach();
  domain.detach();
  for (const begin of [() => domain.read(() => 1), () => domain.readLock(), () => domain.guard()]) {
    assert.equal(refusal(begin, /was closed in this thread/), "ClosedError ERR_CLOSED", begin.toString());
  }
});

onEach(
  "readAsync() is refused where a section ends with its turn",
  async ({ attach }) => {
    const domain = attach();
    let ran = false;
    await assert.rejects(
      domain.readAsync(async () => {
        ran = true;
      }),
      { code: "ERR_ASYNC_SECTION" },
    );
    assert.deepEqual([ran, held(domain)], [false, false]);
  },
  { flavors: ["event-loop", "tree"] },
);

onEach(
  "readAsync() is a section until its promise is settled, also when it rejects",
  async ({ attach }) => {
    const [reader, updater] = [attach(), attach()];
    let wake = (): void => {};
    const section = reader.readAsync(async () => {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      return 42;
    });
    const cookie = updater.startPoll();
    await settle(30);
    assert.deepEqual([held(reader), updater.pollState(cookie)], [true, false]);
    wake();
    assert.equal(await section, 42);
    assert.deepEqual([held(reader), updater.pollState(cookie)], [false, true]);
    await assert.rejects(
      reader.readAsync(() => Promise.reject(new RangeError("mine"))),
      RangeError,
    );
    await assert.rejects(
      reader.readAsync(() => {
        throw new RangeError("at once");
      }),
      RangeError,
    );
    assert.equal(held(reader), false);
  },
  { flavors: ["phase"] },
);

onEach(
  "sections that await overlap as they like: each holds up what began before it ended",
  async ({ attach }) => {
    const [reader, updater] = [attach(), attach()];
    const indexes = [reader.readLock(), reader.readLock()];
    const first = updater.startPoll();
    assert.equal(updater.pollState(first), false);
    const late = reader.readLock(); // begins in the other phase, or the same: it must not matter
    for (const index of indexes) reader.readUnlock(index);
    const second = updater.startPoll();
    await settle(10);
    assert.equal(updater.pollState(second), false);
    reader.readUnlock(late);
    assert.deepEqual([updater.pollState(first), updater.pollState(second)], [true, true]);
  },
  { flavors: ["phase"] },
);

onEach(
  "readers that never cease in turns that overlap do not hold up a grace period for ever",
  async ({ attach }) => {
    const [reader, updater] = [attach(), attach()];
    let going = true;
    let sections = 0;
    const one = async (): Promise<void> => {
      while (going) {
        sections++;
        await reader.readAsync(() => settle(2));
      }
    };
    const all = [one(), settle(1).then(one), one()];
    for (let i = 0; i < 5; i++) await updater.synchronize();
    assert.ok(sections > 5 && held(reader));
    going = false;
    await Promise.all(all);
    await until(() => !held(reader), "the end of all sections");
  },
  { flavors: ["phase"] },
);
