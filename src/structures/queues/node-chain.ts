/**
 * The nodes of a queue: put in at the end by any thread and without waiting, taken from in order by one at a time. The way of the optimistic queue (Ladan-Mozes and Shavit, "An
 * Optimistic Approach to Lock-Free FIFO Queues", DISC 2004), whose links lead backwards when they are made, and are turned by who needs them.
 *
 *            +--------------------------------------------- TAIL
 *            v
 *   HEAD     e --PREV--> d --PREV--> c <==> b <==> a <==> HEAD         a, the oldest, is taken next
 *   |  |                             ^             ^
 *   |  +--PREV (newest turned)-------+             |
 *   +-----NEXT (oldest)----------------------------+                   TAIL = HEAD: empty
 *
 * append(f)    f.PREV = TAIL; compareExchange(TAIL, f.PREV, f): this is all of it.
 * turn         a consumer walks from TAIL back to the newest turned node, and writes NEXT on its way.
 * take         takes HEAD.NEXT. The last node leaves by compareExchange(TAIL, it, HEAD); when that fails there is a newer one, and the rest is turned.
 *
 * Law table
 *   word                      class
 *   TAIL                      atomic
 *   HEAD                      locked by the consumers' lock, which is the queue's (wfcqueue.ts)
 *   a node's two words        private until it is appended, then locked by that lock, and private to who took it
 *   (append writes a node's PREV before the compareExchange that publishes it; consumers reach it through TAIL)
 *
 * Guarantees
 *   A  what was appended is taken once, and in the order in which appends took place.
 *   B  append and isEmpty never wait.
 *   C  who dies has appended its nodes or has not. After a consumer that died anywhere, `mend` brings HEAD into line with TAIL, and loses and repeats nothing.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";

/** Words of a node. */
export const WFC_NODE_WORDS = 2;

/** HEAD has these, too: the newest node that is turned, and the oldest. */
const NodeWord = { PREV: 0, NEXT: 1 } as const;

/** What dequeueWithState gives. */
export interface Dequeued {
  /** NULL when the queue is empty. */
  readonly node: Address;
  /** Whether it was the last one: the queue was empty right after. */
  readonly last: boolean;
}

/** Make a chain without nodes. Before anybody else knows of it. */
export function formatChain(memory: Memory, tail: Address, head: Address): void {
  memory.write(field(head, NodeWord.PREV), head);
  memory.store(tail, head);
}

/** One thread's view of the nodes of a queue. */
export class NodeChain {
  readonly #memory: Memory;
  readonly #tail: Address;
  readonly #head: Address;

  /** @param head where the words are of the node that stands before the oldest */
  constructor(memory: Memory, tail: Address, head: Address) {
    this.#memory = memory;
    this.#tail = tail;
    this.#head = head;
  }

  // Anywhere -----------------------------------------------------------------------------------------

  /** Whether there is no node. */
  isEmpty(): boolean {
    return this.#memory.load(this.#tail) === this.#head;
  }

