/** Bugs of the phase and the tree flavor, and the known ones of grace periods on those two. */

import type { Address } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";
import { EventLoopPeriods } from "../../src/rcu/flavors/event-loop.js";
import type { FlavorName, GracePeriods } from "../../src/rcu/flavors/flavor.js";
import { PhasePeriods, PhaseReader } from "../../src/rcu/flavors/phase.js";
import { TreePeriods, TreeReader } from "../../src/rcu/flavors/tree.js";
import { TreeNodes } from "../../src/rcu/flavors/tree-nodes.js";
import { ReaderWord, readerWord } from "../../src/rcu/layout.js";
import type { Cookie } from "../../src/rcu/sequence.js";
import { PassingMemory } from "../passing-memory.js";
import { POINTER } from "../scenarios/block.js";
import { LAYOUT, nameOn } from "../scenarios/support.js";
import { asleep, idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { seenOf, silent, WANTED } from "./words.js";

type Others = Exclude<FlavorName, "event-loop">;
const OTHERS: readonly Others[] = ["phase", "tree"];
const PERIODS: Readonly<Record<FlavorName, GracePeriods>> = {
  "event-loop": EventLoopPeriods.prototype,
  phase: PhasePeriods.prototype,
  tree: TreePeriods.prototype,
};

/** A bug on both of the other flavors. */
const onOthers = (make: (flavor: Others) => Omit<Mutant, "name" | "killer"> & { name: string; killer: string }): Mutant[] =>
  OTHERS.map((flavor) => {
    const mutant = make(flavor);
    return { ...mutant, name: nameOn(flavor, mutant.name), killer: nameOn(flavor, mutant.killer) };
  });

/** `isOver`, given what is right. */
const isOver = (flavor: FlavorName, broken: (this: GracePeriods, cookie: Cookie, right: (cookie: Cookie) => boolean) => boolean): (() => () => void) =>
  patch(
    PERIODS[flavor],
    "isOver",
    (original) =>
      function (this: GracePeriods, cookie: Cookie) {
        return broken.call(this, cookie, (one) => original.call(this, one));
      },
  );

const word = (slot: number, offset: number): Address => readerWord(LAYOUT, slot, 0, offset);
const locksOf = (slot: number): Address[] => [word(slot, ReaderWord.LOCKS), word(slot, ReaderWord.LOCKS + 1)];
const unlocksOf = (slot: number): Address[] => [word(slot, ReaderWord.UNLOCKS), word(slot, ReaderWord.UNLOCKS + 1)];
const FIRST_LOCKS = locksOf(0);
/** What says that the reader, slot 0, is in a section. */
const SIGN: Readonly<Record<Others, readonly Address[]>> = { phase: FIRST_LOCKS, tree: [seenOf(0)] };

/** A slot looks as if nobody were in a section there. */
const skipping = (slot: number): (new (inner: Memory) => Memory) => {
  const words: readonly Address[] = [seenOf(slot), ...locksOf(slot), ...unlocksOf(slot)];
  return class extends PassingMemory {
    override load(address: Address): number {
      return words.includes(address) ? 0 : super.load(address);
    }
  };
};

/** A scan loads LOCKS of a slot before UNLOCKS. */
class LocksFirst extends PassingMemory {
  #locks: number | undefined;
  override load(address: Address): number {
    const i = unlocksOf(0).indexOf(address);
    if (i >= 0) this.#locks = super.load(locksOf(0)[i] as Address);
    if (!locksOf(0).includes(address) || this.#locks === undefined) return super.load(address);
    const locks = this.#locks;
    this.#locks = undefined;
    return locks;
  }
}

let forcing = false;

export const flavors: readonly Mutant[] = [
  ...onOthers((flavor) => ({
    name: "synchronize is a no-op",
    number: "G1",
    breaks: "a grace period waits for the sections that are open",
    killer: "section against synchronizeSync",
    kinds: unsafe,
    patch: isOver(flavor, () => true),
  })),
  {
    name: "a single flip",
    number: "G2",
    breaks: "a grace period sees both phases empty after it began",
    killer: "section against synchronizeSync, phase",
    kinds: unsafe,
    patch: isOver("phase", (cookie, right) => right(((cookie - 2) | 0) as Cookie)),
  },
  {
    name: "two flips, of which another's look may have been the first",
    number: "G2",
    breaks: "a grace period sees both phases empty after it began",
    killer: "two updaters and a reader, phase",
    kinds: unsafe,
    patch: isOver("phase", (cookie, right) => right(((cookie - 1) | 0) as Cookie)),
  },
  {
    name: "locks are read before unlocks",
    number: "G3",
    breaks: "sections that end during a look do not stand for others that do not",
    killer: "SRCU nest 1: stores of the outer section, around an inner one, phase",
    kinds: wrong,
    memory: of([1], LocksFirst),
  },
  ...onOthers(() => ({
    name: "the first slot is skipped",
    number: "G4",
    breaks: "a scan looks at every slot",
    killer: "section against synchronizeSync",
    kinds: unsafe,
    memory: of([1], skipping(0)),
  })),
  ...onOthers(() => ({
    name: "the last reader's slot is skipped",
    number: "G4",
    breaks: "a scan looks at every slot",
    killer: "two readers against synchronizeSync",
    kinds: unsafe,
    memory: of([2], skipping(1)),
  })),
  {
    name: "a nested unlock ends the outer section, phase",
    number: "G5",
    breaks: "a section lasts until its outermost unlock",
    killer: "nested: an inner section's end, phase",
    kinds: asleep, // it ends twice
    patch: patch(
      PhaseReader.prototype,
      "endTo",
      (original) =>
        function (this: PhaseReader) {
          original.call(this, 0);
        },
    ),
  },
  {
    name: "a nested unlock ends the outer section, tree",
    number: "G5",
    breaks: "a section lasts until its outermost unlock",
    killer: "nested: an inner section's end, tree",
    kinds: unsafe,
    patch: patch(
      TreeReader.prototype,
      "endTo",
      (original) =>
        function (this: TreeReader) {
          original.call(this, 0);
        },
    ),
  },
  {
    name: "a late report clears the next grace period's bit",
    number: "G6",
    breaks: "a report counts for the grace period that it was made for",
    killer: "tree: a late report for a grace period while the next one waits",
    kinds: wrong,
    patch: patch(
      TreeNodes.prototype,
      "report",
      (original) =>
        function (this: TreeNodes, gracePeriod: number, slot: number) {
          return original.call(this, gracePeriod, slot) || original.call(this, gracePeriod + 1, slot);
        },
    ),
  },
  {
    name: "a node's bit in its parent is cleared when one child is done",
    number: "G7",
    breaks: "a node is done when all its children are",
    killer: "tree: one of a leaf has reported, and not the other",
    kinds: wrong,
    patch: patch(
      TreeNodes.prototype,
      "report",
      (original) =>
        function (this: TreeNodes, gracePeriod: number, slot: number) {
          return original.call(this, gracePeriod, slot) || original.call(this, gracePeriod, slot ^ 1);
        },
    ),
  },
  {
    name: "a leaf's mask lacks the slot that was claimed last",
    number: "G8",
    breaks: "a leaf has a bit for every slot that was claimed before the grace period began",
    killer: "a slot passes from thread to thread during a grace period, tree",
    kinds: unsafe,
    patch: patch(
      TreeNodes.prototype,
      "setUp",
      (original) =>
        function (this: TreeNodes, gracePeriod: number, used: number, waitedFor: (slot: number) => boolean) {
          original.call(this, gracePeriod, used, (slot) => slot < used - 1 && waitedFor(slot));
        },
    ),
  },
  ...onOthers((flavor) => ({
    name: "online is stored after the section's first load",
    number: "G9",
    breaks: "a reader is online before its first load",
    killer: "section against synchronizeSync",
    kinds: unsafe,
    memory: of(
      [0],
      class extends PassingMemory {
        #late: (() => void) | undefined;
        override store(address: Address, value: number): void {
          if (SIGN[flavor].includes(address) && value !== 0) this.#late = () => super.store(address, value);
          else super.store(address, value);
        }
        override load(address: Address): number {
          const value = super.load(address);
          if (address === POINTER) this.#late?.();
          return value;
        }
      },
    ),
  })),
  ...OTHERS.flatMap((flavor) =>
    (
      [
        ["2^31", "signed", (number: number) => number | 0],
        ["2^32", "unsigned", (number: number) => number >>> 0],
      ] as const
    ).map(
      ([where, kind, value]): Mutant => ({
        name: nameOn(flavor, `${kind} compare at the wrap`),
        number: "G10",
        breaks: "sequences compare modulo 2^32",
        killer: nameOn(flavor, `sequence wraps at ${where}`),
        kinds: unsafe,
        patch: isOver(flavor, function (cookie, right) {
          return value(this.completed()) >= value(cookie) || right(cookie);
        }),
      }),
    ),
  ),
  {
    name: "nesting overflows into the phase",
    number: "G11",
    breaks: "a section ends in the phase that it began in",
    killer: "sections that overlap without nesting, phase",
    kinds: unsafe,
    patch: patch(
      PhaseReader.prototype,
      "lock",
      (original) =>
        function (this: PhaseReader) {
          const nested = this.nesting;
          return (original.call(this) + nested) as ReturnType<PhaseReader["lock"]>;
        },
    ),
  },
  {
    name: "a joiner rides a running grace period, tree",
    number: "G12",
    breaks: "a grace period that is under way counts for nobody who comes later",
    killer: "two updaters and a reader, tree",
    kinds: unsafe,
    patch: patch(
      TreePeriods.prototype,
      "start",
      (original) =>
        function (this: TreePeriods) {
          original.call(this);
          return ((this.completed() + 4) | 0) as Cookie;
        },
    ),
  },
  {
    name: "an expedited grace period ignores readers that do not answer",
    number: "G13",
    breaks: "who forces a grace period waits for the sections that are open, too",
    killer: "an expedited grace period waits for the sections that were open, tree",
    kinds: unsafe,
    patch: () => {
      const undo = [
        patch(
          TreePeriods.prototype,
          "force",
          (original) =>
            function (this: TreePeriods) {
              forcing = true;
              try {
                original.call(this);
              } finally {
                forcing = false;
              }
            },
        )(),
        patch(
          TreeNodes.prototype,
          "scan",
          (original) =>
            function (this: TreeNodes, gracePeriod: number, waitedFor: (slot: number) => boolean) {
              original.call(this, gracePeriod, forcing ? () => false : waitedFor);
            },
        )(),
      ];
      return () => {
        for (const back of undo) back();
      };
    },
  },
  ...onOthers((flavor) => ({
    name: "plain store at section start",
    number: "G14",
    breaks: "what says that a reader is online is atomic",
    killer: "section against synchronizeSync",
    kinds: ["race"] as const,
    memory: of(
      [0],
      class extends PassingMemory {
        override store(address: Address, value: number): void {
          if (SIGN[flavor].includes(address)) super.write(address, value);
          else super.store(address, value);
        }
      },
    ),
  })),
  ...onOthers((flavor) => ({
    name: "freed one period early",
    number: "G15",
    breaks: "what is retired waits for its own grace period",
    killer: "retire and reuse of a page",
    kinds: unsafe,
    patch: isOver(flavor, (cookie, right) => right(((cookie - (flavor === "tree" ? 4 : 2)) | 0) as Cookie)),
  })),
  ...onOthers(() => ({
    name: "who ends a section or goes offline wakes nobody",
    number: "C7",
    breaks: "sleepers are woken when a grace period may be over",
    killer: "section against synchronizeSync",
    kinds: asleep,
    memory: of([0], silent(WANTED)),
  })),
  ...onOthers((flavor) => ({
    name: "the cookie is the current sequence, not a new one",
    number: "C9",
    breaks: "a cookie is a grace period that begins after it was asked for",
    killer: "section against synchronizeSync",
    kinds: unsafe,
    patch: patch(
      PERIODS[flavor],
      "start",
      () =>
        function (this: GracePeriods) {
          return this.completed();
        },
    ),
  })),
  ...(["event-loop", ...OTHERS] as const).map(
    (flavor): Mutant => ({
      name: nameOn(flavor, "a cookie from before the wrap is never over"),
      number: "C10",
      breaks: "a cookie that is kept for more than half of all numbers is over all the same",
      killer: nameOn(flavor, "a cookie from before the wrap is over, a new one is not"),
      kinds: wrong,
      patch: isOver(flavor, function (cookie, right) {
        return right(cookie) && ((this.completed() - cookie) | 0) >= 0;
      }),
    }),
  ),
  ...onOthers(() => ({
    name: "reaping wakes nobody",
    number: "C12",
    breaks: "a death that ends a grace period wakes who waits for it",
    killer: "reap of a slot that died in a section",
    kinds: asleep,
    memory: of([1], silent(WANTED)),
  })),
  {
    name: "a scan does not finish what a dead reporter had begun",
    number: "C12",
    breaks: "a report that its thread died in is finished",
    killer: "tree: a reporter dies between its leaf and the root, and a scan finishes",
    kinds: wrong,
    patch: idle(TreeNodes.prototype, "scan"),
  },
];
