/**
 * A queue that any thread puts into, at any place and without waiting, and that consumers take from in order, under a lock of their own: liburcu's wfcqueue
 * (urcu/wfcqueue.h: its calls, its states), by the way of the optimistic queue. How its nodes are linked: node-chain.ts.
 *
 * Why not as liburcu does it. There enqueue exchanges TAIL and then stores the link: two steps, and between them the chain has a gap, for which every consumer
 * waits. A JavaScript thread may be terminated there, and nobody could close the gap, since only the dead one knew what came before its node. Here the link is in
 * the node before anybody sees it: no gap, no waiting, nothing to recover, so each call is both liburcu's blocking and its nonblocking one. The prices:
 * enqueue is lock-free and not wait-free (it tries again when another thread's enqueue came between, and then that one is done), and a node has two words.
 *
 * Law table
 *   word                      class
 *   TAIL, HEAD, nodes         as in node-chain.ts, with LOCK
 *   LOCK                      atomic (robust mutex)
 *   PEER, CUT                 locked by LOCK
 *
 * Guarantees
 *   A  what was enqueued is dequeued once, and in the order in which enqueues took place.
 *   B  enqueue and empty never wait, and may be called anywhere: in sections, with spin locks. enqueue says truly whether the queue was empty.
 *   C  a node that was dequeued is touched by nobody else, and may be freed or enqueued again at once: no grace period is needed.
 *   D  a thread that dies has enqueued its node or has not; a consumer that dies holds up nobody: the next one turns the links anew. A node that it had taken,
 *      and nobody else knows of, is its own: what finds it is its tag (`heap.ownedBy`), once a look at the queue under the lock shows that it is not there.
 *   E  splice moves all or none, whenever it is killed: while it is under way the two queues know of each other, and who comes next ends it with both locks.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import { QuiesceError } from "../../memory/errors.js";
import type { Memory } from "../../memory/memory.js";
import { RobustMutex } from "../../memory/robust-mutex.js";
import type { Domain } from "../../rcu/domain.js";
import { ContextError } from "../../rcu/errors.js";
import { type Dequeued, formatChain, NodeChain, WFC_NODE_WORDS } from "./node-chain.js";

/** Bytes of a queue. */
export const WFC_QUEUE_BYTES = 192;
/** Words of a queue: what enqueuers write, what consumers wait for, and what consumers write stand on lines of their own. */
const Word = {
  TAIL: 0,
  LOCK: 16,
  /** The node that stands before the oldest. */
  HEAD: 32,
  /** The queue that a splice is under way with, from or to. */
  PEER: 34,
  /** Of a queue that is spliced from: the newest node of what is moved; 0 in the other. */
  CUT: 35,
} as const;

/** What a splice found. */
export type SpliceResult = "src-empty" | "dest-empty" | "dest-non-empty";

/** Make a queue of `WFC_QUEUE_BYTES` at an address. Before anybody else knows of it. */
export function formatWfcQueue(memory: Memory, address: Address): void {
  memory.fill(address, WFC_QUEUE_BYTES / 4, 0);
  memory.store(field(address, Word.LOCK), 0);
  formatChain(memory, field(address, Word.TAIL), field(address, Word.HEAD));
}

/** One thread's view of a queue. */
export class WfcQueue {
  readonly address: Address;
  readonly #domain: Domain;
  readonly #memory: Memory;
  readonly #chain: NodeChain;
  readonly #lock: RobustMutex;
  /** Whether `dequeueLock` was called: calls need not take the lock. */
  #locked = false;
  /** Whether a call under `dequeueLock` was cut off: the links may be as a dead owner leaves them. */
  #torn = false;

  /** @param address of a queue that `formatWfcQueue` or `create` has made */
  constructor(domain: Domain, address: Address) {
    const { memory, heap } = domain.arena;
    this.address = address;
    this.#domain = domain;
    this.#memory = memory;
    this.#chain = new NodeChain(memory, field(address, Word.TAIL), field(address, Word.HEAD));
    this.#lock = new RobustMutex(memory, field(address, Word.LOCK), heap.slot);
  }

  /**
   * A new queue, in memory of its own; other threads open it by its `address`.
   * @param tag whom the memory belongs to, as of kmalloc
   * @throws OutOfMemoryError
   */
  static create(domain: Domain, tag?: number): WfcQueue {
    const { memory, heap } = domain.arena;
    const address = domain.allocate(WFC_QUEUE_BYTES, () => heap.kmalloc(WFC_QUEUE_BYTES, tag));
    formatWfcQueue(memory, address);
    return new WfcQueue(domain, address);
  }

  /** Set a node to what its codec writes (values/queue-nodes.ts). enqueue needs it not. */
  nodeInit(node: Address): void {
    this.#memory.fill(node, WFC_NODE_WORDS, 0);
  }

  // Anywhere -----------------------------------------------------------------------------------------

  /** Whether there is no node. */
  empty(): boolean {
    return this.#chain.isEmpty();
  }

