/** Sheaves and depots, slots' lists of pages, typesafe objects, and what is given to the wrong cache. */

import { type Address, PAGE_SHIFT, PAGE_WORDS } from "../../src/memory/address.js";
import type { Cache } from "../../src/memory/cache.js";
import { DebugCache } from "../../src/memory/debug-cache.js";
import { Heap } from "../../src/memory/heap.js";
import { PAGE_ENTRY_WORDS, PAGE_LIST_WORDS } from "../../src/memory/layout.js";
import { Limbo } from "../../src/memory/limbo.js";
import type { Memory } from "../../src/memory/memory.js";
import { PageList } from "../../src/memory/page-list.js";
import { PageKind, Pages } from "../../src/memory/pages.js";
import { SHEAF_WORDS, Sheaves } from "../../src/memory/sheaf.js";
import type { SlabHooks } from "../../src/memory/slab.js";
import { LIVE, SlabPlaces } from "../../src/memory/slab-places.js";
import { pageListOf } from "../../src/memory/slot.js";
import { PassingMemory } from "../passing-memory.js";
import { fateOf } from "../scenarios/death.js";
import { LAYOUT } from "../scenarios/support.js";
import { identity } from "../scenarios/typesafe.js";
import { all, during, idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { noArenaLock } from "./words.js";

/** Whether a word is an entry of an array that says in one word how many it holds, or that word. */
type Part = (memory: Memory, address: Address) => "count" | "entry" | undefined;

const inSheaf: Part = (memory, address) => {
  const page = address >>> PAGE_SHIFT;
  if (page < LAYOUT.firstPage || page >= LAYOUT.pages) return undefined;
  const kind = memory.load((LAYOUT.pageTable + page * PAGE_ENTRY_WORDS) as Address) & 15;
  if (kind !== PageKind.SHEAVES) return undefined;
  const word = (address % PAGE_WORDS) % SHEAF_WORDS;
  return word === 0 ? undefined : word === 1 ? "count" : "entry";
};

/** Of the first thread's list, who is the one to die. */
const inPageList: Part = (_, address) => {
  const word = address - pageListOf(LAYOUT, 0);
  return word < 0 || word >= PAGE_LIST_WORDS ? undefined : word === 0 ? "count" : "entry";
};

/** What is put in comes after the count that takes it in: with the access that is next. */
const entryLate = (part: Part): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    #late: [Address, number] | undefined;
    #counted = false;

    override write(address: Address, value: number): void {
      const what = part(this.inner, address);
      if (what === "entry" && value !== 0) {
        this.#settle();
        this.#late = [address, value];
        return;
      }
      if (this.#counted) this.#settle();
      this.#counted = what === "count";
      super.write(address, value);
    }

    override read(address: Address): number {
      if (this.#late?.[0] === address) this.#settle();
      return super.read(address);
    }

    // The thread's last word is that it has ended. If it was killed, what it had still to do comes to nothing.
    override store(address: Address, value: number): void {
      if (super.load(fateOf(0)) === 0) this.#settle();
      super.store(address, value);
    }

    #settle(): void {
      const late = this.#late;
      this.#late = undefined;
      this.#counted = false;
      if (late !== undefined) super.write(...late);
    }
  };

/** What is taken out still stands behind the last. */
const notEmptied = (part: Part): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override write(address: Address, value: number): void {
      if (value !== 0 || part(this.inner, address) !== "entry") super.write(address, value);
    }
  };

/** A side word never says that its object is live. */
class NeverLive extends PassingMemory {
  override write(address: Address, value: number): void {
    if (value !== LIVE) super.write(address, value);
  }
}

/** A flush takes pages out of the list, and gives them to nobody. */
function flushLoses(): () => () => void {
  let flushing = false;
  return all(
    during(PageList.prototype, "flush", (running) => {
      flushing = running;
    }),
    patch(
      Pages.prototype,
      "release",
      (original) =>
        function (this: Pages, page: number) {
          if (!flushing) original.call(this, page);
        },
    ),
  );
}

/** Whoever takes a sheaf from a depot does not say that it is his. */
const staysTheDepots = patch(
  Sheaves.prototype,
  "setOwner",
  (original) =>
    function (this: Sheaves, sheaf: Address, owner: number) {
      if (owner <= 0 || this.owner(sheaf) >= 0) original.call(this, sheaf, owner);
    },
);

const WHOLE_SHEAF = "a sheaf goes from limbo to the depot whole, and another takes its object, under a reader";
const DEPOT = "two threads take sheaves from a depot, and give them back";
const KEPT = "killed in giving back what is kept for speed";
const TYPESAFE_AGAIN = "a typesafe object is used again while a reader looks";
const TYPESAFE_SLAB = "a typesafe object's slab is given back while a reader looks";

