/**
 * The explorer: runs a scenario through every interleaving of its accesses to shared memory.
 *
 * How a thread is suspended. It is not: it is re-run over the values it recorded (see
 * scheduled-memory.ts, the idea of loom). Two things keep that from being quadratic:
 * - A thread stays on the JavaScript stack while it is the one scheduled, and also while another
 *   one runs: the other is started inside the access at which the first stands, on top of it.
 *   Only what lies above is abandoned when the first goes on. At most one run of each thread is on the stack.
 * - Going back to an earlier point undoes the memory (undo.ts) and shortens the recordings. No
 *   prefix is executed again; a thread is replayed only when it is next scheduled.
 *
 * What is explored: depth first, one execution of each class of equivalent ones (reduction.ts,
 * with sleep sets: search.ts), or with `preemptions` all those with few preemptions. Spin loops are cut
 * short (spin.ts).
 *
 * Why plain accesses need not be scheduling points (`plain: "invisible"`). ECMAScript
 * guarantees that a program without data races behaves as sequentially consistent (DRF-SC;
 * Watt, Pulte, Podkopaev, Barbier, Dolan, Flur, Pichon-Pharabod & Guo, "Repairing and mechanising the
 * JavaScript relaxed memory model", PLDI 2020, adopted by ECMA-262). In such a program every two
 * conflicting accesses of which one is plain are ordered by happens-before, hence by the atomic
 * accesses: moving a plain access next to the atomic access before it in its thread passes over nothing
 * that conflicts with it, so each execution is equivalent to one that switches at atomic accesses only.
 * And if there is a race, one of those executions shows it: take the shortest execution that
 * ends in a race; before it there is none, so it can be rearranged as above, and the detector, which
 * compares clocks and not times, reports it whichever of the two accesses comes first
 * (also Musuvathi & Qadeer, CHESS, PLDI 2007). So: no race reported and `complete` means that
 * all behaviours of all conforming engines were covered. With `races: false` nothing of this holds.
 */

import { LocalSites } from "./call-sites.js";
import { Machine } from "./machine.js";
import { Op } from "./operation.js";
import { inSandbox, realTime, START_TIME } from "./sandbox.js";
import type { ExploreOptions, Failure, FailureKind, Result, Scenario, Tools } from "./scenario.js";
import { decodeSchedule, describe, encodeSchedule, failureText, labelOf, stepLines, threadName } from "./schedule.js";
import { abandoned, type Frontier, ScheduledMemory } from "./scheduled-memory.js";
import { HALT, NONE, Search } from "./search.js";
import { Shadow, ShadowError } from "./shadow.js";
import { JournalledCells } from "./shadow-cells.js";
import { Spins } from "./spin.js";
import { Field, Sleep, ThreadStates } from "./thread-state.js";
import { drain, setupTools, threadTools } from "./tools.js";
import { Undo } from "./undo.js";
import { UndoMemory } from "./undo-memory.js";

/** Explore a scenario. Stops at the first failure. */
export function explore(scenario: Scenario, options: ExploreOptions = {}): Result {
  const result = new Explorer(scenario, options, undefined).run();
  if (result.failure === undefined) return result;
  // Stacks are too dear to keep while exploring, and an execution can be had again.
  const again = new Explorer(scenario, options, decodeSchedule(result.failure.schedule).threads).run();
  return again.failure?.kind === result.failure.kind ? { ...result, failure: again.failure } : result;
}

/** Run one execution again; after the end of the schedule threads run one after the other. */
export function replay(scenario: Scenario, schedule: string, options: ExploreOptions = {}): Result {
  const decoded = decodeSchedule(schedule);
  return new Explorer(scenario, { ...options, ...decoded.options }, decoded.threads).run();
}

// In place of a thread: threads are brought to their first access.
const START = -3;

/** Plain accesses between two scheduled ones beyond which a thread is taken to hang. */
const PLAIN_LIMIT = 1_000_000;

