/**
 * Torture of the queues and stacks: what was put in comes out once, of a queue in the order of each producer, whoever dies on the way.
 *
 *   queues   two; from the first all is moved to the second now and then
 *   stacks   one whose takers are in sections, and retire what they took; one whose takers have a lock, and put nodes in again at once
 *
 *   own words   LAST: by queue, the queue it was put into, and producer, the number taken last with the consumers' lock | HANDS: by life, what it is about to take, and the chain it has | items
 *   node        the structure's two words | ITEM | PRODUCER | NUMBER | WHERE | CHECK
 */

import type { Shared } from "../../src/index.js";
import { type Address, field, NULL } from "../../src/memory/address.js";
import { LfStack } from "../../src/structures/queues/lfstack.js";
import { WFC_NODE_WORDS } from "../../src/structures/queues/node-chain.js";
import { WfcQueue } from "../../src/structures/queues/wfcqueue.js";
import { checkOf } from "../support/seed.js";
import { ItemState, Items } from "./items.js";
import type { Stage } from "./stage.js";
import type { ErrorKind } from "./tally.js";
import { Step, type Thread } from "./thread.js";
import { type Work, workOf } from "./work.js";

const NodeWord = {
  ITEM: WFC_NODE_WORDS,
  PRODUCER: WFC_NODE_WORDS + 1,
  NUMBER: WFC_NODE_WORDS + 2,
  WHERE: WFC_NODE_WORDS + 3,
  CHECK: WFC_NODE_WORDS + 4,
} as const;
const NODE_BYTES = 4 * (NodeWord.CHECK + 1);
/** Of all nodes: whoever dies, they belong to the structures. */
const TAG = 6;

/** Structures by number: two queues, two stacks. */
const QUEUES = 2;
const BY_SECTION = 2;
const BY_LOCK = 3;
const ALL = 4;

/** Lives that there is room for. */
const MOST_LIVES = 16_384;
const AT = 0; // addresses of the structures
const LAST = AT + ALL;
const HANDS = LAST + QUEUES * QUEUES * MOST_LIVES;
const ITEMS = HANDS + 2 * MOST_LIVES;

/** What a life is about to take. */
const Taking = { NOTHING: 0, ONE: 1, ALL: 2 } as const;

interface Node {
  readonly item: number;
  readonly producer: number;
  /** Of the items of its producer. */
  readonly number: number;
  /** The structure it was put into. */
  readonly where: number;
}

/** What main and the threads have in common. */
class Bench {
  readonly queues: readonly [WfcQueue, WfcQueue];
  readonly stacks: readonly [LfStack, LfStack];
  readonly items: Items;
  readonly words: Int32Array;
  readonly #shared: Shared;

  constructor(shared: Shared, own: SharedArrayBuffer) {
    this.#shared = shared;
    this.words = new Int32Array(own);
    this.items = new Items(own, ITEMS);
    const at = (which: number): Address => Atomics.load(this.words, AT + which) as Address;
    this.queues = [new WfcQueue(shared.domain, at(0)), new WfcQueue(shared.domain, at(1))];
    this.stacks = [new LfStack(shared.domain, at(BY_SECTION)), new LfStack(shared.domain, at(BY_LOCK))];
  }

  write(node: Address, { item, producer, number, where }: Node): void {
    const { memory } = this.#shared.domain.arena;
    const words = [item, producer, number, where, checkOf(item ^ checkOf(producer ^ checkOf(number ^ where))) | 0];
    for (const [i, word] of words.entries()) memory.write(field(node, NodeWord.ITEM + i), word);
  }

  /** What a node holds, and whether it was written so. */
  read(node: Address, fail: (kind: ErrorKind, what: string) => void): Node {
    const { memory } = this.#shared.domain.arena;
    const [item = 0, producer = 0, number = 0, where = 0, check = 0] = Array.from({ length: 5 }, (_, i) => memory.read(field(node, NodeWord.ITEM + i)));
    if ((checkOf(item ^ checkOf(producer ^ checkOf(number ^ where))) | 0) !== check)
      fail("torn", `the node ${node} holds ${[item, producer, number, where, check]}`);
    return { item, producer, number, where };
  }

  /** What is in a structure, nobody taking from it. */
  nodesIn(which: number): Address[] {
    const nodes: Address[] = [];
    const see = (node: Address): void => {
      if (nodes.push(node) > this.items.count) throw new Error(`the structure ${which} goes round`);
    };
    const stack = this.stacks[which - QUEUES];
    if (stack === undefined) this.queues[which]?.forEach(see);
    else stack.forEach(stack.popAllBlocking(), see);
    return nodes;
  }
}

class Worker {
  readonly #t: Thread;
  #bench: Bench;
  #number = 0;
  /** What this thread took last, by where from, where it was put into, and producer. */
  readonly #taken = new Map<string, number>();

