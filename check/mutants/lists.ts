/** The kernel's lists, and the friendly one. */

import { type Address, field, NULL } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";
import { Domain } from "../../src/rcu/domain.js";
import { HashChain } from "../../src/structures/list/hash-chain.js";
import { RcuHlistNulls } from "../../src/structures/list/hlist-nulls.js";
import { RcuList } from "../../src/structures/list/list.js";
import { PassingMemory } from "../passing-memory.js";
import type { FailureKind } from "../scenario.js";
import { HEAD, item, LIST_LOCK, link, OTHER, STALE } from "../scenarios/lists.js";
import { idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { freedAtOnce, unlocked, without } from "./words.js";

/** Who follows what he must not may also go round for ever. */
const astray: readonly FailureKind[] = [...unsafe, "livelock", "deadlock"];

/** What is written or stored to a word comes after another word was stored. */
const after = (word: Address, publication: Address): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    #late: (() => void) | undefined;
    override write(address: Address, value: number): void {
      if (address === word) this.#late = () => super.write(address, value);
      else super.write(address, value);
    }
    override store(address: Address, value: number): void {
      if (address === word) this.#late = () => super.store(address, value);
      else super.store(address, value);
      if (address === publication) this.#late?.();
    }
  };

/** The words that a list works on. */
const memoryOf = (list: object): Memory => (list as unknown as { memory: Memory }).memory;