export const sheaves: readonly Mutant[] = [
  ...["killed in a free", "killed in a retire that closes its sheaf, and one that opens the next"].map(
    (killer): Mutant => ({
      name: `a sheaf counts what is not in it yet: ${killer}`,
      number: "S14",
      breaks: "what a thread that died had put into a sheaf is not lost",
      killer,
      kinds: wrong,
      memory: of([0], entryLate(inSheaf)),
    }),
  ),
  {
    name: "what is taken out of a sheaf still stands behind its last",
    number: "S14",
    breaks: "what a thread that died had handed on stays its user's",
    killer: "killed after it handed on an object",
    kinds: unsafe,
    memory: of([0], notEmptied(inSheaf)),
  },
  {
    name: "a sheaf in a depot is still its slot's",
    number: "S14",
    breaks: "a sheaf is in one place",
    killer: "killed in a free that unloads a sheaf to the depot",
    kinds: wrong,
    patch: patch(
      Sheaves.prototype,
      "setOwner",
      (original) =>
        function (this: Sheaves, sheaf: Address, owner: number) {
          if (owner >= 0) original.call(this, sheaf, owner);
        },
    ),
  },
  {
    name: "a sheaf that is taken from a depot is still the depot's",
    number: "S14",
    breaks: "a sheaf is in one place",
    killer: "killed in an allocation that loads a sheaf from the depot",
    kinds: wrong,
    patch: staysTheDepots,
  },
  {
    name: "a sheaf that is emptied is still the depot's",
    number: "S14",
    breaks: "what a dead thread had put back is given to nobody twice",
    killer: KEPT,
    kinds: wrong,
    patch: staysTheDepots,
  },
  {
    name: "a sheaf is given back when it is closed",
    number: "S14",
    breaks: "a sheaf waits for its grace period",
    killer: WHOLE_SHEAF,
    kinds: unsafe,
    patch: patch(
      Limbo.prototype,
      "seal",
      (original) =>
        function (this: Limbo, segment: number) {
          original.call(this, segment);
          this.release(segment);
        },
    ),
  },
  {
    name: "an open sheaf is not closed before its grace period begins",
    number: "S14",
    breaks: "what was retired goes back after one grace period",
    killer: WHOLE_SHEAF,
    kinds: wrong,
    patch: idle(Limbo.prototype, "seal"),
  },
  {
    name: "a sheaf of a dead thread's limbo is given back at once",
    number: "S10",
    breaks: "a dead thread's limbo waits for readers",
    killer: "killed as it fills a sheaf and closes it, under a reader",
    kinds: unsafe,
    patch: patch(
      Limbo.prototype,
      "sheaves",
      () =>
        function* () {
          // none is in limbo, for the reaper
        },
    ),
  },
  {
    name: "no arena lock: two threads take sheaves from a depot",
    number: "S14",
    breaks: "a sheaf has one owner at a time",
    killer: DEPOT,
    kinds: unsafe,
    patch: noArenaLock,
  },
  {
    name: "allocation of an object that is not tracked does not say that it is live",
    number: "S14",
    breaks: "an object is given to one owner at a time",
    killer: "two threads refill their magazines",
    kinds: wrong,
    memory: (inner) => new NeverLive(inner),
  },
  {
    name: "of two who take an object back, both are told that they did",
    number: "S8",
    breaks: "of two who retire an object one is refused",
    killer: "two threads retire one object",
    kinds: unsafe,
    patch: patch(
      SlabPlaces.prototype,
      "retire",
      (original) =>
        function (this: SlabPlaces, object: Address, side: number) {
          original.call(this, object, side);
          return true;
        },
    ),
  },
  {
    name: "a page list counts what is not in it yet",
    number: "S14",
    breaks: "a page that a thread died in giving back is not lost",
    killer: "killed in taking and giving pages beside a list",
    kinds: wrong,
    memory: of([0], entryLate(inPageList)),
  },
  {
    name: "what is taken from a page list still stands behind its last",
    number: "S14",
    breaks: "what a thread that died had handed on stays its user's",
    killer: "killed after it handed on a page",
    kinds: unsafe,
    memory: of([0], notEmptied(inPageList)),
  },
  {
    name: "a page list's flush loses what it takes out",
    number: "S14",
    breaks: "a slot's pages go back to all",
    killer: "killed in giving a page to a full list",
    kinds: wrong,
    patch: flushLoses(),
  },
  {
    name: "a dead thread's page list keeps what stands behind its last",
    number: "S14",
    breaks: "a page that a thread died in giving back is not lost",
    killer: "killed in giving a page to a full list",
    kinds: wrong,
    patch: patch(
      PageList.prototype,
      "drain",
      () =>
        function (this: PageList) {
          this.flush(0);
        },
    ),
  },
  {
    name: "a page in a list is still handed out",
    number: "S8",
    breaks: "of two who free one page one is refused",
    killer: "two threads free one page",
    kinds: wrong,
    patch: patch(
      Pages.prototype,
      "exchangeKind",
      (original) =>
        function (this: Pages, page: number, from: number, to: number) {
          return to === PageKind.LISTED ? true : original.call(this, page, from, to);
        },
    ),
  },
  {
    name: "a typesafe object is taken for the one that was looked for",
    number: "S13",
    breaks: "a reader of typesafe objects looks again whose it is",
    killer: TYPESAFE_AGAIN,
    kinds: wrong,
    patch: patch(identity, "holds", () => () => true),
  },
  {
    name: "a typesafe slab is given back at once",
    number: "S13",
    breaks: "a typesafe object's memory stays of its type for a grace period",
    killer: TYPESAFE_SLAB,
    kinds: unsafe,
    patch: patch(
      Heap.prototype as unknown as { makeCache(index: number, hooks: SlabHooks): Cache },
      "makeCache",
      (original) =>
        function (this: Heap, index: number, hooks: SlabHooks) {
          return original.call(this as never, index, { ...hooks, retirePages: (page) => this.pages.release(page) });
        },
    ),
  },
  {
    name: "an object is given to whatever cache it is given to",
    number: "S15",
    breaks: "in a debug arena an object goes back only to the cache it is of",
    killer: "run: an object that is given to another cache, in a debug arena",
    kinds: wrong,
    patch: idle(DebugCache.prototype, "checkAddress"),
  },
];
