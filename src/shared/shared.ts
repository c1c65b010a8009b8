/**
 * Shared: one shared memory with structures in it, as most people use it.
 *
 *   main    const shared = Shared.create({ bytes: 64 * 2 ** 20 })
 *           shared.watch(new Worker(file, { workerData: shared.handle }))
 *   worker  const shared = Shared.attach(workerData)
 *   both    const ranges = shared.intervalMap("ranges", { bounds: "u32", value: u16 })
 *
 * Nothing here keeps a process alive.
 *
 * Law table: this file owns no word.
 */

import { field } from "../memory/address.js";
import { Arena, attachedThreads, createArena } from "../memory/arena.js";
import { ClosedError, LockTimeoutError } from "../memory/errors.js";
import { type AllocatorName, type ArenaOptions, arenaId, openLayout } from "../memory/layout.js";
import { SharedMemory } from "../memory/memory.js";
import type { MemoryReport } from "../memory/memory-report.js";
import { liveThreads, SlotWord, saysItHoldsLiveness } from "../memory/slot.js";
import { Domain, type DomainOptions } from "../rcu/domain.js";
import type { FlavorName } from "../rcu/flavors/flavor.js";
import { formatDomain, rcuWords } from "../rcu/flavors/open.js";
import { pause } from "../rcu/pause.js";
import { ORIGIN_WORDS } from "../rcu/section-origin.js";
import { FIRST_SEQUENCE } from "../rcu/sequence.js";
import type { DomainStats } from "../rcu/stats.js";
import { Cell, type CellOptions, cellSchema } from "../structures/cell/cell.js";
import { IntervalMap } from "../structures/interval-map.js";
import { LIST_NODE_BYTES } from "../structures/list/elements.js";
import { listSchemaText, SharedList } from "../structures/list/shared-list.js";
import { SharedMap } from "../structures/map/map.js";
import { checkMapSchema, type MapSchema, mapSchemaText } from "../structures/map/schema.js";
import { headerBytes } from "../structures/map/words.js";
import { type BoundsName, checkSchema, type IntervalMapSchema, nodeBytes, schemaText } from "../structures/schema.js";
import type { CodecBase } from "../values/codec.js";
import { DIRECTORY_WORDS, Directory } from "./directory.js";
import { HandleError } from "./errors.js";
import { canTell, holdLiveness, isDead } from "./liveness.js";
import { threadNumber } from "./thread.js";

/** What another thread needs to attach; can be posted and given as workerData. */
export interface SharedHandle {
  readonly buffer: SharedArrayBuffer;
}

/** How this thread attaches. */
export interface AttachOptions extends DomainOptions {
  /** A name for this thread, for reports. */
  readonly name?: string;
  /** Of a memory made with `debugMemory`: told of each damage that this thread finds, besides the process warning. */
  readonly onMemoryReport?: (report: MemoryReport) => void;
}

/** How to make a shared memory. */
export interface SharedOptions extends AttachOptions {
  /** Size in bytes. Reserved at once; the operating system commits pages as they are touched. At most 4 GiB. */
  readonly bytes: number;
  /** Most threads attached at once; default 32. */
  readonly slots?: number;
  /** Most slab caches, one for each structure and 26 of kmalloc; default 64. */
  readonly caches?: number;
  /** Most grace-period domains, the main one and those of `phaseDomain`; default 4. */
  readonly domains?: number;
  /** What cuts objects from pages: slab (default), slub (no magazines, remote frees without a lock) or slob (first fit, always under the arena lock: slow). For all threads. */
  readonly allocator?: AllocatorName;
  /** Flavor of the main domain: event-loop (default), phase (sections may await), tree (event-loop for many threads). */
  readonly flavor?: FlavorName;
  /** Children of a node of the tree flavor, 2 to 16; default 16. */
  readonly fanOut?: number;
  /** Check all context rules, and keep the stack where each section began. Slower; for all threads. */
  readonly debug?: boolean;
  /**
   * The allocators check their users: red zones, poison, quarantine, and where each object was allocated and freed (docs/memory.md). Much slower, and more
   * memory for each object; for all threads. Not part of `debug`, which costs far less.
   */
  readonly debugMemory?: boolean;
  /** About where grace-period sequences begin, a whole number; for tests of the wrap. */
  readonly firstSequence?: number;
}

