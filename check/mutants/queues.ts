/** Queue, stack, and the locks for comparison. */

import { type Address, field } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { SeqLock } from "../../src/memory/seqlock.js";
import { Domain } from "../../src/rcu/domain.js";
import { PassingMemory } from "../passing-memory.js";
import { QUEUES, STACK } from "../scenarios/queues.js";
import { user } from "../scenarios/support.js";
import { all, asleep, idle, type Mutant, of, patch, unsafe, wrong } from "./mutant.js";
import { silent } from "./words.js";

/** Words of a queue (structures/queues/wfcqueue.ts). */
const QueueWord = { TAIL: 0, HEAD: 32, OLDEST: 33, PEER: 34 } as const;
/** The scenarios' reader-writer lock and sequence lock: what stands beside the mutex. */
const STATE = user(3);
const GATE = 1 << 30;

const tail = (memory: Memory, i: 0 | 1): Address => memory.read(QUEUES[i]) as Address;

/** A link is written when its node has been published. */
class LateLink extends PassingMemory {
  #late: readonly [Address, number] | undefined;
  override write(address: Address, value: number): void {
    this.#flush();
    this.#late = [address, value];
  }
  override compareExchange(address: Address, expected: number, replacement: number): number {
    const found = super.compareExchange(address, expected, replacement);
    this.#flush();
    return found;
  }
  #flush(): void {
    if (this.#late !== undefined) super.write(...this.#late);
    this.#late = undefined;
  }
}

/** A compareExchange of the first queue's TAIL is a load and a store. */
class TornTail extends PassingMemory {
  override compareExchange(address: Address, expected: number, replacement: number): number {
    if (address !== tail(this.inner, 0)) return super.compareExchange(address, expected, replacement);
    const found = super.load(address);
    if (found === expected) super.store(address, replacement);
    return found;
  }
}

/** A splice does not say at one of its queues which is the other. */
const notesNothing = (queue: 0 | 1): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override write(address: Address, value: number): void {
      if (address !== field(tail(this.inner, queue), QueueWord.PEER)) super.write(address, value);
    }
  };

/** A mutex keeps nobody out. */
const noMutex = all(
  patch(RobustMutex.prototype, "lock", () => () => false),
  idle(RobustMutex.prototype, "unlock"),
);

/** Nobody is told of an owner's death. */
const untold = patch(
  RobustMutex.prototype,
  "lock",
  (original) =>
    function (this: RobustMutex, timeout?: number) {
      original.call(this, timeout);
      return false;
    },
);

const ENQUEUERS = "wfcqueue: two enqueuers and a dequeuer";
const LAST = "wfcqueue: the last node leaves while others come";
const SPLICE = "wfcqueue: splice against enqueue";
const KILLED_TO_DEST = "wfcqueue: killed in a splice, and who comes next takes from the destination";
const RW = "rw-lock: a writer, and a reader who looks twice";
const SEQ = "seqlock: a writer, and a reader who looks twice";

