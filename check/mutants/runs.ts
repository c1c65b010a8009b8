/**
 * Runs: what mutants of asynchronous code are found by, where no scenario can be. Two domains, each with its slot, over one memory in this thread, with real promises and timers,
 * for a second or two at most. Each passes on code that is not broken (test/check/mutants.test.ts).
 */

import assert from "node:assert/strict";
import { type Address, field, NULL, type Order, PAGE_WORDS } from "../../src/memory/address.js";
import { Arena, formatArena } from "../../src/memory/arena.js";
import type { Cache } from "../../src/memory/cache.js";
import { WrongCacheError } from "../../src/memory/errors.js";
import { type ArenaOptions, leastBytes, openLayout } from "../../src/memory/layout.js";
import { type Memory, SharedMemory } from "../../src/memory/memory.js";
import { Domain, type DomainOptions } from "../../src/rcu/domain.js";
import { formatDomain, rcuWords } from "../../src/rcu/flavors/open.js";
import { ReaderWord, readerWord } from "../../src/rcu/layout.js";
import { tracepoints } from "../../src/rcu/tracepoints.js";

const SIZES = { slots: 4, caches: 32, domains: 1 };
const OPTIONS: ArenaOptions = { ...SIZES, rootWords: rcuWords(SIZES, {}) };
const BYTES = 4 * leastBytes(OPTIONS);
/**
 * Ticks, of so many ms at least, that a run may wait for what must come. They are counted rather than the time, since a thread may lose its processor for
 * long: what it waits for takes turns of its own event loop, which stands still then too.
 */
const PATIENCE = 100;
const TICK = 15;

function format(): Memory {
  const memory = new SharedMemory(new SharedArrayBuffer(BYTES));
  formatDomain(memory, formatArena(memory, OPTIONS, [1, 2]), 0, {});
  return memory;
}

const LAYOUT_OF_RUNS = openLayout(format());
/** What the first thread has registered and run. */
export const RUN_WORDS = {
  queued: readerWord(LAYOUT_OF_RUNS, 0, 0, ReaderWord.QUEUED),
  run: readerWord(LAYOUT_OF_RUNS, 0, 0, ReaderWord.RUN),
};

/** A mutant's memory, as for a scenario's threads. */
export type Wrap = (inner: Memory, thread: number) => Memory;

export interface Run {
  readonly name: string;
  /** Throws when what must be is not. */
  run(wrap: Wrap): Promise<void>;
}

async function withThreads(wrap: Wrap, options: DomainOptions, body: (first: Domain, second: Domain) => Promise<void>): Promise<void> {
  const memory = format();
  const [first, second] = [0, 1].map((thread) => new Domain(new Arena(wrap(memory, thread), thread + 1), options)) as [Domain, Domain];
  try {
    await body(first, second);
  } finally {
    second.detach();
    first.detach();
  }
}

/** It must come to its end in time. */
async function soon(what: string, promise: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const abort = new AbortController();
  let ticks = 0;
  const timer = setInterval(() => {
    if (++ticks === PATIENCE) abort.abort(new assert.AssertionError({ message: `${what}: not within ${PATIENCE} ticks of ${TICK} ms` }));
  }, TICK);
  try {
    await promise(abort.signal);
  } finally {
    clearInterval(timer);
  }
}