/** Figures of a shared memory. */
export interface SharedStats {
  /** Bytes of the arena; bytes in use by header, tables and pages handed out. */
  readonly bytes: { readonly total: number; readonly used: number };
  /** Grace periods found to be over since the memory was created. */
  readonly gracePeriods: number;
  /** How long callers waited for theirs, in microseconds. */
  readonly gpMicros: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Objects retired by live threads and not yet given back. */
  readonly retired: { readonly waiting: number };
  /** Threads attached. */
  readonly threads: number;
  /** Structures, in the order they were made. */
  readonly structures: readonly { readonly name: string; readonly schema: string }[];
  /** More of the grace periods and slots. */
  readonly domain: DomainStats;
}

/** A worker that tells its thread's number, and when the thread has ended. */
export type WatchableWorker =
  /** Worker of node:worker_threads, on Node, Bun and Deno, and what looks like it. */
  | { readonly threadId: number; on(event: "exit", listener: () => void): unknown; off(event: "exit", listener: () => void): unknown }
  /** Bun's web Worker. */
  | {
      readonly threadId: number;
      addEventListener(event: "close", listener: () => void): unknown;
      removeEventListener(event: "close", listener: () => void): unknown;
    };

/** How long a reaper waits for the arena lock before it lets the event loop turn, in ms. */
const REAP_WAIT = 20;
/** Longest pause between two questions whether a thread has ended, in ms. */
const LONGEST_PAUSE = 500;
/**
 * How long a thread is left alone after its lock was found free, where the platform tells, in ms. Deno frees the lock in terminate() itself, while the thread
 * runs on to V8's next interrupt check (2.9.6; measured: a fill of 100 ms goes on). A busy machine may hold the thread up until then; this is no
 * guarantee: test/threads/death.test.ts still fails there.
 */
const LINGER = 300;
/** And where nobody watches it. */
const SUSPECT_LINGER = 1000;

/** The shared memories this thread is attached to, by identity: a posted buffer is another object each time. */
const attached = new Map<string, Shared>();

/** This thread's hold on a shared memory. */
export class Shared {
  /** What another thread needs to attach. */
  readonly handle: SharedHandle;
  /** Read-copy-update itself: sections, grace periods, retiring. */
  readonly domain: Domain;
  readonly #id: string;
  readonly #directory: Directory;
  readonly #open = new Map<string, { schema: string; structure: unknown }>();
  readonly #unwatch = new Set<() => void>();
  readonly #letGoOfLiveness: () => void;
  /** When threads that hold up a grace period were first found dead, in ms. */
  readonly #deadSince = new Map<number, number>();
  #closed = false;