  /**
   * Put a node at the end. It must be in no queue: what this cannot see.
   * @returns whether there were nodes before it (as liburcu: false says that it is the first, so that a consumer may have to be woken)
   */
  enqueue(node: Address): boolean {
    return this.#chain.append(node, node);
  }

  // Consumers ----------------------------------------------------------------------------------------

  /**
   * Take the consumers' lock; then all calls of this view use it, until `dequeueUnlock`.
   * @throws ContextError (in a section, with a spin lock), DeadlockError, LockTimeoutError, ClosedError
   */
  dequeueLock(timeout?: number): void {
    this.#domain.beforeUpdate("WfcQueue.dequeueLock()");
    this.#lockWhole(timeout);
    this.#locked = true;
  }

  /** @throws QuiesceError (ERR_NOT_OWNER) */
  dequeueUnlock(): void {
    this.#lock.unlock(this.#torn);
    this.#locked = false;
    this.#torn = false;
  }

  /**
   * Take the oldest node; NULL when there is none.
   * @throws as `dequeueLock`, unless it is held
   */
  dequeue(): Address {
    return this.#withLock("dequeue()", () => this.#chain.take()).node;
  }

  /** As `dequeue`, and says whether the node was the last. */
  dequeueWithState(): Dequeued {
    return this.#withLock("dequeueWithState()", () => this.#chain.take());
  }

