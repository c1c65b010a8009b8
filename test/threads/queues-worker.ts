/** Workers of queues.test.ts. */

import { hand } from "../../check/support/hand.js";
import { type Address, field, NULL } from "../../src/memory/address.js";
import { LfStack } from "../../src/structures/queues/lfstack.js";
import { WfcQueue } from "../../src/structures/queues/wfcqueue.js";
import { NODE_BYTES, NUMBER, PRODUCER, type QueuesJob, TAG } from "./queues-job.js";

const self = hand<QueuesJob>();
const { role, index, queues, spare, count } = self.job;
const { domain } = self.shared;
const { memory, heap } = domain.arena;
const [source, dest] = queues.map((address) => new WfcQueue(domain, address as Address)) as [WfcQueue, WfcQueue];
const stack = new LfStack(domain, spare as Address);

/** Nodes that one producer takes from the heap; beyond them it waits for used ones. */
const MOST = 10_000;
let taken = 0;

function takeNode(): Address {
  for (;;) {
    const used = stack.popBlocking();
    if (used !== NULL) return used;
    if (taken === MOST) continue;
    taken++;
    return domain.allocate(NODE_BYTES, () => heap.kmalloc(NODE_BYTES, TAG));
  }
}

function produce(): void {
  for (let number = 0; number < count; number++) {
    const node = takeNode();
    memory.write(field(node, PRODUCER), index);
    memory.write(field(node, NUMBER), number);
    source.enqueue(node);
    self.beat();
  }
  self.result(count);
}

/** Gives how many nodes came from each producer, in order. */
function consume(): void {
  const next = [0, 0];
  for (;;) {
    const stopping = self.stopping(); // before the last look
    dest.splice(source);
    let any = false;
    for (let node = dest.dequeue(); node !== NULL; node = dest.dequeue()) {
      any = true;
      const producer = memory.read(field(node, PRODUCER));
      const number = memory.read(field(node, NUMBER));
      if (number !== next[producer]) throw new Error(`from producer ${producer}: ${number} where ${next[producer]} was due`);
      next[producer] = number + 1;
      stack.push(node);
      self.beat();
    }
    if (stopping && !any) break;
  }
  self.result(next);
}

// In a later turn: of a thread that dies in the turn that attached it, nobody can tell on Deno.
setTimeout(() => {
  self.begun();
  ({ produce, consume })[role]();
  self.shared.close();
}, 10);