  /**
   * Put nodes at the end, linked backwards from `newest` to `oldest`.
   * @returns whether there were nodes before them
   */
  append(oldest: Address, newest: Address): boolean {
    const memory = this.#memory;
    for (let seen = memory.load(this.#tail) as Address; ; ) {
      memory.write(field(oldest, NodeWord.PREV), seen);
      const found = memory.compareExchange(this.#tail, seen, newest) as Address; // commit
      if (found === seen) return seen !== this.#head;
      seen = found;
    }
  }

  // With the consumers' lock ---------------------------------------------------------------------------

  /** The oldest node; NULL when there is none. */
  oldest(): Address {
    const first = this.first();
    if (first !== NULL) return first;
    this.turn();
    return this.first();
  }

  /** The node after one that is in the chain; NULL after the last. */
  after(node: Address): Address {
    const memory = this.#memory;
    if (node === memory.read(field(this.#head, NodeWord.PREV)) && !this.turn()) return NULL;
    return memory.read(field(node, NodeWord.NEXT)) as Address;
  }

  /** As `oldest`, of those that are turned. */
  first(): Address {
    return this.#memory.read(field(this.#head, NodeWord.NEXT)) as Address;
  }

  /** Take the oldest node out. */
  take(): Dequeued {
    const memory = this.#memory;
    const node = this.oldest();
    if (node === NULL) return { node, last: false };
    if (node === memory.read(field(this.#head, NodeWord.PREV))) {
      if (memory.compareExchange(this.#tail, node, this.#head) === node) {
        this.reset();
        return { node, last: true };
      }
      this.turn();
    }
    memory.write(field(this.#head, NodeWord.NEXT), memory.read(field(node, NodeWord.NEXT)));
    return { node, last: false };
  }

  /** Note that all nodes that were turned have left. */
  reset(): void {
    const memory = this.#memory;
    memory.write(field(this.#head, NodeWord.NEXT), NULL);
    memory.write(field(this.#head, NodeWord.PREV), this.#head);
  }

  /** Link forwards what came since the last time. May be repeated. Gives whether anything had come. */
  turn(): boolean {
    const memory = this.#memory;
    const turned = memory.read(field(this.#head, NodeWord.PREV)) as Address;
    const newest = memory.load(this.#tail) as Address;
    if (newest === turned) return false;
    let newer = NULL;
    for (let node = newest; node !== turned; node = memory.read(field(node, NodeWord.PREV)) as Address) {
      memory.write(field(node, NodeWord.NEXT), newer);
      newer = node;
    }
    memory.write(field(turned, NodeWord.NEXT), newer);
    memory.write(field(this.#head, NodeWord.PREV), newest);
    return true;
  }

  /** The newest node of all, turned or not; HEAD when there is none. */
  newest(): Address {
    return this.#memory.load(this.#tail) as Address;
  }

  /** Take all nodes out, if `last` still is the newest: then they are a chain of their own. */
  takeAll(last: Address): boolean {
    return this.#memory.compareExchange(this.#tail, last, this.#head) === last;
  }

  /** After a consumer's death: bring HEAD into line with TAIL. May be repeated. */
  mend(): void {
    // The last node left, and HEAD was not told: then the chain ends at HEAD, and not at what HEAD takes for the newest that is turned.
    if (!this.reaches(this.#memory.read(field(this.#head, NodeWord.PREV)) as Address)) this.reset();
    this.turn();
  }

  /** Whether the way back from TAIL comes by a node, before it comes to HEAD. */
  reaches(node: Address): boolean {
    let at = this.#memory.load(this.#tail) as Address;
    while (at !== node && at !== this.#head) at = this.#memory.read(field(at, NodeWord.PREV)) as Address;
    return at === node;
  }

  /** Whether a node is among those not turned yet. */
  reachesUnturned(node: Address): boolean {
    const memory = this.#memory;
    const turned = memory.read(field(this.#head, NodeWord.PREV));
    let at = memory.load(this.#tail) as Address;
    while (at !== node && at !== turned && at !== this.#head) at = memory.read(field(at, NodeWord.PREV)) as Address;
    return at === node && at !== turned;
  }

  /** Violated invariants, each told of `name`. */
  check(name: string): string[] {
    const memory = this.#memory;
    const violations: string[] = [];
    const say = (violation: string): void => {
      violations.push(`${name}: ${violation}`);
    };
    this.turn();
    const seen = new Set<Address>();
    let before = this.#head;
    for (let node = this.first(); node !== NULL; before = node, node = memory.read(field(node, NodeWord.NEXT)) as Address) {
      if (seen.has(node)) {
        say(`node ${node} is reached twice`);
        return violations;
      }
      seen.add(node);
      if (before !== this.#head && memory.read(field(node, NodeWord.PREV)) !== before) say(`node ${node} does not lead back to ${before}`);
    }
    if (memory.read(field(this.#head, NodeWord.PREV)) !== before) say("the newest node that is turned is not the last in the chain");
    return violations;
  }
}