  constructor(thread: Thread) {
    this.#t = thread;
    this.#bench = thread.opened(this.#open);
  }

  readonly #open = (shared: Shared): Bench => new Bench(shared, this.#t.job.own);

  readonly #fail = (kind: ErrorKind, what: string): void => this.#t.fail(kind, what);

  /** All of a queue, from its oldest, in order; nobody takes from it meanwhile. */
  read(): void {
    const t = this.#t;
    this.#bench = t.opened(this.#open);
    const which = t.random.below(QUEUES);
    t.counts.reads++;
    t.begin(`a look at queue ${which}`);
    const queue = this.#bench.queues[which] as WfcQueue;
    if (!t.oneIn(10)) {
      queue.empty();
      return;
    }
    if (t.oneIn(10)) this.#section();
    const last = new Map<string, number>();
    queue.forEach((node) => {
      const { item, producer, number, where } = this.#bench.read(node, this.#fail);
      if ((this.#bench.items.state(item) & ItemState.OUT) !== 0) t.fail("twice", `item ${item} is in queue ${which}, and was taken`);
      this.#inOrder(last, `${where} ${producer}`, number, `queue ${which}`);
    });
  }

  /** No node that the stack by sections shows in a section is used again in it. */
  #section(): void {
    const t = this.#t;
    t.begin("a section of some ms");
    t.domain.read(() => {
      const cookie = t.checkedCookie();
      const ends = performance.now() + t.random.below(3);
      while (performance.now() < ends);
      cookie.notYet();
    });
  }

  #inOrder(last: Map<string, number>, of: string, number: number, what: string): void {
    const before = last.get(of) ?? Number.NEGATIVE_INFINITY;
    if (number <= before) this.#t.fail("order", `${what}: number ${number} of producer ${of} after ${before}`);
    last.set(of, number);
  }

  update(): void {
    const t = this.#t;
    const { random } = t;
    this.#bench = t.opened(this.#open);
    if (t.job.life >= MOST_LIVES) return;
    t.self.step(Step.UPDATE);
    t.counts.updates++;
    const which = random.below(ALL);
    t.begin(`a turn at structure ${which}`);
    if (t.oneIn(2)) for (let i = random.from(1, 6); i > 0; i--) this.#put(which);
    else if (which === 0 && t.oneIn(6)) this.#bench.queues[1].splice(this.#bench.queues[0]);
    else if (which < QUEUES) this.#takeFromQueue(which);
    else if (t.oneIn(8)) this.#takeAll(which);
    else this.#takeFromStack(which);
    t.self.step(Step.TURN);
  }

  #put(which: number, again?: Address): void {
    const t = this.#t;
    const node = again ?? t.heap.kmalloc(NODE_BYTES, TAG);
    if (node === NULL) return;
    const { items, queues, stacks } = this.#bench;
    const item = items.next();
    if (item === 0) {
      t.heap.kfree(node);
      return;
    }
    this.#bench.write(node, { item, producer: t.job.life, number: ++this.#number, where: which });
    if (which < QUEUES) queues[which]?.enqueue(node);
    else stacks[which - QUEUES]?.push(node);
    items.say(item, ItemState.IN);
  }

  #hand(taking: number, chain = 0): void {
    const at = HANDS + 2 * this.#t.job.life;
    Atomics.store(this.#bench.words, at + 1, chain);
    Atomics.store(this.#bench.words, at, taking);
  }

  /** A node was taken: count it, see to it that it is whole. */
  #out(node: Address, from: number): Node {
    const t = this.#t;
    const held = this.#bench.read(node, this.#fail);
    const { item, producer } = held;
    const state = this.#bench.items.say(item, ItemState.OUT);
    if ((state & ItemState.OUT) !== 0) t.fail("twice", `item ${item} of producer ${producer} was taken twice, now from structure ${from}`);
    if ((state & ItemState.PUTTING) === 0) t.fail("torn", `item ${item} of producer ${producer} was never put in`);
    return held;
  }

  #takeFromQueue(which: number): void {
    const t = this.#t;
    const queue = this.#bench.queues[which] as WfcQueue;
    const locked = t.oneIn(2);
    const taken: Address[] = [];
    if (locked) queue.dequeueLock();
    for (let i = t.random.from(1, 8); i > 0; i--) {
      this.#hand(Taking.ONE);
      const node = queue.dequeue();
      if (node !== NULL) {
        this.#hand(Taking.ONE, node);
        const { producer, number, where } = this.#out(node, which);
        this.#inOrder(this.#taken, `${which} ${where} ${producer}`, number, `taken from queue ${which}`);
        if (locked) this.#lastTaken(which, where, producer, number);
        taken.push(node);
      }
      this.#hand(Taking.NOTHING);
    }
    if (locked) queue.dequeueUnlock();
    for (const node of taken) {
      if (t.oneIn(2)) this.#put(which, node);
      else t.heap.kfree(node);
    }
  }

  /** With the consumers' lock: nobody has taken a newer one before. */
  #lastTaken(which: number, where: number, producer: number, number: number): void {
    const at = LAST + (which * QUEUES + where) * MOST_LIVES + (producer % MOST_LIVES);
    const before = Atomics.exchange(this.#bench.words, at, number);
    if (number <= before) this.#t.fail("order", `number ${number} of producer ${producer} left queue ${which} after ${before}`);
  }

  #takeFromStack(which: number): void {
    const t = this.#t;
    const stack = this.#bench.stacks[which - QUEUES] as LfStack;
    const nodes: Address[] = [];
    for (let i = t.random.from(1, 8); i > 0; i--) {
      this.#hand(Taking.ONE);
      const node = which === BY_SECTION ? t.domain.read(() => stack.popInSection()) : stack.popBlocking();
      this.#hand(Taking.ONE, node);
      if (node !== NULL) this.#out(node, which);
      this.#hand(Taking.NOTHING);
      if (node !== NULL) nodes.push(node);
    }
    // The first one taken may come back alone, or last: to others that saw it on top all looks as it was, and what is below has changed (ABA).
    if (t.oneIn(2)) nodes.reverse();
    for (const node of nodes) this.#giveUp(node, which);
  }

  #giveUp(node: Address, which: number): void {
    const t = this.#t;
    if (which === BY_SECTION) t.domain.retire(node);
    else if (t.oneIn(2)) this.#put(which, node);
    else t.heap.kfree(node);
  }

  /** A whole stack: of each producer the newest comes first. */
  #takeAll(which: number): void {
    const stack = this.#bench.stacks[which - QUEUES] as LfStack;
    this.#hand(Taking.ALL);
    const chain = which === BY_SECTION ? stack.popAll() : stack.popAllBlocking();
    this.#hand(Taking.ALL, chain);
    const nodes: Address[] = [];
    const last = new Map<string, number>();
    stack.forEach(chain, (node) => {
      const { producer, number } = this.#out(node, which);
      this.#inOrder(last, `${producer}`, -number, `the stack ${which}, from its newest`);
      nodes.push(node);
    });
    this.#hand(Taking.NOTHING);
    for (const node of nodes) this.#giveUp(node, which);
  }
}