  private constructor(buffer: SharedArrayBuffer, memory: SharedMemory, { name, onMemoryReport, ...options }: AttachOptions) {
    if (name !== undefined && typeof name !== "string") throw new HandleError("ERR_THREAD_NAME", `a thread's name is text; got ${String(name)}.`);
    this.handle = { buffer };
    const arena = new Arena(memory, threadNumber(memory));
    if (arena.heap.debug !== undefined) arena.heap.debug.onReport = onMemoryReport;
    try {
      this.domain = new Domain(arena, options);
    } catch (error) {
      arena.detach();
      throw error;
    }
    if (name !== undefined) this.domain.nameThread(name);
    this.#directory = new Directory(this.domain);
    this.#id = arenaId(memory);
    attached.set(this.#id, this);
    const { slot } = this.domain.arena.heap;
    this.#letGoOfLiveness = holdLiveness(this.#id, slot.thread, () => memory.store(field(slot.address, SlotWord.LIVENESS), 1));
    this.domain.onSuspects((threads) => void this.#reapSuspects(threads));
    // Slots that were left with something in limbo when no other thread was there to see to it.
    this.domain.helpDeparted();
  }

  /**
   * Make a shared memory and attach this thread to it.
   * @throws ArenaOptionsError
   */
  static create(options: SharedOptions): Shared {
    const { bytes, slots, caches, domains, allocator, flavor, fanOut, debug = false, debugMemory = false, firstSequence = FIRST_SEQUENCE, ...attach } = options;
    const given = {
      ...(slots !== undefined && { slots }),
      ...(caches !== undefined && { caches }),
      ...(domains !== undefined && { domains }),
      ...(allocator !== undefined && { allocator }),
    };
    const format = { ...(flavor !== undefined && { flavor }), ...(fanOut !== undefined && { fanOut }), sequence: firstSequence };
    const arenaOptions: ArenaOptions = { ...given, debugMemory, debugWords: debug ? ORIGIN_WORDS : 0, rootWords: rcuWords(given, format) + DIRECTORY_WORDS };
    const buffer = createArena(bytes, arenaOptions);
    const memory = new SharedMemory(buffer);
    formatDomain(memory, openLayout(memory), 0, format);
    return new Shared(buffer, memory, attach);
  }

  /**
   * Attach this thread to a shared memory that another one made. The second time in a thread gives the same Shared.
   * @throws HandleError, ArenaFormatError, TooManyThreadsError
   */
  static attach(handle: SharedHandle, options: AttachOptions = {}): Shared {
    const buffer = handle?.buffer;
    if (!(buffer instanceof SharedArrayBuffer))
      throw new HandleError(
        "ERR_HANDLE",
        "attach() takes the `handle` of a Shared, as posted or given in workerData; got something without a SharedArrayBuffer in `buffer`.",
      );
    const memory = new SharedMemory(buffer);
    openLayout(memory);
    const known = attached.get(arenaId(memory));
    if (known?.domain.closed === false) return known;
    known?.close(); // its domain was detached by itself
    return new Shared(buffer, memory, options);
  }

  /**
   * Open the interval map of this name, or make it. The same schema in every thread.
   * @throws SchemaError, OutOfMemoryError, ClosedError
   */
  intervalMap<const B extends BoundsName, T, V = T>(name: string, schema: IntervalMapSchema<B, T, V>): IntervalMap<B, T, V> {
    checkSchema(schema);
    return this.#structure(
      name,
      schemaText(schema),
      () => new IntervalMap<B, T, V>(this.#directory.open(name, schemaText(schema), { nodeBytes: nodeBytes(schema) }), schema),
    );
  }

  /**
   * Open the map of this name, or make it. The same schema in every thread.
   * @throws SchemaError, OutOfMemoryError, ClosedError; QuiesceError (ERR_SCHEMA), InvalidSizeError
   */
  map<K, T, V = T>(name: string, schema: MapSchema<K, T, V>): SharedMap<K, T, V> {
    checkMapSchema(schema);
    const text = mapSchemaText(schema);
    const shape = { nodeBytes: 0, headerBytes: headerBytes(this.domain.arena.layout.slots) };
    return this.#structure(name, text, () => new SharedMap<K, T, V>(this.#directory.open(name, text, shape), schema));
  }

  /**
   * Open the list of this name, or make it. The same codec in every thread.
   * @throws SchemaError, OutOfMemoryError, ClosedError; QuiesceError (ERR_SCHEMA)
   */
  list<T>(name: string, codec: CodecBase<T>): SharedList<T> {
    const schema = listSchemaText(codec);
    return this.#structure(name, schema, () => new SharedList<T>(this.#directory.open(name, schema, { nodeBytes: LIST_NODE_BYTES }), codec));
  }

  /**
   * Open the cell of this name, or make it: one value with a version. The same codec in every thread; `initial` is for whoever finds it without a value.
   * @throws SchemaError, ValueError, OutOfMemoryError, ClosedError
   */
  cell<T>(name: string, codec: CodecBase<T>, options: CellOptions<T> & { readonly initial: T }): Cell<T, never>;
  cell<T>(name: string, codec: CodecBase<T>, options?: CellOptions<T>): Cell<T>;
  cell<T>(name: string, codec: CodecBase<T>, options?: CellOptions<T>): Cell<T> {
    const schema = cellSchema(codec);
    const cell = this.#structure(name, schema, () => new Cell<T>(this.#directory.open(name, schema, { nodeBytes: 0 }), codec));
    if (options?.initial !== undefined) cell.begin(options.initial);
    return cell;
  }

  /**
   * Open the phase domain of this name, or make it: sections that may await, with grace periods of their own, so that a reader that sleeps there holds up
   * nothing else (the kernel's srcu_struct). What its readers use must be retired in it too.
   * @throws SchemaError, ClosedError
   */
  phaseDomain(name: string, options?: DomainOptions): Domain {
    if (this.#closed) throw new ClosedError("this shared memory");
    return this.domain.open(this.#directory.openPhaseDomain(name), options);
  }

  #structure<S>(name: string, schema: string, make: () => S): S {
    if (this.#closed) throw new ClosedError("this shared memory");
    const open = this.#open.get(name);
    if (open?.schema === schema) return open.structure as S;
    const structure = make();
    this.#open.set(name, { schema, structure });
    return structure;
  }

  /**
   * Reap a worker's slot when its thread ends, however it ends: its read sections are over, its locks tell their next owner,
   * what it retired is given back. Keeps no process alive. Call it for each worker that attaches, in the turn that made it, from a
   * thread that outlives it: a closed or dead watcher sees nothing. For web workers of browsers and Deno, which do not tell, see `reapDead`.
   * @throws HandleError when the worker does not tell its thread's number and its end
   */
  watch(worker: WatchableWorker): void {
    const onEnd = typeof worker?.threadId === "number" ? ending(worker) : undefined;
    if (onEnd === undefined) {
      throw new HandleError(
        "ERR_WORKER",
        "watch() takes a Worker that tells its threadId and its end (node:worker_threads, or Bun's); for web workers that do not, call reapDead().",
      );
    }
    const thread = worker.threadId;
    if (thread < 0)
      throw new HandleError(
        "ERR_WORKER",
        "watch() was given a worker that has ended already, whose thread can no longer be told: watch it in the turn that made it.",
      );
    const unwatch = onEnd(() => {
      this.#unwatch.delete(unwatch);
      unwatch();
      // A thread that has ended has no number. Deno still tells it: there terminate() says `exit` while the thread runs on (2.9.6).
      if (worker.threadId === thread && canTell()) void this.#reapOnceDead(thread);
      else this.#reap(thread);
    });
    this.#unwatch.add(unwatch);
  }

  /** Reap a thread that is going to end. Keeps no process alive. */
  async #reapOnceDead(thread: number): Promise<void> {
    const { memory, layout } = this.domain.arena;
    for (let milliseconds = 1; !this.#closed; milliseconds = Math.min(2 * milliseconds, LONGEST_PAUSE)) {
      if (await this.isDead(thread)) {
        await pause(LINGER);
        return this.#reap(thread);
      }
      if (!liveThreads(memory, layout).includes(thread)) return; // it had not attached, or has left by itself
      await pause(milliseconds);
    }
  }

  /**
   * Whether an attached thread has ended, asked of the platform (Web Locks: browsers, Deno, Node from 24.5). Keeps no process alive.
   * @param thread the number its slot shows in `stats()`
   * @returns undefined: cannot tell, because the platform cannot, or the thread is not attached, or only since this very turn of its event loop
   */
  isDead(thread: number): Promise<boolean | undefined> {
    const { memory, layout } = this.domain.arena;
    return isDead(this.#id, thread, () => saysItHoldsLiveness(memory, layout, thread));
  }

  /**
   * Ask of every attached thread whether it has ended, and reap those that have, after a while (300 ms) and a second question: for workers whose end nobody is
   * told, such as web workers. Without Web Locks (Node 20 and 22, Bun) it finds none. Keeps no process alive.
   * @returns the numbers of the threads it reaped
   * @throws ClosedError
   */
  async reapDead(): Promise<number[]> {
    if (this.#closed) throw new ClosedError("this shared memory");
    const { memory, layout } = this.domain.arena;
    const found = await this.#deadOf(liveThreads(memory, layout));
    if (found.length === 0) return found;
    await pause(LINGER);
    if (this.#closed) return [];
    const dead = await this.#deadOf(found); // somebody else may have reaped some
    for (const thread of dead) this.#reap(thread);
    return dead;
  }

  async #deadOf(threads: readonly number[]): Promise<number[]> {
    const answers = await Promise.all(threads.map((thread) => this.isDead(thread)));
    return threads.filter((_, i) => answers[i] === true);
  }

  #reap(thread: number): void {
    if (this.#closed) return;
    try {
      this.domain.reap(thread, REAP_WAIT);
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error;
      // The lock's owner is dead too, and its exit event waits for this turn to end.
      const timer = setTimeout(() => this.#reap(thread), 1) as { unref?: () => void };
      timer.unref?.();
    }
  }

  /** Figures of the whole memory. */
  stats(): SharedStats {
    if (this.#closed) throw new ClosedError("this shared memory");
    const { memory, layout, heap } = this.domain.arena;
    const domain = this.domain.stats();
    return {
      bytes: heap.bytes(),
      gracePeriods: domain.gracePeriods,
      gpMicros: domain.gpMicros,
      retired: { waiting: domain.waiting },
      threads: attachedThreads(memory, layout),
      structures: [...this.#directory.list()],
      domain,
    };
  }

  /** Threads that hold up a grace period for long, and that nobody watches, may be dead. */
  async #reapSuspects(threads: readonly number[]): Promise<void> {
    for (const thread of threads) {
      if (this.#closed) return;
      if ((await this.isDead(thread)) !== true) {
        this.#deadSince.delete(thread);
        continue;
      }
      // Not at once: on Deno the lock is free some time before the thread has stopped.
      const since = this.#deadSince.get(thread) ?? performance.now();
      this.#deadSince.set(thread, since);
      if (performance.now() - since < SUSPECT_LINGER) continue;
      this.#deadSince.delete(thread);
      this.#reap(thread);
    }
  }

  /**
   * Every violated invariant of the arena and of the structures opened in this thread; none is good. Complete only while no
   * other thread is attached: where each object is can be told of one's own thread alone.
   */
  check(): string[] {
    if (this.#closed) throw new ClosedError("this shared memory");
    const violations = this.domain.arena.check();
    for (const { structure } of this.#open.values()) violations.push(...(structure as { check(): string[] }).check());
    return violations;
  }

  /** Detach this thread; the memory lives on while others use it. The second time does nothing. */
  close(): void {
    if (this.#closed) return;
    if (!this.domain.closed) this.domain.detach();
    this.#closed = true;
    this.#letGoOfLiveness(); // only now: a thread that has a slot and does not hold its lock is taken for dead
    for (const unwatch of this.#unwatch) unwatch();
    attached.delete(this.#id);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** How to be told of a worker's end; gives how to be told no longer. Undefined when it does not tell. */
function ending(worker: WatchableWorker): ((listener: () => void) => () => void) | undefined {
  if ("on" in worker && typeof worker.on === "function") {
    return (listener) => {
      worker.on("exit", listener);
      return () => worker.off("exit", listener);
    };
  }
  if ("addEventListener" in worker && typeof worker.addEventListener === "function") {
    return (listener) => {
      worker.addEventListener("close", listener);
      return () => worker.removeEventListener("close", listener);
    };
  }
  return undefined;
}