class Explorer implements Frontier {
  readonly #scenario: Scenario;
  readonly #options: ExploreOptions;
  readonly #forced: readonly number[] | undefined;
  readonly #count: number;
  readonly #memory: UndoMemory;
  readonly #book: Undo = new Undo(0);
  readonly #threads: readonly ScheduledMemory[];
  readonly #tools: readonly Tools[];
  readonly #deferred: (() => void)[][];
  readonly #setupTasks: (() => void)[] = [];
  readonly #results: unknown[];
  readonly #shadow: Shadow | undefined;
  readonly #states: ThreadStates;
  readonly #machine: Machine;
  readonly #search: Search;
  readonly #visiblePlain: boolean;
  readonly #anyTimeouts: boolean;
  readonly #parkSpins: boolean;

  /** The thread whose code runs: the one entered last. */
  #running = NONE;
  /** The thread whose turn it is. */
  #grant: number = START;
  #failure: Failure | undefined;
  #over = false;

  readonly #spins: Spins;
  /** Operations that the running thread makes without being scheduled in between. */
  #burst = 0;

  #plainRun = 0;
  #impure = false;

  constructor(scenario: Scenario, options: ExploreOptions, forced: readonly number[] | undefined) {
    const count = scenario.threads.length;
    const words = scenario.words ?? 1024;
    if (count < 1 || count > 26) throw new RangeError(`scenario "${scenario.name}" has ${count} threads; 1 to 26 are possible`);
    this.#scenario = scenario;
    this.#options = options;
    this.#forced = forced;
    this.#count = count;
    this.#memory = new UndoMemory(words);
    this.#states = new ThreadStates(this.#book, count);
    const label = (address: number): string => labelOf(scenario, address);
    const races = options.races ?? true;
    const keepsSites = forced !== undefined; // of one execution
    const cells = new JournalledCells(this.#book, count, words, keepsSites);
    this.#shadow = races ? new Shadow(cells, { ...(keepsSites ? { sites: new LocalSites() } : {}), label, threadName }) : undefined;
    this.#visiblePlain = options.plain === "visible";
    this.#anyTimeouts = options.timeouts === "any";
    this.#parkSpins = options.spin !== "explore";
    this.#threads = scenario.threads.map((_, t) => new ScheduledMemory(t, words, this));
    this.#machine = new Machine(this.#memory, this.#shadow, this.#states, this.#threads);
    this.#search = new Search({
      scenario,
      options,
      forced,
      threads: this.#threads,
      states: this.#states,
      machine: this.#machine,
      book: this.#book,
      finished: () => this.#finished(),
      fail: (kind, message) => this.#fail(kind, message),
    });
    this.#spins = new Spins(count, this.#memory.undo, this.#states);
    this.#deferred = scenario.threads.map(() => []);
    this.#tools = this.#threads.map((memory, t) => threadTools(memory, this.#shadow, this.#deferred[t] as (() => void)[]));
    this.#results = new Array<unknown>(count).fill(undefined);
  }

  run(): Result {
    return inSandbox(this, () => this.#run());
  }

  /** In place of queueMicrotask. */
  defer(task: () => void): void {
    (this.#running === NONE ? this.#setupTasks : (this.#deferred[this.#running] as (() => void)[])).push(task);
  }

  /** In place of the clocks. */
  now(): number {
    return START_TIME + (this.#threads[this.#running]?.waited ?? 0);
  }

  /** In place of Math.random. */
  random(): number {
    const memory = this.#threads[this.#running];
    if (memory === undefined) return 0.5;
    memory.seed = (Math.imul(memory.seed, 1664525) + 1013904223) >>> 0;
    return memory.seed / 0x100000000;
  }

  #run(): Result {
    const start = realTime();
    this.#scenario.setup?.(this.#memory, setupTools(this.#shadow, this.#setupTasks));
    drain(this.#setupTasks);
    for (let t = 0; t < this.#count && this.#failure === undefined; t++) this.enter(t);
    this.#grant = NONE;
    for (;;) {
      if (this.#grant === NONE) this.#grant = this.#choose();
      if (this.#grant === HALT) break;
      this.enter(this.#grant);
    }
    this.#over = true;
    const seconds = (realTime() - start) / 1000;
    const { executions, redundant, bounded, capped } = this.#search;
    const result: Result = {
      scenario: this.#scenario.name,
      executions,
      redundant,
      accesses: this.#machine.accesses,
      seconds,
      perSecond: Math.round(executions / seconds),
      complete: this.#failure === undefined && this.#forced === undefined && !bounded && !capped && !this.#impure,
      spins: this.#spins.found,
    };
    return this.#failure === undefined ? result : { ...result, failure: this.#failure };
  }

  // --- running threads ---------------------------------------------------------------------

  /** Run a thread from its start until it ends or is abandoned. (Public for its name in stacks.) */
  enter(t: number): void {
    const memory = this.#threads[t] as ScheduledMemory;
    const tasks = this.#deferred[t] as (() => void)[];
    const below = this.#running;
    this.#running = t;
    this.#runToEnd(t, memory, tasks);
    this.#running = below;
  }

  #runToEnd(t: number, memory: ScheduledMemory, tasks: (() => void)[]): void {
    for (;;) {
      memory.begin();
      tasks.length = 0;
      if (this.#shadow !== undefined) this.#shadow.lenient[t] = 0;
      this.#plainRun = 0;
      let failed = false;
      let outcome: unknown;
      try {
        outcome = (this.#scenario.threads[t] as (m: ScheduledMemory, tools: Tools) => unknown)(memory, this.#tools[t] as Tools);
        drain(tasks);
      } catch (error) {
        failed = true;
        outcome = error;
      }
      if (this.#spins.probing(t)) {
        this.#spins.end(memory);
        continue;
      }
      if (memory.dead) return; // abandoned, whatever it made of that
      const arrived = memory.cursor === memory.end;
      memory.abandon();
      if (!arrived) this.#fail("nondeterminism", `thread ${threadName(t)} ended earlier than the time before, over the same values`);
      else if (failed) this.#fail("thread", `thread ${threadName(t)} threw: ${text(outcome)}`, outcome);
      else {
        memory.log.put(memory.end, Op.end, 0, 0, 0);
        memory.known = memory.end + 1;
        this.#results[t] = outcome;
        if (this.#grant === t) this.#grant = NONE;
      }
      return;
    }
  }

  reach(memory: ScheduledMemory, op: Op, address: number, x: number, y: number): number {
    if (memory.dead) {
      if (!this.#over) throw abandoned;
      throw new Error(
        `thread ${threadName(memory.index)} used its memory after its run: a microtask or timer was left behind. Give the code tools.defer instead.`,
      );
    }
    if (this.#spins.probing(memory.index)) return this.#spins.step(memory, op, address, x, y);
    const words = op === Op.fill || op >= Op.allocated ? x : op === Op.copy ? y : op === Op.readBytes || op === Op.writeBytes ? (x + 3) >> 2 : 1;
    if (!(address >= 0 && address + words <= memory.words && Number.isInteger(address)))
      throw new RangeError(`${words} words at ${address} are out of a memory of ${memory.words} words`);
    const log = memory.log;
    if (memory.known > memory.end) {
      if (!log.is(memory.end, op, address, x, y)) this.nondeterministic(memory, memory.end, op, address);
    } else {
      log.put(memory.end, op, address, x, y);
      if (op >= Op.allocated || (op >= Op.read && !this.#visiblePlain)) {
        if (this.#burst > 0) this.#burst--;
        if (++this.#plainRun > PLAIN_LIMIT) {
          this.#fail("livelock", `thread ${threadName(memory.index)} made ${PLAIN_LIMIT} plain accesses in a row: a spin on plain reads?`);
          throw memory.abandon();
        }
        return this.#perform(memory);
      }
      memory.known = memory.end + 1;
      if (this.#grant === START) throw memory.abandon();
      if (this.#burst > 0) {
        this.#burst--;
        return this.#perform(memory);
      }
      if (this.#parkSpins) {
        const length = this.#spins.look(memory);
        if (length > 0) return this.#spins.begin(memory, length);
      }
    }
    if (this.#grant === START) throw memory.abandon();
    for (;;) {
      if (this.#grant === NONE) this.#grant = this.#choose();
      const grant = this.#grant;
      const stale = memory.cursor !== memory.end;
      if (grant === memory.index && !stale) {
        this.#grant = NONE;
        this.#plainRun = 0;
        return this.#scheduled(memory);
      }
      if (grant === HALT || stale || !(this.#threads[grant] as ScheduledMemory).dead) throw memory.abandon();
      this.enter(grant);
    }
  }

  nondeterministic(memory: ScheduledMemory, at: number, op: Op, address: number): never {
    const before = describe(this.#scenario, memory.log, at, false);
    memory.log.put(at, op, address, 0, 0);
    const now = describe(this.#scenario, memory.log, at, false);
    const hint = "A thread must depend on nothing but what it reads: no clocks, random numbers or outer variables.";
    this.#fail("nondeterminism", `thread ${threadName(memory.index)} did "${before}" and, run again over the same values, "${now}". ${hint}`);
    throw memory.abandon();
  }

  // --- one step ----------------------------------------------------------------------------

  /** Perform the operation that the thread stands at and that was chosen. */
  #scheduled(memory: ScheduledMemory): number {
    const t = memory.index;
    const i = memory.end;
    this.#search.begin(memory); // before any state changes
    const log = memory.log;
    const op = log.op[i];
    const spin = this.#states.get(t, Field.spin);
    let burst = 0;
    if (spin !== 0) {
      burst = this.#states.get(t, Field.burst);
      this.#states.set(t, Field.spin, 0);
      this.#states.set(t, Field.burst, 0);
      if (burst === 0) this.#states.set(t, Field.goesOn, 1);
      else if (!this.#spins.wouldRepeat(memory, spin)) burst = 0;
    }
    const effect = this.#machine.takesEffect(memory);
    // A wake that could also have been a timeout races with its notify; one that could not follows it.
    const ordered = op === Op.wake && this.#states.get(t, Field.sleeping) === Sleep.notified && !(this.#anyTimeouts && log.y[i] === 1);
    const after = ordered ? this.#states.get(t, Field.notifiedBy) : 0;
    const value = this.#perform(memory);
    if (this.#states.get(t, Field.goesOn) !== 0 && !log.futile(i)) {
      this.#impure = true;
      this.#states.set(t, Field.goesOn, 0);
    }
    this.#search.end(memory, i, effect, spin, after);
    this.#burst = Math.max(0, burst - 1);
    return value;
  }

  #perform(memory: ScheduledMemory): number {
    try {
      return this.#machine.perform(memory, this.#search.depth);
    } catch (error) {
      if (!(error instanceof ShadowError)) throw error;
      this.#fail(error.kind, error.message, error, error.stacks);
      throw memory.abandon();
    }
  }

  // --- the search's questions ----------------------------------------------------------------

  #choose(): number {
    this.#burst = 0;
    return this.#failure === undefined ? this.#search.choose() : HALT;
  }

  /** An execution is over: is it as it must be? */
  #finished(): boolean {
    if (this.#scenario.verify === undefined) return true;
    const mark = this.#memory.undo.mark();
    const running = this.#running;
    this.#running = NONE;
    try {
      this.#scenario.verify(this.#memory, this.#results);
    } catch (error) {
      this.#fail("verify", `verify: ${text(error)}`, error);
      return false;
    }
    this.#memory.undo.rewind(mark);
    this.#running = running;
    this.#setupTasks.length = 0;
    return true;
  }

  // --- failures ----------------------------------------------------------------------------

  #fail(kind: FailureKind, message: string, error?: unknown, stacks: readonly string[] = []): void {
    if (this.#failure !== undefined) return;
    this.#grant = HALT;
    const { path, depth } = this.#search;
    const schedule = encodeSchedule(path.thread.slice(0, depth), this.#options);
    const steps = stepLines(this.#scenario, path, depth, this.#threads, this.#visiblePlain);
    this.#failure = { kind, message, error, schedule, steps, text: failureText(this.#scenario.name, message, steps, stacks, schedule) };
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
