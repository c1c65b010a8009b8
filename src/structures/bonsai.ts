/**
 * The Bonsai tree: a balanced binary tree that readers walk without locks while one writer changes it
 * (Clements, Kaashoek, Zeldovich, "Scalable Address Spaces Using RCU Balanced Trees", ASPLOS 2012).
 *
 * A bounded-balance tree (Adams 1992) with the one pair of parameters that is proven right, (delta 3, gamma 2) on
 * weight = size + 1 (Hirai and Yamamoto, "Balancing weight-balanced trees", JFP 2011): a node's subtrees outweigh each other at
 * most 3 times; when more, one rotation, single if the inner grandchild weighs less than twice the outer one, mends what one
 * insertion or deletion did. What a change of many entries did is mended by `link`, which joins two trees of any sizes.
 *
 * Changed nodes are copied, never changed in place, but for one pointer: the nearest ancestor that stays in balance takes the new
 * subtree by a single store, and above it only sizes change. So an update that replaces any number of entries becomes visible at
 * one instant:
 *
 *          p                     p                     p
 *         / \    build q' and   / \    one store      / \        q and its copied children are
 *        q   .   what is new:  q   .   publishes:    q'  .       retired; shared subtrees (.) stay
 *       / \      private      / \ q'                / \
 *      .   .                 .   ./\                .  .
 *
 * Ancestors that the change has unbalanced higher up are then rotated, each by one store more; that changes no entry.
 *
 * Law table (a node)
 *   word            class
 *   LEFT, RIGHT     atomic; stored only by the lock's holder, who may therefore read them plainly; private until published
 *   all others      immutable once published
 *   size            in the object's side word, on lines that no reader touches: locked
 *   root pointer    atomic, as LEFT and RIGHT
 *
 * Guarantees
 *   A  an entry that is present from the beginning of an exact search to its end is found by it.
 *   B  an update is seen wholly or not at all by an exact search, and so is every prefix of the updates.
 *   C  a node is retired only after no pointer leads to it; its words, LEFT and RIGHT included, stay as they were.
 *   D  when memory runs out, nothing has been published: what was built is freed.
 *   E  a writer that dies leaves the entries as before or as after its update; sizes and balance are mended by `repair`.
 */

import { type Address, field, NULL } from "../memory/address.js";
import type { Cache } from "../memory/cache.js";
import type { Memory } from "../memory/memory.js";

const DELTA = 3;
const GAMMA = 2;

/** Which child. */
export const LEFT = 0;
export const RIGHT = 1;
export type Side = typeof LEFT | typeof RIGHT;

/** Whether subtrees of these weights may hang from one node. */
const inBalance = (a: number, b: number): boolean => DELTA * a >= b && DELTA * b >= a;

/** Levels of a tree that `build` lays side by side. */
const BLOCK_LEVELS = 3;

/** A node that is being built, and the indexes that its subtree takes: `first` to `end - 1`. */
interface Span {
  readonly node: Address;
  readonly first: number;
  readonly end: number;
}

/** Nodes that mending an unbalanced ancestor takes: a rotation copies at most three. */
const NODES_A_ROTATION = 3;

/** One writer's hold on a tree. Every method needs the tree's lock. */
export class Bonsai {
  readonly #memory: Memory;
  readonly #cache: Cache;
  readonly #root: Address;
  readonly #left: number;
  readonly #takeNode: () => Address;
  readonly #discard: (node: Address) => void;

  /** Nodes of the update under way that no reader can reach yet. */
  readonly #fresh = new Set<Address>();
  /** Nodes it has replaced by copies, or taken out. */
  readonly #replaced: Address[] = [];
  /** Nodes in hand for the rotations after publishing, which must not fail. */
  readonly #spare: Address[] = [];

  /**
   * @param root address of the root pointer
   * @param left offset of LEFT in a node; RIGHT follows it
   * @param takeNode gives a node, or throws OutOfMemoryError
   * @param discard takes back a node that was never published; it must not fail
   */
  constructor(memory: Memory, cache: Cache, root: Address, left: number, takeNode: () => Address, discard: (node: Address) => void) {
    this.#memory = memory;
    this.#cache = cache;
    this.#root = root;
    this.#left = left;
    this.#takeNode = takeNode;
    this.#discard = discard;
  }

  // Reading, with the lock ---------------------------------------------------------------------------

  get root(): Address {
    return this.#memory.read(this.#root) as Address;
  }

  child(node: Address, side: Side): Address {
    return this.#memory.read(field(node, this.#left + side)) as Address;
  }

  size(node: Address): number {
    return node === NULL ? 0 : this.#memory.read(this.#cache.sideOf(node));
  }

