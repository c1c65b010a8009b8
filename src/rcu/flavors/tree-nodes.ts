/**
 * The nodes of the tree flavor: who is still waited for, combined upwards.
 *
 *   level 2                 [root]                 a word: 1 | tag of the grace period (15 bits) | a bit for each child not done (16 bits)
 *   level 1        [node]           [node]
 *   level 0     [leaf][leaf]     [leaf][leaf]      a leaf's children are slots
 *   slots       0 1 .. 15  ...
 *
 * A word changes by compareExchange only, and its tag says for which grace period it stands. So a report for grace period n cannot clear a bit
 * of n + 1: the tag differs. 15 bits are enough, because whoever works on the nodes is online (tree.ts): the domain can then be at most
 * one grace period ahead of what that thread has seen, so it meets tags of n - 2 to n + 1 only, or 0 of a node that was never used.
 *
 * Law table
 *   node   atomic
 */

import { type Address, field } from "../../memory/address.js";
import type { Layout } from "../../memory/layout.js";
import type { Memory } from "../../memory/memory.js";
import { DOMAIN_WORDS, domainRoot } from "../layout.js";

/** Most children of a node: the bits that a word has for them. */
export const MOST_FAN_OUT = 16;
/** A cache line for each node. */
const NODE_WORDS = 32;
const MASK = 0xffff;

interface Level {
  readonly first: number;
  readonly count: number;
}

/** Levels from the leaves up to the root, for so many slots. */
export function levelsOf(slots: number, fanOut: number): Level[] {
  const levels: Level[] = [];
  let first = 0;
  let count = slots;
  do {
    count = Math.ceil(count / fanOut);
    levels.push({ first, count });
    first += count;
  } while (count > 1);
  return levels;
}

/** Words of the tree, after the words of all domains. */
export const treeWords = (slots: number, fanOut: number): number => levelsOf(slots, fanOut).reduce((sum, { count }) => sum + count, 0) * NODE_WORDS;

/** The tag of a grace period's nodes. */
export const tagOf = (gracePeriod: number): number => (gracePeriod & 0x7fff) | 0x8000;

const tagIn = (word: number): number => word >>> 16;

export class TreeNodes {
  readonly #memory: Memory;
  readonly #base: Address;
  readonly #fanOut: number;
  readonly #levels: readonly Level[];

  constructor(memory: Memory, layout: Layout, fanOut: number) {
    this.#memory = memory;
    this.#base = field(domainRoot(layout, 0), layout.domains * DOMAIN_WORDS);
    this.#fanOut = fanOut;
    this.#levels = levelsOf(layout.slots, fanOut);
  }

  #node(level: number, index: number): Address {
    return field(this.#base, ((this.#levels[level] as Level).first + index) * NODE_WORDS);
  }

  /** Whether a grace period waits for nobody any more. */
  isDone(gracePeriod: number): boolean {
    return this.#memory.load(this.#node(this.#levels.length - 1, 0)) === tagOf(gracePeriod) << 16;
  }

  /**
   * Set all nodes up for a grace period, those nearer the root first, so that whoever finds a leaf set up finds its ancestors too. Several
   * threads may do it at once, each with what it saw: a node is set once. Only online.
   * @param used slots to look at
   * @param waitedFor whether the grace period must wait for a slot; a slot that it need not wait for now never will be
   */
  setUp(gracePeriod: number, used: number, waitedFor: (slot: number) => boolean): void {
    const masks: number[][] = [this.#groups(used, waitedFor)];
    for (let level = 1; level < this.#levels.length; level++) {
      const below = masks[level - 1] as number[];
      masks.push(this.#groups(below.length, (child) => below[child] !== 0));
    }
    for (let level = masks.length - 1; level >= 0; level--) {
      for (const [index, mask] of (masks[level] as number[]).entries()) this.#install(this.#node(level, index), gracePeriod, mask);
    }
  }

  /** A mask for each group of so many children. */
  #groups(children: number, isSet: (child: number) => boolean): number[] {
    const masks: number[] = new Array(Math.ceil(children / this.#fanOut)).fill(0);
    for (let child = 0; child < children; child++) {
      const group = Math.floor(child / this.#fanOut);
      if (isSet(child)) masks[group] = (masks[group] as number) | (1 << (child % this.#fanOut));
    }
    return masks;
  }

  #install(node: Address, gracePeriod: number, mask: number): void {
    const memory = this.#memory;
    const [tag, next] = [tagOf(gracePeriod), tagOf(gracePeriod + 1)];
    for (;;) {
      const word = memory.load(node);
      if (tagIn(word) === tag || tagIn(word) === next) return; // another thread was first, or this one is late
      if (memory.compareExchange(node, word, (tag << 16) | mask) === word) return;
    }
  }

  /**
   * A slot is done with a grace period: clear its bit, and, being the last one out of a node, the node's bit in its parent. Only online.
   * @returns whether the root came to be clear
   */
  report(gracePeriod: number, slot: number): boolean {
    return this.#clear(gracePeriod, 0, slot);
  }

  #clear(gracePeriod: number, fromLevel: number, fromChild: number): boolean {
    const memory = this.#memory;
    const tag = tagOf(gracePeriod);
    let child = fromChild;
    for (let level = fromLevel; level < this.#levels.length; level++) {
      const index = Math.floor(child / this.#fanOut);
      const node = this.#node(level, index);
      const bit = 1 << (child % this.#fanOut);
      for (;;) {
        const word = memory.load(node);
        // Not set up yet (then whoever sets it up looks at the slots again), or of a later grace period; or cleared before, by somebody who goes on up.
        if (tagIn(word) !== tag || (word & bit) === 0) return false;
        if (memory.compareExchange(node, word, word & ~bit) !== word) continue;
        if ((word & ~bit & MASK) !== 0) return false;
        break;
      }
      child = index;
    }
    return true;
  }

  /**
   * Look at every slot that a grace period still waits for, and finish what reporters that died had begun: a node that is clear, and whose bit in its
   * parent is not. Only online.
   */
  scan(gracePeriod: number, waitedFor: (slot: number) => boolean): void {
    const tag = tagOf(gracePeriod);
    for (let level = 0; level < this.#levels.length; level++) {
      const { count } = this.#levels[level] as Level;
      for (let index = 0; index < count; index++) {
        const word = this.#memory.load(this.#node(level, index));
        if (tagIn(word) !== tag) continue;
        // A leaf that becomes clear by this is gone on from by whoever clears it.
        if ((word & MASK) === 0) this.#clear(gracePeriod, level + 1, index);
        else if (level === 0) this.#scanLeaf(gracePeriod, index, word, waitedFor);
      }
    }
  }

  #scanLeaf(gracePeriod: number, index: number, word: number, waitedFor: (slot: number) => boolean): void {
    for (let left = word & MASK; left !== 0; left &= left - 1) {
      const slot = index * this.#fanOut + 31 - Math.clz32(left & -left);
      if (!waitedFor(slot)) this.#clear(gracePeriod, 0, slot);
    }
  }

  /** Slots that a grace period still waits for. */
  *waiting(gracePeriod: number): Generator<number> {
    const { count } = this.#levels[0] as Level;
    for (let index = 0; index < count; index++) {
      const word = this.#memory.load(this.#node(0, index));
      if (tagIn(word) !== tagOf(gracePeriod)) continue;
      for (let left = word & MASK; left !== 0; left &= left - 1) yield index * this.#fanOut + 31 - Math.clz32(left & -left);
    }
  }
}