export const lists: readonly Mutant[] = [
  {
    name: "list: an entry is published before what it holds",
    number: "S1",
    breaks: "an entry is whole before a pointer leads to it",
    killer: "list: an insertion under a reader",
    kinds: unsafe,
    memory: of([0], after(item(5), link(0))),
  },
  {
    name: "list: del clears next",
    number: "S2",
    breaks: "who stands on a deleted entry goes on from there",
    killer: "list: a deleted entry is freed after a grace period",
    kinds: astray,
    patch: patch(
      RcuList.prototype,
      "delRcu",
      (original) =>
        function (this: RcuList, entry: Address) {
          original.call(this, entry);
          memoryOf(this).store(entry, NULL);
        },
    ),
  },
  {
    name: "hlist: del clears next",
    number: "S2",
    breaks: "who stands on a deleted entry goes on from there",
    killer: "hlist: an insertion, a replacement and a deletion under a reader",
    kinds: wrong,
    patch: patch(
      HashChain.prototype,
      "delRcu",
      (original) =>
        function (this: HashChain, node: Address) {
          original.call(this, node);
          memoryOf(this).store(node, NULL);
        },
    ),
  },
  {
    name: "list: prev.next before new.next",
    number: "S3",
    breaks: "new is linked to next before anything leads to new",
    killer: "list: an insertion under a reader",
    kinds: astray,
    memory: of([0], after(link(5), link(0))),
  },
  {
    name: "list: a spliced list's last entry is linked on after its first can be found",
    number: "S3",
    breaks: "new is linked to next before anything leads to new",
    killer: "list: a reader of the list that another is spliced into",
    kinds: astray,
    memory: of([0], after(link(1), link(2))),
  },
  {
    name: "list: replace leaves the old reachable",
    number: "S4",
    breaks: "what is waited for and freed can be reached by no new reader",
    killer: "list: a replaced entry is freed after a grace period",
    kinds: unsafe,
    memory: of(
      [0],
      without((address, value) => address === link(0) && value === link(5)),
    ),
  },
  {
    name: "list: a splice does not wait",
    number: "S5",
    breaks: "a reader who began in a spliced list ends at that list's head",
    killer: "list: a splice waits for the readers of its list",
    kinds: astray,
    patch: idle(Domain.prototype, "synchronizeSync"),
  },
  {
    name: "list: is it empty, and then the first entry",
    number: "S6",
    breaks: "each pointer is loaded once",
    killer: "list: the first entry is deleted under who takes the first",
    kinds: unsafe,
    patch: patch(
      RcuList.prototype,
      "firstOrNullRcu",
      () =>
        function (this: RcuList, head: Address, member: number) {
          return this.nextRcu(head) === head ? NULL : field(this.nextRcu(head), -member);
        },
    ),
  },
  {
    name: "nulls: whose end it is is not looked at",
    number: "S7",
    breaks: "a lookup that was carried to another chain begins again",
    killer: "nulls: a lookup while what it stands on moves to another chain",
    kinds: wrong,
    patch: patch(RcuHlistNulls.prototype, "getNullsValue", () => () => 7),
  },
  {
    name: "shared list: writers do not lock",
    number: "S8",
    breaks: "of two who remove one element, one is told that it did",
    killer: "shared list: two writers remove one element",
    kinds: unsafe,
    patch: unlocked(LIST_LOCK),
  },
  {
    name: "list: a deleted entry is still linked",
    number: "S9",
    breaks: "what is waited for and freed can be reached by no new reader",
    killer: "list: a deleted entry is freed after a grace period",
    kinds: unsafe,
    memory: of(
      [0],
      without((address, value) => address === link(0) && value === link(2)),
    ),
  },
  {
    name: "list: an entry is freed before the grace period",
    number: "S10",
    breaks: "a deleted entry waits for readers",
    killer: "list: a deleted entry is freed after a grace period",
    kinds: unsafe,
    patch: idle(Domain.prototype, "synchronizeSync"),
  },
  {
    name: "shared list: nodes and values are freed, and not retired",
    number: "S10",
    breaks: "what an update takes out waits for readers",
    killer: "shared list: a reader while an element is replaced, one inserted, one removed",
    kinds: unsafe,
    patch: freedAtOnce,
  },
  {
    name: "shared list: an element's number is not compared",
    number: "S13",
    breaks: "a reference to what was removed touches nothing else",
    killer: "shared list: a stale reference, while its node is given out again",
    kinds: wrong,
    memory: of(
      [0],
      class extends PassingMemory {
        override read(address: Address): number {
          return address === field(super.read(STALE) as Address, 4) ? 1 : super.read(address);
        }
      },
    ),
  },
  {
    name: "nulls: the next of a node that moves is written plainly",
    number: "-",
    breaks: "a node that readers may stand on is atomic at all times",
    killer: "nulls: a lookup while what it stands on moves to another chain",
    kinds: ["race"],
    patch: patch(
      RcuHlistNulls.prototype as unknown as { writeNext(node: Address, next: Address): void },
      "writeNext",
      () =>
        function (this: RcuHlistNulls, node: Address, next: Address) {
          memoryOf(this).write(node, next);
        },
    ),
  },
  {
    name: "list: deleting poisons the way back of a list that is walked backwards",
    number: "-",
    breaks: "who stands on a deleted entry goes back from there",
    killer: "list: who walks backwards, and entries that keep both ways",
    kinds: astray,
    patch: patch(
      RcuList.prototype,
      "bidirDelRcu",
      () =>
        function (this: RcuList, entry: Address) {
          this.delRcu(entry);
        },
    ),
  },
  {
    name: "list: the head of a list that is spliced leads back into it",
    number: "-",
    breaks: "who walks backwards never enters what is being spliced",
    killer: "list: who walks backwards while its list is spliced",
    kinds: astray,
    memory: of(
      [0],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          super.store(address, address === field(HEAD, 1) && value < 0 ? ~value : value);
        }
      },
    ),
  },
  {
    name: "shared list: recovery does not mend the ways back",
    number: "-",
    breaks: "the next writer mends what a dead one left",
    killer: "shared list: a writer is killed in push, and the next recovers",
    kinds: wrong,
    patch: idle(RcuList.prototype, "repair"),
  },
  {
    name: "list: a splice leaves no mark of its entries",
    number: "-",
    breaks: "what a dead writer had taken out is found",
    killer: "list: a writer is killed in a splice, and the next repairs",
    kinds: wrong,
    memory: of(
      [0],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          super.store(address, address === field(HEAD, 1) && value < 0 ? HEAD : value); // as INIT_LIST_HEAD does
        }
      },
    ),
  },
  {
    name: "hlist: a swap leaves no mark of the other chain",
    number: "-",
    breaks: "what a dead writer had taken out is found",
    killer: "hlist: a writer is killed in a swap, and the next repairs",
    kinds: wrong,
    memory: of(
      [0],
      without((address, value) => address === field(link(2), 1) && value < 0),
    ),
  },
  {
    name: "hlist: two heads are swapped, and a chain is lost",
    number: "-",
    breaks: "a swap exchanges two chains",
    killer: "hlist: two heads are swapped under a reader",
    kinds: wrong,
    memory: of(
      [0],
      without((address, value) => address === OTHER && value === link(0)),
    ),
  },
];
