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
 * with sleep sets kept here), or with `preemptions` all those with few preemptions. Spin loops are cut
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
import { Footprint, Op } from "./operation.js";
import { Path, Reduction } from "./reduction.js";
import { inSandbox, realTime, START_TIME } from "./sandbox.js";
import type { Annotate, ExploreOptions, Failure, FailureKind, Result, Scenario, Tools } from "./scenario.js";
import { decodeSchedule, describe, encodeSchedule, failureText, labelOf, standing, stepLines, threadName } from "./schedule.js";
import { abandoned, type Frontier, ScheduledMemory } from "./scheduled-memory.js";
import { privileged, Shadow, ShadowError } from "./shadow.js";
import { JournalledCells } from "./shadow-cells.js";
import { Spins } from "./spin.js";
import { Field, Sleep, ThreadStates } from "./thread-state.js";
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

// In place of a thread: nobody is chosen yet; the search is over; threads are brought to their first access.
const NONE = -1;
const HALT = -2;
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
  readonly #path: Path = new Path();
  readonly #reduction: Reduction | undefined;
  readonly #sleepSets: boolean;
  readonly #visiblePlain: boolean;
  readonly #anyTimeouts: boolean;
  readonly #parkSpins: boolean;
  readonly #maxSteps: number;
  readonly #footprint: Footprint = new Footprint();
  readonly #pending: Footprint = new Footprint();

  #depth = 0;
  /** The thread whose code runs: the one entered last. */
  #running = NONE;
  /** The thread whose turn it is. */
  #grant: number = START;
  #failure: Failure | undefined;
  #over = false;

  readonly #spins: Spins;
  /** Operations that the running thread makes without being scheduled in between. */
  #burst = 0;

  #executions = 0;
  #redundant = 0;
  #plainRun = 0;
  #bounded = false;
  #capped = false;
  #impure = false;
  #deadline = 0;

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
    const source = (options.reduction ?? "source") === "source" && options.preemptions === undefined && forced === undefined;
    this.#reduction = source ? new Reduction(count, 2 * words, this.#path, this.#book) : undefined;
    this.#sleepSets = source || (options.reduction === "sleep" && options.preemptions === undefined && forced === undefined);
    this.#visiblePlain = options.plain === "visible";
    this.#anyTimeouts = options.timeouts === "any";
    this.#parkSpins = options.spin !== "explore";
    this.#maxSteps = options.maxSteps ?? 2000;
    this.#threads = scenario.threads.map((_, t) => new ScheduledMemory(t, words, this));
    this.#machine = new Machine(this.#memory, this.#shadow, this.#states, this.#threads);
    this.#spins = new Spins(count, this.#memory.undo, this.#states);
    this.#deferred = scenario.threads.map(() => []);
    this.#tools = scenario.threads.map((_, t) => this.#toolsOf(t));
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
    this.#deadline = start + (this.#options.maxSeconds ?? Number.POSITIVE_INFINITY) * 1000;
    this.#setup();
    for (let t = 0; t < this.#count && this.#failure === undefined; t++) this.enter(t);
    this.#path.sleep[0] = 0;
    this.#grant = NONE;
    for (;;) {
      if (this.#grant === NONE) this.#grant = this.#choose();
      if (this.#grant === HALT) break;
      this.enter(this.#grant);
    }
    this.#over = true;
    const seconds = (realTime() - start) / 1000;
    const result: Result = {
      scenario: this.#scenario.name,
      executions: this.#executions,
      redundant: this.#redundant,
      accesses: this.#machine.accesses,
      seconds,
      perSecond: Math.round(this.#executions / seconds),
      complete: this.#failure === undefined && this.#forced === undefined && !this.#bounded && !this.#capped && !this.#impure,
      spins: this.#spins.found,
    };
    return this.#failure === undefined ? result : { ...result, failure: this.#failure };
  }

  #setup(): void {
    const shadow = this.#shadow;
    const annotate: Annotate = {
      allocated: (address, words) => shadow?.setState(address, words, "fresh"),
      freed: (address, words) => shadow?.setState(address, words, "freed"),
      immutable: (address, words) => shadow?.setState(address, words, "immutable"),
      privileged: (body) => body(),
    };
    this.#scenario.setup?.(this.#memory, { thread: -1, annotate, ...turns(this.#setupTasks) });
    drain(this.#setupTasks);
  }

  #toolsOf(t: number): Tools {
    const memory = this.#threads[t] as ScheduledMemory;
    const annotate: Annotate = {
      allocated: (address, words) => void memory.operate(Op.allocated, address, words, 0),
      freed: (address, words) => void memory.operate(Op.freed, address, words, 0),
      immutable: (address, words) => void memory.operate(Op.immutable, address, words, 0),
      privileged: (body) => privileged(this.#shadow, t, body),
    };
    return { thread: t, annotate, ...turns(this.#deferred[t] as (() => void)[]) };
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
    const d = this.#depth;
    const path = this.#path;
    const i = memory.end;
    path.position[d] = i;
    path.previous[d] = this.#states.get(t, Field.lastStep);
    path.memoryMark[d] = this.#memory.undo.mark();
    path.bookMark[d] = this.#book.mark();
    const lastResort = path.lastResort[d] === true;
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
    this.#depth = d + 1;
    this.#states.set(t, Field.lastStep, d + 1);
    const value = this.#perform(memory);
    if (this.#states.get(t, Field.goesOn) !== 0 && !log.futile(i)) {
      this.#impure = true;
      this.#states.set(t, Field.goesOn, 0);
    }
    if (this.#sleepSets) {
      const footprint = this.#footprint;
      footprint.of(log, i, memory.words, effect, this.#anyTimeouts);
      // A whole turn of a spin is a step, and counts as one also if a word has changed (see Footprint on wait).
      for (let k = 1; k < spin; k++) footprint.more(log, i - k, memory.words, false, this.#anyTimeouts);
      this.#reduction?.step(d, footprint, after);
      path.sleep[d + 1] = lastResort ? 0 : this.#stillAsleep((path.sleep[d] as number) | ((path.done[d] as number) & ~(1 << t)), footprint);
    } else path.sleep[d + 1] = 0;
    this.#burst = Math.max(0, burst - 1);
    return value;
  }

  #perform(memory: ScheduledMemory): number {
    try {
      return this.#machine.perform(memory, this.#depth);
    } catch (error) {
      if (!(error instanceof ShadowError)) throw error;
      this.#fail(error.kind, error.message, error, error.stacks);
      throw memory.abandon();
    }
  }

  // Of the threads that need not be tried, those whose next step is independent of what was just done.
  #stillAsleep(sleep: number, footprint: Footprint): number {
    let left = sleep;
    for (let u = 0; u < this.#count; u++) {
      if ((sleep & (1 << u)) === 0) continue;
      const other = this.#threads[u] as ScheduledMemory;
      this.#pending.of(other.log, other.end, other.words, this.#machine.takesEffect(other), this.#anyTimeouts);
      for (let k = 1; k < this.#states.get(u, Field.spin); k++) this.#pending.more(other.log, other.end - k, other.words, false, this.#anyTimeouts);
      if (this.#pending.conflicts(footprint)) left &= ~(1 << u);
    }
    return left;
  }

  // --- the search --------------------------------------------------------------------------

  /** The thread that makes the next step, after going back to an earlier point if this execution is over. */
  #choose(): number {
    if (this.#failure !== undefined) return HALT;
    this.#burst = 0;
    const path = this.#path;
    const d = this.#depth;
    let enabled = 0;
    let unfinished = 0;
    let sleepers = 0; // can go on as a last resort
    let spinners = 0; // can, if there are no such sleepers either
    for (let t = 0; t < this.#count; t++) {
      const { log, end } = this.#threads[t] as ScheduledMemory;
      const op = log.op[end];
      if (op === Op.end) continue;
      const bit = 1 << t;
      unfinished |= bit;
      const asleep = op === Op.wake && this.#states.get(t, Field.sleeping) !== Sleep.notified;
      const spins = this.#states.parked(t);
      const timeout = asleep && log.y[end] === 1;
      if ((!asleep && !spins) || (timeout && this.#anyTimeouts)) enabled |= bit;
      else if (timeout) sleepers |= bit;
      else if (spins) spinners |= bit;
    }
    if (unfinished === 0) return this.#finished();
    const lastResort = enabled === 0;
    if (lastResort) enabled = sleepers !== 0 ? sleepers : spinners;
    if (enabled === 0) return this.#failWith("deadlock", `deadlock: ${standing(this.#scenario, this.#threads)}`);
    if (d >= this.#maxSteps) return this.#failWith("livelock", `livelock: ${d} steps and no end: ${standing(this.#scenario, this.#threads)}`);
    path.enabled[d] = enabled;
    path.lastResort[d] = lastResort;
    path.done[d] = 0;
    const last = d === 0 ? NONE : (path.thread[d - 1] as number);
    if (d === 0) path.preemptions[d] = 0;
    else {
      // Switching away from a thread at d - 1 that could have gone on there is a preemption.
      const before = d === 1 ? NONE : (path.thread[d - 2] as number);
      const preempted = before !== NONE && before !== last && ((path.enabled[d - 1] as number) & (1 << before)) !== 0;
      path.preemptions[d] = (path.preemptions[d - 1] as number) + (preempted ? 1 : 0);
    }
    let pick: number;
    if (this.#forced !== undefined && d < this.#forced.length) {
      pick = this.#forced[d] as number;
      if ((enabled & (1 << pick)) === 0) {
        throw new RangeError(`the schedule does not fit scenario "${this.#scenario.name}": at step ${d + 1} thread ${threadName(pick)} cannot run`);
      }
      path.backtrack[d] = 1 << pick;
    } else {
      const awake = enabled & ~(path.sleep[d] as number);
      if (awake === 0) {
        this.#redundant++;
        return this.#back();
      }
      // Staying with the thread that ran costs no replay and no preemption.
      pick = last !== NONE && (awake & (1 << last)) !== 0 ? last : 31 - Math.clz32(awake & -awake);
      path.backtrack[d] = this.#forced !== undefined || (this.#reduction !== undefined && !lastResort) ? 1 << pick : this.#allowed(d, enabled);
    }
    return this.#take(d, pick);
  }

  #take(d: number, t: number): number {
    this.#path.thread[d] = t;
    this.#path.done[d] = (this.#path.done[d] as number) | (1 << t);
    return t;
  }

  // Those of the threads that the preemption bound lets run here.
  #allowed(d: number, enabled: number): number {
    const bound = this.#options.preemptions;
    if (bound === undefined || d === 0) return enabled;
    const last = 1 << (this.#path.thread[d - 1] as number);
    if ((enabled & last) === 0 || (this.#path.preemptions[d] as number) < bound) return enabled;
    if (enabled !== last) this.#bounded = true;
    return last;
  }

  #finished(): number {
    this.#executions++;
    if (this.#scenario.verify !== undefined) {
      const mark = this.#memory.undo.mark();
      const running = this.#running;
      this.#running = NONE;
      try {
        this.#scenario.verify(this.#memory, this.#results);
      } catch (error) {
        return this.#failWith("verify", `verify: ${text(error)}`, error);
      }
      this.#memory.undo.rewind(mark);
      this.#running = running;
      this.#setupTasks.length = 0;
    }
    return this.#back();
  }

  #back(): number {
    const path = this.#path;
    const runs = this.#executions + this.#redundant;
    const capped = runs >= (this.#options.maxExecutions ?? 10_000_000) || ((runs & 255) === 0 && realTime() > this.#deadline);
    while (this.#depth > 0) {
      const d = --this.#depth;
      const memory = this.#threads[path.thread[d] as number] as ScheduledMemory;
      memory.end = path.position[d] as number;
      memory.known = memory.end + 1;
      this.#memory.undo.rewind(path.memoryMark[d] as number);
      this.#book.rewind(path.bookMark[d] as number);
      const rest = (path.backtrack[d] as number) & ~(path.done[d] as number) & ~(path.sleep[d] as number);
      if (rest === 0) continue;
      if (capped) {
        this.#capped = true;
        return HALT;
      }
      return this.#take(d, 31 - Math.clz32(rest & -rest));
    }
    return HALT;
  }

  // --- failures ----------------------------------------------------------------------------

  #failWith(kind: FailureKind, message: string, error?: unknown): number {
    this.#fail(kind, message, error);
    return HALT;
  }

  #fail(kind: FailureKind, message: string, error?: unknown, stacks: readonly string[] = []): void {
    if (this.#failure !== undefined) return;
    this.#grant = HALT;
    const schedule = encodeSchedule(this.#path.thread.slice(0, this.#depth), this.#options);
    const steps = stepLines(this.#scenario, this.#path, this.#depth, this.#threads, this.#visiblePlain);
    this.#failure = { kind, message, error, schedule, steps, text: failureText(this.#scenario.name, message, steps, stacks, schedule) };
  }
}

function turns(tasks: (() => void)[]): Pick<Tools, "defer" | "turn"> {
  return {
    defer: (task) => void tasks.push(task),
    turn: (body) => {
      const result = body();
      drain(tasks);
      return result;
    },
  };
}

function drain(tasks: (() => void)[]): void {
  for (let i = 0; i < tasks.length; i++) (tasks[i] as () => void)();
  tasks.length = 0;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
