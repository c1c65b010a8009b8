/**
 * A stack that any thread pushes on, at any place and without a lock: liburcu's lfstack (urcu/lfstack.h; Treiber, "Systems Programming: Coping with Parallelism",
 * IBM RJ 5118, 1986).
 *
 *   TOP --> c --> b --> a --> 0        push: n.NEXT = TOP; compareExchange(TOP, n.NEXT, n)        popAll: exchange(TOP, 0)
 *
 * Only pop is dangerous, by ABA: it reads c.NEXT = b, others pop c and b and push c again, and its compareExchange(TOP, c, b) puts b back, which is somebody's by
 * now. As in liburcu there are two ways out, and all who take from one stack use the same:
 *
 *   by lock     `popBlocking`, `popAllBlocking`: who takes keeps other takers out, so that nobody pops c meanwhile. Nodes may be used again at once.
 *   by RCU      `popInSection`, and `popAll` beside it: in a section, and who has popped a node gives it up by `domain.retire` or `call`, or waits for a grace period before it
 *               pushes it again. So c cannot come back while a section that saw it lasts.
 *   (`popAll` alone, with no pop at all, needs neither: it looks at no node.)
 *
 * Law table
 *   word     class
 *   TOP      atomic
 *   LOCK     atomic (robust mutex); only the takers by lock use it
 *   NEXT     private until the node is pushed, then immutable: until who popped it holds the lock, or a grace period after it was popped
 *
 * Guarantees
 *   A  what was pushed is popped once; what is popped was pushed last of all that is there.
 *   B  push, popAll and empty never wait, and may be called anywhere; push says truly whether the stack was empty. pop is lock-free among sections.
 *   C  every change is one compareExchange or exchange: a thread that dies has pushed, or popped, or has not, and holds up nobody. There is nothing to recover.
 *   D  what a thread had popped, and nobody else knows of when it dies, is its own: what finds it is its tag (`heap.ownedBy`).
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import { RobustMutex } from "../../memory/robust-mutex.js";
import type { Domain } from "../../rcu/domain.js";
import { ContextError } from "../../rcu/errors.js";

/** Bytes of a stack. */
export const LF_STACK_BYTES = 128;
/** Words of a node. */
export const LFS_NODE_WORDS = 1;

/** Words of a stack: pushers and waiting takers do not share a line. */
const Word = { TOP: 0, LOCK: 16 } as const;

/** Make a stack of `LF_STACK_BYTES` at an address. Before anybody else knows of it. */
export function formatLfStack(memory: Memory, address: Address): void {
  memory.fill(address, LF_STACK_BYTES / 4, 0);
  memory.store(field(address, Word.LOCK), 0);
  memory.store(field(address, Word.TOP), NULL);
}

/** One thread's view of a stack. */
export class LfStack {
  readonly address: Address;
  readonly #domain: Domain;
  readonly #memory: Memory;
  readonly #top: Address;
  readonly #lock: RobustMutex;

  /** @param address of a stack that `formatLfStack` or `create` has made */
  constructor(domain: Domain, address: Address) {
    const { memory, heap } = domain.arena;
    this.address = address;
    this.#domain = domain;
    this.#memory = memory;
    this.#top = field(address, Word.TOP);
    this.#lock = new RobustMutex(memory, field(address, Word.LOCK), heap.slot);
  }

  /**
   * A new stack, in memory of its own; other threads open it by its `address`.
   * @param tag whom the memory belongs to, as of kmalloc
   * @throws OutOfMemoryError
   */
  static create(domain: Domain, tag?: number): LfStack {
    const { memory, heap } = domain.arena;
    const address = domain.allocate(LF_STACK_BYTES, () => heap.kmalloc(LF_STACK_BYTES, tag));
    formatLfStack(memory, address);
    return new LfStack(domain, address);
  }

  /** Set a node to what its codec writes (values/queue-nodes.ts). push needs it not. */
  nodeInit(node: Address): void {
    this.#memory.write(node, 0);
  }

  /** Whether there is no node. */
  empty(): boolean {
    return this.#memory.load(this.#top) === NULL;
  }

  /**
   * Put a node on top. It must be on no stack, and not have been popped `InSection` since the last grace period: what this cannot see.
   * @returns whether there were nodes below it (as liburcu)
   */
  push(node: Address): boolean {
    const memory = this.#memory;
    for (let top = memory.load(this.#top); ; ) {
      memory.write(node, top);
      const found = memory.compareExchange(this.#top, top, node); // commit
      if (found === top) return top !== NULL;
      top = found;
    }
  }

  /** Take all nodes, as a chain for `next` and `forEach`, newest first; NULL when there is none. Not beside `popBlocking`. */
  popAll(): Address {
    return this.#memory.exchange(this.#top, NULL) as Address;
  }

  /**
   * Take the newest node; NULL when there is none. In a read-side section of this domain; other takers must be so too, or be `popAll`.
   * @throws ContextError (ERR_NOT_IN_SECTION)
   */
  popInSection(): Address {
    if (!this.#domain.readLockHeld)
      throw new ContextError(
        "ERR_NOT_IN_SECTION",
        "popInSection() outside a read-side section: the node it looks at could be pushed again meanwhile (ABA). Use read(fn), or popBlocking().",
      );
    return this.#pop();
  }

  /**
   * Take the newest node, with the takers' lock; NULL when there is none.
   * @throws ContextError (in a section, with a spin lock), LockTimeoutError, ClosedError
   */
  popBlocking(): Address {
    return this.#withLock("popBlocking()", () => this.#pop());
  }

  /** As `popAll`, beside `popBlocking`. */
  popAllBlocking(): Address {
    return this.#withLock("popAllBlocking()", () => this.popAll());
  }

  /** The node after one of a chain that `popAll` gave; NULL after the last. */
  next(node: Address): Address {
    return this.#memory.read(node) as Address;
  }

  /** Call `fn` with each node of a chain that `popAll` gave, newest first; beside `popBlocking` `fn` may free it, or push it elsewhere; beside `popInSection` it gives it up as who pops there (`domain.retire`). */
  forEach(chain: Address, fn: (node: Address) => void): void {
    for (let node = chain; node !== NULL; ) {
      const next = this.next(node);
      fn(node);
      node = next;
    }
  }

  #pop(): Address {
    const memory = this.#memory;
    for (let top = memory.load(this.#top) as Address; top !== NULL; ) {
      const found = memory.compareExchange(this.#top, top, this.next(top)) as Address; // commit
      if (found === top) return top;
      top = found;
    }
    return NULL;
  }

  #withLock(operation: string, take: () => Address): Address {
    this.#domain.beforeUpdate(`LfStack.${operation}`);
    this.#lock.lock(); // whether its last owner died is all one: TOP is whole at any time
    try {
      return take();
    } finally {
      this.#lock.unlock();
    }
  }
}