export const queues: readonly Mutant[] = [
  {
    name: "a node is enqueued before its link is written",
    number: "S1",
    breaks: "the chain has no gap",
    killer: ENQUEUERS,
    kinds: unsafe,
    memory: of([0, 1], LateLink),
  },
  {
    name: "enqueue loads and stores the tail",
    number: "-",
    breaks: "of two enqueues neither is lost",
    killer: ENQUEUERS,
    kinds: wrong,
    memory: of([0, 1], TornTail),
  },
  {
    name: "the last node leaves by a load and a store",
    number: "-",
    breaks: "what is enqueued as the last node leaves is not lost",
    killer: LAST,
    kinds: wrong,
    memory: of([1], TornTail),
  },
  {
    name: "a queue of which nothing is turned is taken for empty",
    number: "S6",
    breaks: "empty looks at the tail",
    killer: SPLICE,
    kinds: wrong,
    memory: of(
      [0],
      class extends PassingMemory {
        override load(address: Address): number {
          const queue = tail(this.inner, 0);
          const unturned = address === queue && this.inner.read(field(queue, QueueWord.OLDEST)) === 0;
          return unturned ? field(queue, QueueWord.HEAD) : super.load(address);
        }
      },
    ),
  },
  {
    name: "splice loads and stores the source's tail",
    number: "C3",
    breaks: "what is enqueued during a splice is not lost",
    killer: SPLICE,
    kinds: wrong,
    memory: of([0], TornTail),
  },
  {
    name: "splice: enqueuers to the destination are written over",
    number: "C3",
    breaks: "what is enqueued to the destination of a splice is not lost",
    killer: SPLICE,
    kinds: wrong,
    memory: of(
      [0],
      class extends PassingMemory {
        override compareExchange(address: Address, expected: number, replacement: number): number {
          if (address !== tail(this.inner, 1)) return super.compareExchange(address, expected, replacement);
          super.store(address, replacement);
          return expected;
        }
      },
    ),
  },
  {
    name: "a queue's consumers take no lock",
    number: "S8",
    breaks: "a node is dequeued once",
    killer: "wfcqueue: two consumers",
    kinds: unsafe,
    patch: noMutex,
  },
  {
    name: "a queue is not mended after a consumer's death",
    number: "-",
    breaks: "the next consumer finds what came since, and not what had left",
    killer: "wfcqueue: killed in dequeue, of 1",
    kinds: [...unsafe, "livelock"],
    patch: untold,
  },
  {
    name: "a splice that was cut off is not ended",
    number: "-",
    breaks: "splice moves all or none",
    killer: KILLED_TO_DEST,
    kinds: [...unsafe, "livelock"],
    patch: untold,
  },
  {
    name: "a splice notes nothing at its source",
    number: "-",
    breaks: "splice moves all or none",
    killer: "wfcqueue: killed in a splice, and who comes next takes from the source",
    kinds: wrong,
    memory: of([0], notesNothing(0)),
  },
  {
    name: "a splice notes nothing at its destination",
    number: "-",
    breaks: "nobody takes from a destination before the splice to it is ended",
    killer: KILLED_TO_DEST,
    kinds: wrong,
    memory: of([0], notesNothing(1)),
  },
  {
    name: "a node is pushed before its link is written",
    number: "S1",
    breaks: "who takes all finds all",
    killer: "lfstack: two pushers and a popAll",
    kinds: unsafe,
    memory: of([0, 1], LateLink),
  },
  {
    name: "popAll loads and stores the top",
    number: "-",
    breaks: "what is pushed as all is taken is not lost",
    killer: "lfstack: two pushers and a popAll",
    kinds: wrong,
    memory: of(
      [2],
      class extends PassingMemory {
        override exchange(address: Address, value: number): number {
          if (address !== this.inner.read(STACK)) return super.exchange(address, value);
          const old = super.load(address);
          super.store(address, value);
          return old;
        }
      },
    ),
  },
  {
    name: "what was popped in a section is pushed again without a grace period",
    number: "S14",
    breaks: "a node that a section has seen on top does not come back while it lasts",
    killer: "lfstack: two pop in sections, and one pushes again after a grace period",
    kinds: unsafe,
    patch: idle(Domain.prototype, "synchronizeSync"),
  },
  {
    name: "popBlocking takes no lock",
    number: "S14",
    breaks: "a node that a taker has seen on top does not come back before it is done",
    killer: "lfstack: two pop by the lock, and one pushes again at once",
    kinds: unsafe,
    patch: noMutex,
  },
  {
    name: "a reader-writer lock's reader is not counted",
    number: "-",
    breaks: "a writer is alone",
    killer: RW,
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        override add(address: Address, value: number): number {
          return address === STATE ? super.load(address) : super.add(address, value);
        }
      },
    ),
  },
  {
    name: "a reader does not look at the gate",
    number: "-",
    breaks: "no reader enters while a writer is inside",
    killer: RW,
    kinds: unsafe,
    memory: of(
      [1],
      class extends PassingMemory {
        override add(address: Address, value: number): number {
          return super.add(address, value) & (address === STATE && value === 1 ? ~GATE : -1);
        }
      },
    ),
  },
  {
    name: "the last reader wakes nobody",
    number: "C7",
    breaks: "the writer who waits is woken",
    killer: RW,
    kinds: asleep,
    memory: of([1], silent(STATE)),
  },
  {
    name: "what a dead writer left is not mended before readers enter",
    number: "-",
    breaks: "whoever enters after a writer's death finds what is protected whole",
    killer: "rw-lock: a writer is killed, and a reader comes next",
    kinds: unsafe,
    patch: untold,
  },
  {
    name: "a sequence lock's reader does not look again",
    number: "S13",
    breaks: "what is read was so at one instant",
    killer: SEQ,
    kinds: wrong,
    patch: patch(SeqLock.prototype, "readRetry", () => () => false),
  },
  {
    name: "the sequence is even while a writer is inside",
    number: "-",
    breaks: "what is read was so at one instant",
    killer: SEQ,
    kinds: wrong,
    memory: of(
      [0],
      class extends PassingMemory {
        #odd = false;
        override add(address: Address, value: number): number {
          if (address !== STATE) return super.add(address, value);
          this.#odd = !this.#odd;
          return super.add(address, this.#odd ? 0 : 2);
        }
      },
    ),
  },
  {
    name: "a sequence that a dead writer left odd is not mended",
    number: "-",
    breaks: "a reader after a writer's death sees what is protected whole",
    killer: "seqlock: a writer is killed, and a reader comes next",
    kinds: wrong,
    patch: untold,
  },
];
