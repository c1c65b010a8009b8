/** Queue and stack against arrays, and what they refuse. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "../../check/support/seed.js";
import { type Address, NULL } from "../../src/memory/address.js";
import { SpinLock } from "../../src/memory/spin-lock.js";
import type { Domain } from "../../src/rcu/domain.js";
import { LFS_NODE_WORDS, LfStack } from "../../src/structures/queues/lfstack.js";
import { WFC_NODE_WORDS } from "../../src/structures/queues/node-chain.js";
import { WfcQueue } from "../../src/structures/queues/wfcqueue.js";
import { lfsNode, wfcqNode } from "../../src/values/queue-nodes.js";
import { u32 } from "../../src/values/scalars.js";
import { containerOf, offsetOf, struct } from "../../src/values/struct.js";
import { onEach } from "../support/each-flavor.js";
import { refusal } from "../support/refusal.js";
import { World } from "../support/world.js";

const nodesOf = (domain: Domain, count: number): Address[] => Array.from({ length: count }, () => domain.arena.heap.kmalloc(8));

function list(queue: WfcQueue): Address[] {
  const seen: Address[] = [];
  queue.forEach((node) => void seen.push(node));
  return seen;
}

onEach("queues hold what arrays hold, whatever is done to them by two threads", ({ flavor, attach }) => {
  const [one, two] = [attach(), attach()];
  const made = [WfcQueue.create(one), WfcQueue.create(one)] as const;
  const queues = [made, made.map(({ address }) => new WfcQueue(two, address))].map((pair) => pair as [WfcQueue, WfcQueue]);
  const nodes = nodesOf(one, 40);
  const command = fc.record({
    what: fc.constantFrom("enqueue", "enqueue", "enqueue", "dequeue", "dequeue", "splice", "list", "last"),
    thread: fc.nat(1),
    queue: fc.nat(1),
  });
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
      const models: [Address[], Address[]] = [[], []];
      const spare = [...nodes];
      for (const { what, thread, queue: which } of commands) {
        const queue = queues[thread]?.[which] as WfcQueue;
        const other = queues[thread]?.[1 - which] as WfcQueue;
        const model = models[which] as Address[];
        const theirs = models[1 - which] as Address[];
        if (what === "enqueue") {
          const node = spare.pop();
          if (node === undefined) continue;
          assert.equal(queue.enqueue(node), model.length > 0);
          model.push(node);
        } else if (what === "dequeue") {
          const node = queue.dequeue();
          assert.equal(node, model.shift() ?? NULL);
          if (node !== NULL) spare.push(node);
        } else if (what === "last") {
          const { node, last } = queue.dequeueWithState();
          assert.deepEqual([node, last], [model.shift() ?? NULL, node !== NULL && model.length === 0]);
          if (node !== NULL) spare.push(node);
        } else if (what === "splice") {
          const expected = theirs.length === 0 ? "src-empty" : model.length === 0 ? "dest-empty" : "dest-non-empty";
          assert.equal(queue.splice(other), expected);
          model.push(...theirs.splice(0));
        } else assert.deepEqual(list(queue), model);
        assert.equal(queue.empty(), model.length === 0);
      }
      for (const [i, queue] of made.entries()) {
        assert.deepEqual(list(queue), models[i]);
        assert.deepEqual(queue.check(), []);
        while (queue.dequeue() !== NULL);
        assert.deepEqual(queue.check(), []);
      }
    }),
    { seed: seedOf(`queues, ${flavor}`), numRuns: 150 },
  );
});

onEach("a stack holds what an array holds", ({ flavor, attach }) => {
  const [one, two] = [attach(), attach()];
  const made = LfStack.create(one);
  const stacks = [made, new LfStack(two, made.address)];
  const nodes = nodesOf(one, 30);
  const command = fc.tuple(fc.constantFrom("push", "push", "push", "popBlocking", "popInSection", "popAll", "popAllBlocking"), fc.nat(1));
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const model: Address[] = [];
      const spare = [...nodes];
      const all = (chain: Address): Address[] => {
        const seen: Address[] = [];
        made.forEach(chain, (node) => {
          seen.push(node);
          made.nodeInit(node); // its own again
        });
        return seen;
      };
      for (const [what, thread] of commands) {
        const stack = stacks[thread] as LfStack;
        const domain = thread === 0 ? one : two;
        if (what === "push") {
          const node = spare.pop();
          if (node === undefined) continue;
          assert.equal(stack.push(node), model.length > 0);
          model.push(node);
        } else if (what === "popAll" || what === "popAllBlocking") {
          assert.deepEqual(all(stack[what]()), model.splice(0).reverse());
        } else {
          const node = what === "popBlocking" ? stack.popBlocking() : domain.read(() => stack.popInSection());
          assert.equal(node, model.pop() ?? NULL);
        }
        assert.equal(stack.empty(), model.length === 0);
      }
      made.popAll();
    }),
    { seed: seedOf(`stack, ${flavor}`), numRuns: 150 },
  );
});

test("nodes are fields of a struct", () => {
  const domain = new World(16).domain(1);
  const thing = struct({ id: u32, queued: wfcqNode, stacked: lfsNode });
  assert.deepEqual([wfcqNode.words, lfsNode.words], [WFC_NODE_WORDS, LFS_NODE_WORDS]);
  const { memory, heap } = domain.arena;
  const object = heap.kmalloc(4 * thing.words);
  thing.write(memory, object, { id: 7, queued: 0, stacked: 0 });
  const [queue, stack] = [WfcQueue.create(domain), LfStack.create(domain)];
  const at = (name: "queued" | "stacked"): Address => (object + offsetOf(thing, name)) as Address;
  queue.enqueue(at("queued"));
  stack.push(at("stacked"));
  assert.deepEqual(thing.read(memory, object), { id: 7, queued: 0, stacked: 0 });
  assert.equal(containerOf(queue.dequeue(), thing, "queued"), object);
  assert.equal(containerOf(stack.popBlocking(), thing, "stacked"), object);
  queue.nodeInit(at("queued"));
  assert.equal(memory.read(at("queued")), 0);
  domain.detach();
});

test("a consumer may hold the lock over several calls, and walk", () => {
  const world = new World(16);
  const [domain, other] = [world.domain(1), world.domain(2)];
  const queue = WfcQueue.create(domain);
  const nodes = nodesOf(domain, 3) as [Address, Address, Address];
  for (const node of nodes.slice(0, 2)) queue.enqueue(node);
  assert.equal(
    refusal(() => queue.first(), /without its lock/),
    "ContextError ERR_LOCK_NOT_HELD",
  );
  assert.equal(
    refusal(() => queue.next(nodes[0]), /dequeueLock\(\) first/),
    "ContextError ERR_LOCK_NOT_HELD",
  );
  queue.dequeueLock();
  assert.equal(queue.first(), nodes[0]);
  assert.equal(queue.next(nodes[0]), nodes[1]);
  new WfcQueue(other, queue.address).enqueue(nodes[2]);
  assert.equal(queue.next(nodes[1]), nodes[2], "also what came meanwhile");
  assert.equal(queue.next(nodes[2]), NULL);
  assert.equal(queue.dequeue(), nodes[0]);
  assert.equal(
    refusal(() => queue.splice(WfcQueue.create(domain)), /dequeueUnlock\(\) first/),
    "ContextError ERR_LOCK_HELD",
  );
  assert.equal(
    refusal(() => new WfcQueue(other, queue.address).dequeueLock(5), /5 ms/),
    "LockTimeoutError ERR_LOCK_TIMEOUT",
  );
  queue.dequeueUnlock();
  assert.deepEqual(list(queue), nodes.slice(1));
  domain.detach();
  other.detach();
});

onEach("what takes a lock is refused in a section and with a spin lock; enqueue, push and popAll are not", ({ attach }) => {
  const domain = attach();
  const { memory, heap } = domain.arena;
  const [queue, source, stack] = [WfcQueue.create(domain), WfcQueue.create(domain), LfStack.create(domain)];
  const [node, above, word] = nodesOf(domain, 3) as [Address, Address, Address];
  memory.store(word, 0);
  const calls: Record<string, () => unknown> = {
    dequeueLock: () => queue.dequeueLock(),
    dequeue: () => queue.dequeue(),
    dequeueWithState: () => queue.dequeueWithState(),
    splice: () => queue.splice(source),
    forEach: () =>
      queue.forEach(() => {
        assert.fail("it was run");
      }),
    check: () => queue.check(),
    popBlocking: () => stack.popBlocking(),
    popAllBlocking: () => stack.popAllBlocking(),
  };
  const anywhere = (): void => {
    assert.equal(queue.enqueue(node), false);
    assert.equal(stack.push(above), false);
    assert.equal(queue.empty() || stack.empty(), false);
    assert.equal(stack.popAll(), above);
  };
  domain.read(() => {
    anywhere();
    for (const [name, call] of Object.entries(calls)) assert.equal(refusal(call, /in a read-side section/), "ContextError ERR_IN_SECTION", name);
  });
  assert.equal(queue.dequeue(), node);
  new SpinLock(memory, word, heap.slot).withLock(() => {
    anywhere();
    for (const [name, call] of Object.entries(calls)) assert.equal(refusal(call, /spin lock/), "ContextError ERR_ATOMIC_CONTEXT", name);
  });
  assert.equal(
    refusal(() => stack.popInSection(), /ABA/),
    "ContextError ERR_NOT_IN_SECTION",
  );
  assert.equal(
    refusal(() => queue.splice(new WfcQueue(domain, queue.address)), /to itself/),
    "QuiesceError ERR_SAME_QUEUE",
  );
  assert.deepEqual(list(queue), [node], "nothing has changed");
});

test("what throws in forEach leaves the queue whole, and its lock free", () => {
  const domain = new World(16).domain(1);
  const queue = WfcQueue.create(domain);
  const nodes = nodesOf(domain, 3);
  for (const node of nodes) queue.enqueue(node);
  assert.throws(() =>
    queue.forEach(() => {
      throw new RangeError("mine");
    }),
  );
  assert.deepEqual(queue.check(), []);
  assert.deepEqual(list(queue), nodes);
  domain.detach();
});

test("what throws under dequeueLock, at any access, leaves the queue whole: for the next call, and for the next owner", () => {
  const world = new World(16);
  const builder = world.domain(1);
  const { address } = WfcQueue.create(builder);
  const nodes = nodesOf(builder, 3);
  builder.detach();
  world.snapshot();
  let cut = 0;
  for (const goesOn of [true, false]) {
    for (const call of ["dequeue", "first", "next", "forEach"] as const) {
      for (let access = 1, threw = true; threw; access++) {
        world.restore();
        const memory = world.dying();
        const [domain, other] = [world.domain(1, memory), world.domain(2)];
        const [queue, theirs] = [new WfcQueue(domain, address), new WfcQueue(other, address)];
        const [oldest, ...newer] = call === "dequeue" && access % 2 === 1 ? nodes.slice(0, 1) : nodes;
        queue.enqueue(oldest as Address);
        queue.dequeueLock();
        if (call === "next") queue.first();
        for (const node of newer) queue.enqueue(node);
        memory.arm();
        memory.hook = (now) => {
          if (now === access) throw new RangeError("the stack overflowed here");
        };
        let taken: Address = NULL;
        threw = false;
        const calls = {
          dequeue: () => {
            taken = queue.dequeue();
          },
          first: () => queue.first(),
          next: () => queue.next(oldest as Address),
          forEach: () => queue.forEach(() => {}),
        };
        try {
          calls[call]();
        } catch (error) {
          assert.ok(error instanceof RangeError);
          threw = true;
          cut++;
        }
        memory.hook = undefined;
        const when = `${call} cut off at access ${access} (${memory.last})`;
        if (goesOn)
          assert.equal(
            queue.forEach(() => {}),
            undefined,
          );
        queue.dequeueUnlock();
        assert.deepEqual(theirs.check(), [], when);
        const left = list(theirs);
        // What it had taken out it had not come to give.
        if (threw && call === "dequeue") assert.deepEqual(left, left.includes(oldest as Address) ? [oldest, ...newer] : newer, when);
        else assert.deepEqual(left, taken === NULL ? [oldest, ...newer] : newer, when);
        if (!left.includes(oldest as Address)) {
          theirs.enqueue(oldest as Address);
          assert.deepEqual(list(theirs), [...newer, oldest], when);
          assert.deepEqual(theirs.check(), [], when);
        }
        domain.detach();
        other.detach();
      }
    }
  }
  assert.ok(cut > 40, `${cut}`);
});
