/** What the kernel's lists refuse: always what would break a list, and in debug mode what is done in the wrong place. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, field } from "../../src/memory/address.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import { ORIGIN_WORDS } from "../../src/rcu/section-origin.js";
import { RcuHlist } from "../../src/structures/list/hlist.js";
import { RcuList } from "../../src/structures/list/list.js";
import { LIST_POISON2 } from "../../src/structures/list/list-view.js";
import { headOf, hlistKind, type Kind, linkOf, listKind, lockOf, MEMBER, makeGround, nullsKind } from "../support/raw-lists.js";
import { refusal } from "../support/refusal.js";
import { World } from "../support/world.js";

interface Taken {
  delRcu(link: never): void;
  replaceRcu(old: never, link: never): void;
}

function filled<L>(kind: Kind<L>, world = new World(16), heads = 2) {
  const domain = world.domain(1);
  const ground = makeGround(domain, heads, 5);
  const indexes = Array.from({ length: heads }, (_, index) => index);
  const lock = lockOf(domain, ground);
  const list = kind.open(domain, lock);
  lock.lock();
  for (const index of indexes) kind.init(list, headOf(ground, index), index);
  for (let i = 0; i < 3; i++) kind.addTail(list, linkOf(ground, i), headOf(ground, 0));
  const contents = () => indexes.map((index) => kind.contents(domain, list, headOf(ground, index), index));
  return { world, domain, ground, lock, list, contents };
}

function refusesTwice<L extends Taken>(kind: Kind<L>): void {
  test(`${kind.name}: what is in no list is refused, and nothing changes`, () => {
    const { world, domain, ground, lock, list, contents } = filled(kind);
    const link = linkOf(ground, 1);
    list.delRcu(link as never);
    assert.equal(domain.arena.memory.read(field(link, 1)), LIST_POISON2);
    world.snapshot();
    assert.equal(
      refusal(() => list.delRcu(link as never), /delRcu\(\).*deleted already/),
      "ListError ERR_NOT_LINKED",
    );
    assert.equal(
      refusal(() => list.replaceRcu(link as never, linkOf(ground, 3) as never), /replaceRcu\(\).*deleted already/),
      "ListError ERR_NOT_LINKED",
    );
    assert.equal(
      refusal(() => list.delRcu(linkOf(ground, 4) as never), /in no list/),
      "ListError ERR_NOT_LINKED",
    );
    assert.ok(world.isAsSnapshot(), "not one word");
    assert.deepEqual(contents(), [[0, 2], []]);
    lock.unlock();
    domain.detach();
  });
}
refusesTwice(listKind);
refusesTwice(hlistKind);
refusesTwice(nullsKind);

test("nothing is added after what was deleted, or before it, or after what does not lead there and back", () => {
  const kinds = [listKind, hlistKind].map((kind) => ({ kind, ...filled(kind as Kind<RcuList | RcuHlist>) }));
  for (const { kind, world, domain, ground, lock, list, contents } of kinds) {
    const [deleted, last, free] = [linkOf(ground, 1), linkOf(ground, 2), linkOf(ground, 3)];
    const adds: Record<string, (place: Address) => void> =
      list instanceof RcuList
        ? { addRcu: (place) => list.addRcu(free, place), addTailRcu: (place) => list.addTailRcu(free, place) }
        : { addBehindRcu: (place) => list.addBehindRcu(free, place), addBeforeRcu: (place) => list.addBeforeRcu(free, place) };
    list.delRcu(deleted);
    if (list instanceof RcuList) list.bidirDelRcu(last);
    else list.delRcu(last);
    world.snapshot();
    for (const [name, add] of Object.entries(adds)) {
      assert.equal(
        refusal(() => add(deleted), new RegExp(`${name}\\(\\).*deleted already`)),
        "ListError ERR_NOT_LINKED",
      );
      assert.match(
        refusal(() => add(last), new RegExp(`${name}\\(\\).*deleted already`)),
        /^ListError ERR_(NOT_LINKED|LIST_CORRUPT)$/,
      );
      assert.equal(
        refusal(() => add(linkOf(ground, 4)), /in no list/),
        "ListError ERR_NOT_LINKED",
      );
    }
    assert.ok(world.isAsSnapshot(), `${kind.name}: not one word`);
    assert.deepEqual(contents(), [[0], []]);
    if (list instanceof RcuList) {
      domain.arena.memory.store(field(linkOf(ground, 0), 1), last);
      assert.equal(
        refusal(() => list.addRcu(free, headOf(ground, 0)), /does not lead back.*repair\(\)/),
        "ListError ERR_LIST_CORRUPT",
      );
      list.repair(headOf(ground, 0));
      list.addRcu(free, headOf(ground, 0));
      assert.deepEqual(contents(), [[3, 0], []]);
    }
    lock.unlock();
    domain.detach();
  }
});

test("an entry that keeps both ways is not deleted twice either", () => {
  const { domain, ground, lock, list, contents } = filled(listKind);
  list.bidirDelRcu(linkOf(ground, 1));
  assert.equal(
    refusal(() => list.bidirDelRcu(linkOf(ground, 1)), /leads to \d+/),
    "ListError ERR_LIST_CORRUPT",
  );
  assert.deepEqual(contents(), [[0, 2], []]);
  lock.unlock();
  domain.detach();
});

test("a deleted or replaced entry cannot be followed backwards", () => {
  const { domain, ground, lock, list } = filled(listKind);
  list.delRcu(linkOf(ground, 1));
  list.replaceRcu(linkOf(ground, 2), linkOf(ground, 3));
  for (const gone of [1, 2])
    assert.equal(
      refusal(() => list.bidirPrevRcu(linkOf(ground, gone)), /bidirPrevRcu\(\).*deleted already/),
      "ListError ERR_NOT_LINKED",
    );
  assert.throws(() => domain.arena.memory.load(domain.arena.memory.load((linkOf(ground, 1) + 1) as never) as never), RangeError);
  lock.unlock();
  domain.detach();
});

test("while a list is spliced, what is about to be moved cannot be deleted or replaced at its end", async () => {
  const { domain, ground, lock, list, contents } = filled(listKind);
  const [from, to] = [headOf(ground, 0), headOf(ground, 1)];
  list.spliceInitRcu(from, to, () => {
    const before = contents();
    for (const change of [
      () => list.delRcu(linkOf(ground, 2)),
      () => list.bidirDelRcu(linkOf(ground, 2)),
      () => list.replaceRcu(linkOf(ground, 2), linkOf(ground, 3)),
    ])
      assert.equal(refusal(change, /does not lead back/), "ListError ERR_LIST_CORRUPT");
    list.delRcu(linkOf(ground, 1)); // within, nothing stands in the way
    assert.deepEqual(contents(), before);
  });
  assert.deepEqual(contents(), [[], [0, 2]]);
  lock.unlock();
  domain.detach();
});

test("of two splices at once, into a list and out of it, the one that comes too late is refused and undone", async () => {
  for (const name of ["spliceInitRcuAsync", "spliceTailInitRcuAsync"] as const) {
    const { domain, ground, lock, list, contents } = filled(listKind, new World(16), 3);
    const [from, to, far] = [0, 1, 2].map((index) => headOf(ground, index)) as [Address, Address, Address];
    list.addRcu(linkOf(ground, 3), to);
    let leave = (): void => {};
    const held = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const out = list[name](to, far, () => held);
    await assert.rejects(
      list[name](from, to, async () => {}),
      { code: "ERR_NOT_LINKED" },
    );
    assert.deepEqual(contents(), [[0, 1, 2], [], []], "what is on its way is nowhere");
    leave();
    await out;
    assert.deepEqual(contents(), [[0, 1, 2], [], [3]]);
    const first = list[name](from, to, () => held);
    const second = list[name](far, to, async () => {});
    await Promise.all([first, second]);
    assert.deepEqual(
      contents().map((numbers) => numbers.toSorted()),
      [[], [0, 1, 2, 3], []],
      "into one list from two",
    );
    lock.unlock();
    domain.detach();
  }
});

test("two heads that a writer died in swapping: given twice, they are mended once", () => {
  const { domain, ground, lock, list, contents } = filled(hlistKind);
  list.addHeadRcu(linkOf(ground, 3), headOf(ground, 1));
  const before = contents();
  list.repair(headOf(ground, 0), headOf(ground, 1), headOf(ground, 0));
  assert.deepEqual(contents(), before);
  lock.unlock();
  domain.detach();
});

test("a lookup in a chain that was never made one is refused, and does not go on for ever", () => {
  const { domain, ground, lock, list } = filled(nullsKind);
  const head = headOf(ground, 1);
  domain.arena.memory.store(head, 0);
  assert.equal(
    refusal(() => list.lookup(head, 1, MEMBER, () => false), /initHead\(\)/),
    "ListError ERR_NOT_LINKED",
  );
  lock.unlock();
  domain.detach();
});

test("a lookup that stands on an object which is made anew with words of zeros begins again", () => {
  const { domain, ground, lock, list } = filled(nullsKind);
  const { memory } = domain.arena;
  const [first, second] = [ground.items[0], ground.items[1]] as [Address, Address];
  let stood = false;
  const found = domain.read(() =>
    list.lookup(headOf(ground, 0), 0, MEMBER, (entry) => {
      if (entry === first && !stood) {
        stood = true;
        list.delRcu(linkOf(ground, 0));
        memory.store(linkOf(ground, 0), 0);
      }
      return entry === second;
    }),
  );
  assert.deepEqual([stood, found], [true, second]);
  lock.unlock();
  domain.detach();
});

test("a splice is refused into itself, in a section, and under a spin lock; and undone when its wait fails", async () => {
  const { domain, ground, lock, list, contents } = filled(listKind);
  const [from, to] = [headOf(ground, 0), headOf(ground, 1)];
  list.addRcu(linkOf(ground, 3), to);
  const before = contents();
  assert.equal(
    refusal(() => list.spliceInitRcu(from, from), /into itself/),
    "ListError ERR_SPLICE",
  );
  assert.equal(
    refusal(() => domain.read(() => list.spliceTailInitRcu(from, to)), /spliceTailInitRcu\(\) may wait/),
    "ContextError ERR_IN_SECTION",
  );
  assert.deepEqual(contents(), before);
  let emptyMeanwhile: unknown;
  const refuse = () => {
    emptyMeanwhile = domain.read(() => [list.nextRcu(from) === from, list.tailRcu(from) === from]);
    throw new RangeError("no");
  };
  assert.throws(() => list.spliceInitRcu(from, to, refuse), RangeError);
  assert.deepEqual(emptyMeanwhile, [true, true]);
  assert.deepEqual(contents(), before);
  await assert.rejects(
    list.spliceTailInitRcuAsync(from, to, async () => refuse()),
    RangeError,
  );
  assert.deepEqual(contents(), before);
  let calls = 0;
  await list.spliceInitRcuAsync(from, to);
  assert.deepEqual(contents(), [[], [0, 1, 2, 3]]);
  await list.spliceTailInitRcuAsync(to, from);
  assert.deepEqual(contents(), [[0, 1, 2, 3], []]);
  list.spliceInitRcu(to, from, () => calls++);
  assert.equal(calls, 0, "of an empty list there is nothing to wait for");
  lock.unlock();
  const spin = new SpinLock(domain.arena.memory, ground.lock, domain.arena.heap.slot);
  spin.withLock(() =>
    assert.equal(
      refusal(() => new RcuList(domain, { lock: spin }).spliceInitRcu(from, to), /spin lock/),
      "ContextError ERR_ATOMIC_CONTEXT",
    ),
  );
  domain.detach();
});

function checksContext<L extends object>(kind: Kind<L>): void {
  test(`${kind.name}: in debug mode every update must hold the lock, and every reader be in a section`, () => {
    const { domain, ground, lock, list, contents } = filled(kind, new World(16, { debugWords: ORIGIN_WORDS }));
    const [head, other] = [headOf(ground, 0), headOf(ground, 1)];
    const [linked, free] = [linkOf(ground, 0), linkOf(ground, 4)];
    const view = list as unknown as Record<string, (...args: unknown[]) => unknown>;
    const updates: Record<string, unknown[]> = {
      initHead: [head, 0],
      addRcu: [free, head],
      addHeadRcu: [free, head],
      addTailRcu: [free, head],
      addBeforeRcu: [free, linked],
      addBehindRcu: [free, linked],
      delRcu: [linked],
      delInitRcu: [linked],
      unhashed: [linked],
      pprevRcu: [linked],
      bidirDelRcu: [linked],
      replaceRcu: [linked, free],
      swapHeadsRcu: [head, other],
      spliceInitRcu: [head, other],
      spliceTailInitRcu: [head, other],
      repair: [head],
    };
    const reads: Record<string, unknown[]> = {
      nextRcu: [head],
      firstRcu: [head],
      tailRcu: [head],
      bidirPrevRcu: [linked],
      entryRcu: [head, MEMBER],
      firstOrNullRcu: [head, MEMBER],
      nextOrNullRcu: [head, linked, MEMBER],
      forEachEntryRcu: [head, MEMBER, () => true],
      forEachEntrySafe: [head, MEMBER, () => true],
      forEachEntrySrcu: [head, MEMBER, domain, () => true],
      forEachEntryContinueRcu: kind.name === "RcuList" ? [ground.items[0], head, MEMBER, () => true] : [ground.items[0], MEMBER, () => true],
      forEachEntryFromRcu: kind.name === "RcuList" ? [ground.items[0], head, MEMBER, () => true] : [ground.items[0], MEMBER, () => true],
      lookup: [head, 0, MEMBER, () => true],
    };
    const own = new Set<string>();
    for (let proto: object = Object.getPrototypeOf(list); proto !== Object.prototype; proto = Object.getPrototypeOf(proto)) {
      for (const name of Object.getOwnPropertyNames(proto)) own.add(name);
    }
    for (const name of Object.keys(reads)) if (own.has(name)) view[name]?.(...(reads[name] as unknown[])); // with the lock held
    lock.unlock();
    const before = contents();
    let tried = 0;
    for (const [name, args] of Object.entries(updates)) {
      if (!own.has(name)) continue;
      tried++;
      assert.equal(
        refusal(() => view[name]?.(...args), new RegExp(`${kind.name} test: ${name}\\(\\) of the list at \\d+ without the lock at \\d+.*lock\\(\\) it first`)),
        "ContextError ERR_LOCK_NOT_HELD",
      );
    }
    for (const [name, args] of Object.entries(reads)) {
      if (!own.has(name)) continue;
      tried++;
      assert.equal(
        refusal(() => view[name]?.(...args), /outside a read-side section.*read\(fn\)/),
        "ContextError ERR_NOT_IN_SECTION",
      );
      domain.read(() => view[name]?.(...args));
    }
    assert.ok(tried > 12, `${tried} calls`);
    assert.deepEqual(contents(), before);
    const internal = ["constructor", "mayUpdate", "mayRead", "wayBack", "mustLead", "walk", "link", "pprev", "writeNext", "isANulls", "getNullsValue"];
    const unchecked = ["entryLockless", "forEachEntryLockless", "forEachEntryNotrace", "spliceInitRcuAsync", "spliceTailInitRcuAsync"];
    assert.deepEqual(
      [...own].filter((name) => !(name in updates) && !(name in reads) && !internal.includes(name) && !unchecked.includes(name)),
      [],
      "functions that this test does not know",
    );
    domain.detach();
  });
}
checksContext(listKind);
checksContext(hlistKind);
checksContext(nullsKind);

test("the asynchronous splices need the lock, too; a view without a lock is not checked", async () => {
  const { domain, ground, lock, list } = filled(listKind, new World(16, { debugWords: ORIGIN_WORDS }));
  lock.unlock();
  for (const splice of ["spliceInitRcuAsync", "spliceTailInitRcuAsync"] as const) {
    await assert.rejects(list[splice](headOf(ground, 0), headOf(ground, 1)), { code: "ERR_LOCK_NOT_HELD" });
  }
  new RcuList(domain).delRcu(linkOf(ground, 0));
  new RcuHlist(domain).addHeadRcu(linkOf(ground, 4), headOf(ground, 1));
  domain.detach();
});