export const runs: readonly Run[] = [
  {
    name: "run: pages to the last, and objects of the reserve",
    run: (wrap) =>
      withThreads(wrap, {}, async ({ arena: { heap } }, second) => {
        const taken: Address[] = [];
        for (let page = heap.allocPages(0 as Order); page !== NULL; page = heap.allocPages(0 as Order)) taken.push(page);
        assert.equal(heap.pages.free, heap.reservePages, "what is left to those who free");
        assert.equal(heap.kmalloc(64), NULL);
        const urgent = heap.withReserve(() => heap.kmalloc(64));
        assert.notEqual(urgent, NULL);
        assert.equal(heap.kmalloc(64), NULL, "its slab is for nobody else");
        assert.equal(second.arena.heap.kmalloc(64), NULL, "in no thread");
        heap.freePages(taken.pop() as Address);
        assert.notEqual(heap.kmalloc(64), NULL, "the reserve is whole again");
        assert.equal(heap.allocPages(0 as Order), NULL);
        const free = heap.pages.free;
        assert.equal(heap.allocPagesBulk(free), undefined, "all or none");
        assert.equal(heap.pages.free, free);
      }),
  },
  {
    name: "run: pages for who must not sleep",
    run: (wrap) =>
      withThreads(wrap, {}, async ({ arena }, { arena: { heap } }) => {
        // Two at a time: for a single page of the slot's own list no lock is needed.
        const ask = (): Address => heap.allocPages(1 as Order, { atomic: true, zero: true });
        arena.heap.withArenaLock(() => assert.equal(ask(), NULL, "another holds the lock"));
        const page = ask();
        assert.notEqual(page, NULL);
        heap.memory.fill(page, PAGE_WORDS, -1);
        heap.freePages(page);
        const again = ask();
        assert.equal(again, page, "the same page, or this shows nothing");
        assert.equal(heap.memory.read(field(again, PAGE_WORDS - 1)), 0, "zeroed");
        heap.freePages(again);
        heap.trim(); // what is in its own list can be had without the lock
        assert.throws(() => arena.heap.withArenaLock(() => assert.fail("in the middle of an update")));
        assert.equal(ask(), NULL, "it must be mended first");
        heap.freePages(heap.allocPages(0 as Order));
        assert.notEqual(ask(), NULL, "it has been");
      }),
  },
  {
    name: "run: an object that is given to another cache, in a debug arena",
    run: async (wrap) => {
      const options = { slots: 1, caches: 32, debugMemory: true };
      const memory = new SharedMemory(new SharedArrayBuffer(2 * leastBytes(options)));
      formatArena(memory, options, [1, 2]);
      const arena = new Arena(wrap(memory, 0), 1);
      const { heap } = arena;
      const [own, other] = ["own", "other"].map((name) => heap.cache(heap.createCache(name, 64))) as [Cache, Cache];
      const object = own.alloc();
      assert.throws(() => other.free(object), WrongCacheError);
      assert.ok(own.isLive(object), "nothing has changed");
      own.free(object);
      assert.deepEqual(arena.check(), []);
      arena.detach();
    },
  },
  {
    name: "run: callbacks registered as a grace period starts",
    run: (wrap) =>
      withThreads(wrap, {}, async (first) => {
        let ran = 0;
        let more = true;
        const listen = (): void => {
          if (more) first.call(() => ran++);
          more = false;
        };
        tracepoints.gracePeriodStart.subscribe(listen);
        try {
          first.call(() => ran++);
          await soon("the barrier", (signal) => first.barrier({ signal }));
          await soon("a later barrier", (signal) => first.barrier({ signal }));
          assert.equal(ran, 2);
        } finally {
          tracepoints.gracePeriodStart.unsubscribe(listen);
        }
      }),
  },
  {
    name: "run: a callback frees its head, which is given out again",
    run: (wrap) =>
      withThreads(wrap, {}, async (first) => {
        const { heap, memory } = first.arena;
        const head = heap.kmalloc(8);
        let again: Address | undefined;
        memory.store(head, 0);
        first.callHead(head, () => {
          heap.kfree(head);
          again = heap.kmalloc(8);
          memory.store(head, 7);
        });
        await soon("the barrier", (signal) => first.barrier({ signal }));
        assert.equal(again, head, "the same object, or this shows nothing");
        assert.equal(memory.load(head), 7, "written by nobody but its new owner");
        heap.kfree(head);
      }),
  },
  {
    name: "run: a callback that registers itself again, and a barrier",
    run: (wrap) =>
      withThreads(wrap, {}, async (first, second) => {
        let goesOn = true;
        const again = (): void => {
          if (goesOn) first.call(again);
        };
        again();
        try {
          await soon("the barrier", (signal) => second.barrier({ signal }));
        } finally {
          goesOn = false;
        }
      }),
  },
  {
    name: "run: a flood of retired objects",
    run: (wrap) =>
      withThreads(wrap, { retireLimit: 4096 }, async (first) => {
        const { heap } = first.arena;
        for (let i = 0; i < 64; i++) first.retire(heap.kmalloc(512)); // in one turn
        const { waitingBytes, backPressure } = first.stats();
        assert.ok(waitingBytes <= 4096, `${waitingBytes} bytes wait`);
        assert.ok(backPressure > 0);
      }),
  },
];