  #weight(node: Address): number {
    return this.size(node) + 1;
  }

  // Building: everything made here is private -----------------------------------------------------------

  /** A new node for `build`; its caller writes all of it but LEFT, RIGHT and size. */
  allocate(): Address {
    return this.#takeNode();
  }

  /** A new node for the update under way; likewise. */
  create(): Address {
    const node = this.#spare.pop() ?? this.#takeNode();
    this.#fresh.add(node);
    return node;
  }

  /** `node` with these children: itself if it has them, or is fresh; else a copy. */
  #with(node: Address, left: Address, right: Address): Address {
    const memory = this.#memory;
    let result = node;
    if (!this.#fresh.has(node)) {
      if (this.child(node, LEFT) === left && this.child(node, RIGHT) === right) return node;
      result = this.create();
      memory.copy(result, node, this.#cache.objectWords);
      this.#replaced.push(node);
    }
    memory.write(field(result, this.#left), left);
    memory.write(field(result, this.#left + RIGHT), right);
    memory.write(this.#cache.sideOf(result), this.size(left) + this.size(right) + 1);
    return result;
  }

  /** `node` between two trees of which one may outweigh the other by what a single insertion or deletion did. */
  #balance(node: Address, left: Address, right: Address): Address {
    const weightLeft = this.#weight(left);
    const weightRight = this.#weight(right);
    if (DELTA * weightLeft < weightRight) {
      const inner = this.child(right, LEFT);
      const outer = this.child(right, RIGHT);
      if (this.#weight(inner) < GAMMA * this.#weight(outer)) return this.#with(right, this.#with(node, left, inner), outer);
      const innerLeft = this.child(inner, LEFT);
      const innerRight = this.child(inner, RIGHT);
      return this.#with(inner, this.#with(node, left, innerLeft), this.#with(right, innerRight, outer));
    }
    if (DELTA * weightRight < weightLeft) {
      const inner = this.child(left, RIGHT);
      const outer = this.child(left, LEFT);
      if (this.#weight(inner) < GAMMA * this.#weight(outer)) return this.#with(left, outer, this.#with(node, inner, right));
      const innerLeft = this.child(inner, LEFT);
      const innerRight = this.child(inner, RIGHT);
      return this.#with(inner, this.#with(left, outer, innerLeft), this.#with(node, innerRight, right));
    }
    return this.#with(node, left, right);
  }

  /** Whether one rotation brings these two, and what it moves, into balance. */
  #rotationSuffices(left: Address, right: Address): boolean {
    const rightHeavy = this.#weight(left) < this.#weight(right);
    const light = this.#weight(rightHeavy ? left : right);
    const heavy = rightHeavy ? right : left;
    const inner = this.child(heavy, rightHeavy ? LEFT : RIGHT);
    const outerWeight = this.#weight(this.child(heavy, rightHeavy ? RIGHT : LEFT));
    if (this.#weight(inner) < GAMMA * outerWeight) {
      return inBalance(light, this.#weight(inner)) && inBalance(light + this.#weight(inner), outerWeight);
    }
    const near = this.#weight(this.child(inner, rightHeavy ? LEFT : RIGHT));
    const far = this.#weight(this.child(inner, rightHeavy ? RIGHT : LEFT));
    return inBalance(light, near) && inBalance(far, outerWeight) && inBalance(light + near, far + outerWeight);
  }

  /** `node` between two balanced trees of any sizes, all of the left before it and all of the right after it. */
  link(node: Address, left: Address, right: Address): Address {
    if (DELTA * this.#weight(left) < this.#weight(right)) {
      return this.#balance(right, this.link(node, left, this.child(right, LEFT)), this.child(right, RIGHT));
    }
    if (DELTA * this.#weight(right) < this.#weight(left)) {
      return this.#balance(left, this.child(left, LEFT), this.link(node, this.child(left, RIGHT), right));
    }
    return this.#with(node, left, right);
  }

  /** Two balanced trees of any sizes, all of the left before the right. */
  glue(left: Address, right: Address): Address {
    if (left === NULL) return right;
    if (right === NULL) return left;
    if (DELTA * this.#weight(left) < this.#weight(right)) {
      return this.#balance(right, this.glue(left, this.child(right, LEFT)), this.child(right, RIGHT));
    }
    if (DELTA * this.#weight(right) < this.#weight(left)) {
      return this.#balance(left, this.child(left, LEFT), this.glue(this.child(left, RIGHT), right));
    }
    // The neighbour in order, from the larger side, becomes the root. The path to it is copied, for readers on
    // their way to it still need the old one.
    const side = this.size(left) > this.size(right) ? RIGHT : LEFT;
    const from = side === RIGHT ? left : right;
    let end = from;
    while (this.child(end, side) !== NULL) end = this.child(end, side);
    const rest = this.#withoutEnd(from, side);
    return side === RIGHT ? this.#balance(end, rest, right) : this.#balance(end, left, rest);
  }

  #withoutEnd(node: Address, side: Side): Address {
    const next = this.child(node, side);
    const other = this.child(node, side === LEFT ? RIGHT : LEFT);
    if (next === NULL) return other;
    const rest = this.#withoutEnd(next, side);
    return side === LEFT ? this.#balance(node, rest, other) : this.#balance(node, other, rest);
  }

  /**
   * The tree cut off at its end on `side`: of nodes in order, those that `isKept` refuses are a run at that end.
   * @param dropped told of each node that is cut off
   */
  trim(node: Address, side: Side, isKept: (node: Address) => boolean, dropped: (node: Address) => void): Address {
    if (node === NULL) return NULL;
    const inner = this.child(node, side);
    if (isKept(node)) {
      const rest = this.trim(inner, side, isKept, dropped);
      if (rest === inner) return node;
      const other = this.child(node, side === LEFT ? RIGHT : LEFT);
      return side === RIGHT ? this.link(node, other, rest) : this.link(node, rest, other);
    }
    this.#dropAll(inner, dropped);
    const kept = this.trim(this.child(node, side === LEFT ? RIGHT : LEFT), side, isKept, dropped);
    this.drop(node, dropped);
    return kept;
  }

  #dropAll(node: Address, dropped: (node: Address) => void): void {
    if (node === NULL) return;
    this.#dropAll(this.child(node, LEFT), dropped);
    this.#dropAll(this.child(node, RIGHT), dropped);
    this.drop(node, dropped);
  }

  /** Take a published node out of the tree that is being built. */
  drop(node: Address, dropped: (node: Address) => void): void {
    this.#replaced.push(node);
    dropped(node);
  }

  /**
   * Build a tree of `count` nodes as balanced as can be, and laid out for searching: the seven nodes of three levels are taken one
   * after the other, and so are those of each subtree below them, so that a search touches few lines (measured: 15 % faster than
   * with two levels, and 18 % than in depth-first order).
   * @param create makes the node of an index, in order; it may throw, and then what was made is freed
   */
  build(count: number, create: (index: number) => Address): Address {
    const made: Address[] = [];
    const make = (first: number, end: number): Span => {
      const node = first < end ? create((first + end) >>> 1) : NULL;
      if (node !== NULL) {
        made.push(node);
        this.#memory.write(this.#cache.sideOf(node), end - first);
      }
      return { node, first, end };
    };
    const makeBlock = (first: number, end: number): Address => {
      const root = make(first, end);
      let level = [root];
      for (let depth = 1; depth < BLOCK_LEVELS; depth++) level = level.flatMap((span) => this.#setChildren(span, make));
      for (const span of level) this.#setChildren(span, (from, to) => ({ node: makeBlock(from, to), first: from, end: to }));
      return root.node;
    };
    try {
      return makeBlock(0, count);
    } catch (error) {
      for (const node of made) this.#discard(node);
      throw error;
    }
  }

  #setChildren({ node, first, end }: Span, make: (first: number, end: number) => Span): Span[] {
    if (node === NULL) return [];
    const middle = (first + end) >>> 1;
    const children = [make(first, middle), make(middle + 1, end)] as const;
    this.#memory.write(field(node, this.#left), children[LEFT].node);
    this.#memory.write(field(node, this.#left + RIGHT), children[RIGHT].node);
    return [...children];
  }

  /** Put a built tree in the place of this one, by one store. Gives the nodes that were there, for the caller to retire. */
  replaceAll(root: Address): Address[] {
    const old = [...this.nodes()];
    this.#memory.store(this.#root, root); // commit
    return old;
  }

  // Publishing ------------------------------------------------------------------------------------------

  /**
   * Put `subtree` in the place that `path` and `sides` lead to from the root, and bring the tree into balance.
   * @param before size of what was there
   */
  replace(path: readonly Address[], sides: readonly Side[], subtree: Address, before: number): void {
    let subtreeBefore = before;
    let built = subtree;
    let depth = path.length - 1;
    // Parents that the new subtree unbalances are copied and rotated with it, still in private.
    for (; depth >= 0; depth--) {
      const parent = path[depth] as Address;
      const side = sides[depth] as Side;
      const left = side === LEFT ? built : this.child(parent, LEFT);
      const right = side === LEFT ? this.child(parent, RIGHT) : built;
      if (inBalance(this.#weight(left), this.#weight(right))) break;
      subtreeBefore = this.size(parent);
      built = this.#mend(parent, left, right);
    }
    const growth = this.size(built) - subtreeBefore;
    this.#keepSpares(path, sides, depth, growth);

    this.#publish(path, sides, depth, built); // commit: from here on nothing can fail
    this.#fresh.clear();

    for (; depth >= 0; depth--) {
      const node = path[depth] as Address;
      const left = this.child(node, LEFT);
      const right = this.child(node, RIGHT);
      this.#memory.write(this.#cache.sideOf(node), this.size(left) + this.size(right) + 1);
      if (inBalance(this.#weight(left), this.#weight(right))) continue;
      this.#publish(path, sides, depth - 1, this.#mend(node, left, right));
      this.#fresh.clear();
    }
    for (const spare of this.#spare.splice(0)) this.#discard(spare);
  }

  #mend(node: Address, left: Address, right: Address): Address {
    return this.#rotationSuffices(left, right) ? this.#balance(node, left, right) : this.link(node, left, right);
  }

  #publish(path: readonly Address[], sides: readonly Side[], depth: number, subtree: Address): void {
    const pointer = depth < 0 ? this.#root : field(path[depth] as Address, this.#left + (sides[depth] as Side));
    this.#memory.store(pointer, subtree); // pairs with the loads in Bounds.find
  }

  /** Have nodes in hand for all that the ancestors above `depth` will need once their subtree has grown. */
  #keepSpares(path: readonly Address[], sides: readonly Side[], depth: number, growth: number): void {
    let needed = 0;
    for (let i = depth - 1; i >= 0; i--) {
      const node = path[i] as Address;
      const side = sides[i] as Side;
      const grown = this.#weight(this.child(node, side)) + growth;
      const other = this.#weight(this.child(node, side === LEFT ? RIGHT : LEFT));
      if (inBalance(grown, other)) continue;
      // A change of one entry is mended by a rotation; a greater one may take a rotation at each level of `link`.
      needed += Math.abs(growth) <= 1 ? NODES_A_ROTATION : NODES_A_ROTATION * Math.ceil(2.41 * Math.log2(grown + other + 1));
    }
    while (this.#spare.length < needed) this.#spare.push(this.#takeNode());
  }

  /** After `replace`: the nodes that no pointer leads to any more, for the caller to retire. */
  takeReplaced(): Address[] {
    return this.#replaced.splice(0);
  }

  /** Nothing was published: free what was built and forget the rest. */
  rollBack(): void {
    for (const node of this.#fresh) this.#discard(node);
    for (const node of this.#spare.splice(0)) this.#discard(node);
    this.#fresh.clear();
    this.#replaced.length = 0;
  }

  // Recovery and checks -----------------------------------------------------------------------------------

  /** Every node, in order. */
  *nodes(): Generator<Address> {
    const stack: Address[] = [];
    let node = this.root;
    while (stack.length > 0 || node !== NULL) {
      for (; node !== NULL; node = this.child(node, LEFT)) stack.push(node);
      node = stack.pop() as Address;
      yield node;
      node = this.child(node, RIGHT);
    }
  }

  /** Put sizes and balance right, after a writer died. Entries stay as they are; each mend is one store. */
  repair(): void {
    const path: Address[] = [];
    const sides: Side[] = [];
    const visit = (node: Address): void => {
      if (node === NULL) return;
      path.push(node);
      for (const side of [LEFT, RIGHT] as const) {
        sides.push(side);
        visit(this.child(node, side));
        sides.pop();
      }
      path.pop();
      const left = this.child(node, LEFT);
      const right = this.child(node, RIGHT);
      this.#memory.write(this.#cache.sideOf(node), this.size(left) + this.size(right) + 1);
      if (inBalance(this.#weight(left), this.#weight(right))) return;
      this.#publish(path, sides, path.length - 1, this.#mend(node, left, right));
      this.#fresh.clear();
    };
    visit(this.root);
  }

  /** Violated invariants of sizes and balance. */
  check(): string[] {
    const violations: string[] = [];
    const visit = (node: Address): number => {
      if (node === NULL) return 0;
      const left = visit(this.child(node, LEFT));
      const right = visit(this.child(node, RIGHT));
      if (this.size(node) !== left + right + 1) violations.push(`bonsai: node ${node} has ${left + right + 1} nodes, its size says ${this.size(node)}`);
      if (!inBalance(left + 1, right + 1)) violations.push(`bonsai: node ${node} is out of balance (${left} and ${right})`);
      return left + right + 1;
    };
    visit(this.root);
    return violations;
  }

  /** Nodes on the longest path from the root. */
  height(): number {
    const visit = (node: Address): number => (node === NULL ? 0 : 1 + Math.max(visit(this.child(node, LEFT)), visit(this.child(node, RIGHT))));
    return visit(this.root);
  }
}