/** Main's part. */
export const queues: Stage = {
  open(shared, own) {
    const words = new Int32Array(own);
    if (Atomics.load(words, AT) === 0) {
      const { domain } = shared;
      for (let i = 0; i < QUEUES; i++) Atomics.store(words, AT + i, WfcQueue.create(domain).address);
      for (let i = QUEUES; i < ALL; i++) Atomics.store(words, AT + i, LfStack.create(domain).address);
    }
    return [];
  },
  fill: () => {},
  judge(shared, own, _kills, fail) {
    const { heap } = shared.domain.arena;
    const bench = new Bench(shared, own);
    const { items, words } = bench;
    const there = new Set<number>();
    for (let which = 0; which < ALL; which++) {
      for (const violation of which < QUEUES ? (bench.queues[which] as WfcQueue).check() : []) fail("torn", violation);
      for (const node of bench.nodesIn(which)) {
        const { item } = bench.read(node, fail);
        if (there.has(item) || (items.state(item) & ItemState.OUT) !== 0) fail("twice", `item ${item} is in structure ${which}, and elsewhere, or was taken`);
        there.add(item);
      }
    }
    // What the dead had in their hands: a node or a chain, or, of those who died in the taking, one that they did not come to write down, or as many as there were.
    let inHand = 0;
    for (let life = 0; life < MOST_LIVES; life++) {
      const taking = Atomics.load(words, HANDS + 2 * life);
      const chain = Atomics.load(words, HANDS + 2 * life + 1) as Address;
      if (taking === Taking.NOTHING) continue;
      if (chain === NULL) inHand += taking === Taking.ONE ? 1 : Number.POSITIVE_INFINITY;
      else if (taking === Taking.ONE) there.add(bench.read(chain, fail).item);
      else bench.stacks[0].forEach(chain, (node) => there.add(bench.read(node, fail).item));
    }
    const live = new Set(heap.ownedBy(TAG).map((node) => bench.read(node, () => {}).item));
    for (let item = 1; item <= items.count; item++) {
      const state = items.state(item);
      if (there.has(item) || (state & (ItemState.IN | ItemState.OUT)) !== ItemState.IN) continue;
      if (inHand-- <= 0) fail("lost", `item ${item} was put in, is in no structure, and nobody has taken it`);
      else if (!live.has(item)) fail("lost", `item ${item} was put in, and its node is nowhere`);
    }
    for (const node of heap.ownedBy(TAG)) heap.kfree(node);
  },
};

/** A thread's. */
export function workOnQueues(thread: Thread): Work {
  const worker = new Worker(thread);
  return workOf(thread, { read: () => worker.read(), update: () => worker.update() });
}