  /**
   * Take all nodes of another queue, and put them at this one's end, in their order. Threads may go on enqueuing to both.
   * @throws as `dequeueLock`: it takes both consumers' locks. ContextError (ERR_LOCK_HELD) when this thread has one of them; QuiesceError (ERR_SAME_QUEUE)
   */
  splice(src: WfcQueue): SpliceResult {
    if (src.address === this.address) throw new QuiesceError("ERR_SAME_QUEUE", `the queue at ${this.address} cannot be spliced to itself.`);
    if (this.#locked || src.#locked)
      throw new ContextError("ERR_LOCK_HELD", "splice() takes the locks of both queues, in its own order: dequeueUnlock() first.");
    this.#domain.beforeUpdate("WfcQueue.splice()");
    if (src.empty()) return "src-empty";
    const [first, second] = this.address < src.address ? [this, src] : [src, this]; // one order for all
    for (;;) {
      let peer: Address = NULL;
      const result = first.#underLock(() => {
        peer = second.#lockUnlessTorn();
        return peer === NULL ? second.#thenUnlock(() => this.#spliceFrom(src)) : undefined;
      });
      if (result !== undefined) return result;
      WfcQueue.#settle(this.#domain, second.address, peer); // without a lock: it takes those of both in the order of all, and one may be `first`'s
    }
  }

  #spliceFrom(src: WfcQueue): SpliceResult {
    const memory = this.#memory;
    src.#chain.turn(); // so that its oldest node is known
    const first = src.#chain.first();
    if (first === NULL) return "src-empty";
    memory.write(this.#peer, src.address);
    let last: Address;
    for (;;) {
      last = src.#chain.newest();
      memory.write(src.#cut, last);
      memory.write(src.#peer, this.address);
      if (src.#chain.takeAll(last)) break; // from here on they are this queue's
    }
    const wasNonEmpty = this.#chain.append(first, last);
    src.#chain.reset();
    this.#forgetSplice(src);
    return wasNonEmpty ? "dest-non-empty" : "dest-empty";
  }

  /**
   * The oldest node, to go on from with `next`; NULL when there is none. With `dequeueLock`.
   * @throws ContextError (ERR_LOCK_NOT_HELD)
   */
  first(): Address {
    this.#mustBeLocked("first()");
    return this.#whileLocked(() => this.#chain.oldest());
  }

  /**
   * The node after one that is in the queue; NULL after the last. With `dequeueLock`.
   * @throws ContextError (ERR_LOCK_NOT_HELD)
   */
  next(node: Address): Address {
    this.#mustBeLocked("next()");
    return this.#whileLocked(() => this.#chain.after(node));
  }

  /** Call `fn` with each node, oldest first, also with those that are enqueued meanwhile; nobody dequeues meanwhile. */
  forEach(fn: (node: Address) => void): void {
    this.#withLock("forEach()", () => {
      for (let node = this.#chain.oldest(); node !== NULL; node = this.#chain.after(node)) fn(node);
    });
  }

  get #peer(): Address {
    return field(this.address, Word.PEER);
  }

  get #cut(): Address {
    return field(this.address, Word.CUT);
  }

  #mustBeLocked(operation: string): void {
    if (!this.#locked)
      throw new ContextError("ERR_LOCK_NOT_HELD", `${operation} of the queue at ${this.address} without its lock: call dequeueLock() first, or use forEach().`);
  }

  #withLock<T>(operation: string, fn: () => T): T {
    if (this.#locked) return this.#whileLocked(fn);
    this.#domain.beforeUpdate(`WfcQueue.${operation}`);
    return this.#underLock(fn);
  }

  /** With `dequeueLock`. What throws is no reason to give up the caller's lock, but the links may be torn: they are mended before the next call, or by the next owner. */
  #whileLocked<T>(fn: () => T): T {
    if (this.#torn) this.#mend();
    this.#torn = false;
    try {
      return fn();
    } catch (error) {
      if (!(error instanceof QuiesceError)) this.#torn = true; // a refusal has changed nothing
      throw error;
    }
  }

  #underLock<T>(fn: () => T): T {
    this.#lockWhole();
    return this.#thenUnlock(fn);
  }

  /** With the lock, which is let go then. */
  #thenUnlock<T>(fn: () => T): T {
    let failed = true;
    try {
      const result = fn();
      failed = false;
      return result;
    } finally {
      this.#lock.unlock(failed); // what threw may be a stack that overflowed anywhere: the next owner looks at the links
    }
  }

  // Recovery and checks --------------------------------------------------------------------------------

  /** Take the lock, and make good what a dead owner left. With no other queue's lock. */
  #lockWhole(timeout?: number): void {
    for (let peer = this.#lockUnlessTorn(timeout); peer !== NULL; peer = this.#lockUnlessTorn(timeout)) {
      WfcQueue.#settle(this.#domain, this.address, peer, timeout);
    }
  }

  /**
   * Take the lock, and mend the links if its owner died.
   * @returns NULL; or, without the lock, the other queue of a splice in which the owner died: what is where can be told only with both locks, taken in the order of all
   */
  #lockUnlessTorn(timeout?: number): Address {
    if (!this.#lock.lock(timeout)) return NULL;
    const peer = this.#memory.read(this.#peer) as Address;
    if (peer === NULL) this.#mendOrTell();
    else this.#lock.unlock(true);
    return peer;
  }

  #mendOrTell(): void {
    let mended = false;
    try {
      this.#mend();
      mended = true;
    } finally {
      if (!mended) this.#lock.unlock(true);
    }
  }

  /** With the lock, whose owner died: bring HEAD into line with TAIL. May be repeated. */
  #mend(): void {
    this.#chain.mend();
    this.#memory.write(this.#cut, 0); // of a splice that did not come to begin
  }

  /** End the splice between two queues in which their locks' owner died; or find that somebody has. */
  static #settle(domain: Domain, one: Address, other: Address, timeout?: number): void {
    const [first, second] = (one < other ? [one, other] : [other, one]).map((address) => new WfcQueue(domain, address)) as [WfcQueue, WfcQueue];
    first.#underTornLock(timeout, () =>
      second.#underTornLock(timeout, () => {
        if (first.#isDestOf(second)) first.#settleFrom(second);
        else if (second.#isDestOf(first)) second.#settleFrom(first);
      }),
    );
  }

  /** Run `settle` with the lock. If the last owner died, mend the links then, unless the queue is in a splice with yet another one. */
  #underTornLock(timeout: number | undefined, settle: () => void): void {
    let told = this.#lock.lock(timeout);
    try {
      settle();
      if (told && this.#memory.read(this.#peer) === 0) {
        this.#mend();
        told = false;
      }
    } finally {
      this.#lock.unlock(told);
    }
  }

  /** Whether either of the two says so: what one says is always settled, so that who waits for it comes on. */
  #isDestOf(src: WfcQueue): boolean {
    const memory = this.#memory;
    if (memory.read(src.#peer) === this.address && memory.read(src.#cut) !== 0) return true;
    return memory.read(this.#peer) === src.address && memory.read(this.#cut) === 0;
  }

  /** With both locks: a splice from `src` to here was cut off. Back to before it, or on to its end. */
  #settleFrom(src: WfcQueue): void {
    const memory = this.#memory;
    const last = memory.read(src.#cut) as Address;
    if (memory.read(src.#peer) !== this.address) {
      memory.write(this.#peer, 0); // it did not begin, or was over
    } else if (src.#chain.reaches(last)) {
      this.#forgetSplice(src);
    } else {
      // They have left the source, and nobody could take from here since.
      if (!this.#chain.reachesUnturned(last)) this.#chain.append(src.#chain.first(), last);
      src.#chain.reset();
      this.#forgetSplice(src);
    }
  }

  /** The source's PEER is the truth, so it goes first. */
  #forgetSplice(src: WfcQueue): void {
    this.#memory.write(src.#peer, 0);
    this.#memory.write(src.#cut, 0);
    this.#memory.write(this.#peer, 0);
  }

  /** Violated invariants. Takes the consumers' lock. */
  check(): string[] {
    return this.#withLock("check()", () => this.#check());
  }

  #check(): string[] {
    const memory = this.#memory;
    const violations: string[] = [];
    const say = (violation: string): void => {
      violations.push(`queue ${this.address}: ${violation}`);
    };
    if (memory.read(this.#peer) !== 0 || memory.read(this.#cut) !== 0) say("a splice is under way, and this thread holds the lock");
    violations.push(...this.#chain.check(`queue ${this.address}`));
    return violations;
  }
}
