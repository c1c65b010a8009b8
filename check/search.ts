/**
 * The search: depth first through the orders of the threads' steps, with the path of the execution that is under way, sleep sets, and the bound
 * of preemptions. Which other orders matter is reduction.ts's business; running the threads is the explorer's.
 */

import type { Machine } from "./machine.js";
import { Footprint, Op } from "./operation.js";
import { Path, Reduction } from "./reduction.js";
import { realTime } from "./sandbox.js";
import type { ExploreOptions, FailureKind, Scenario } from "./scenario.js";
import { standing, threadName } from "./schedule.js";
import type { ScheduledMemory } from "./scheduled-memory.js";
import { Field, Sleep, type ThreadStates } from "./thread-state.js";
import type { Undo } from "./undo.js";

/** In place of a thread: nobody is chosen yet. */
export const NONE = -1;
/** In place of a thread: the search is over. */
export const HALT = -2;

/** What the search goes over, and whom it tells. */
export interface Searched {
  readonly scenario: Scenario;
  readonly options: ExploreOptions;
  /** Threads of the first steps, when one execution is run again. */
  readonly forced: readonly number[] | undefined;
  readonly threads: readonly ScheduledMemory[];
  readonly states: ThreadStates;
  readonly machine: Machine;
  /** What is known of the threads, taken back together with the memory. */
  readonly book: Undo;
  /** An execution has come to its end; gives whether it was right. */
  finished(): boolean;
  fail(kind: FailureKind, message: string): void;
}

export class Search {
  readonly path: Path = new Path();
  depth = 0;
  /** Executions that ran to their end, and those that were equivalent to others. */
  executions = 0;
  redundant = 0;
  /** Something was left out: because of the bound of preemptions, or of executions or time. */
  bounded = false;
  capped = false;
  readonly #of: Searched;
  readonly #count: number;
  readonly #threads: readonly ScheduledMemory[];
  readonly #states: ThreadStates;
  readonly #reduction: Reduction | undefined;
  readonly #sleepSets: boolean;
  readonly #anyTimeouts: boolean;
  readonly #maxSteps: number;
  readonly #deadline: number;
  readonly #footprint: Footprint = new Footprint();
  readonly #pending: Footprint = new Footprint();

  constructor(of: Searched) {
    const { options, forced, threads } = of;
    this.#of = of;
    this.#count = threads.length;
    this.#threads = threads;
    this.#states = of.states;
    const reduces = options.preemptions === undefined && forced === undefined;
    const source = (options.reduction ?? "source") === "source" && reduces;
    this.#reduction = source ? new Reduction(threads.length, 2 * of.machine.memory.words, this.path, of.book) : undefined;
    this.#sleepSets = source || (options.reduction === "sleep" && reduces);
    this.#anyTimeouts = options.timeouts === "any";
    this.#maxSteps = options.maxSteps ?? 2000;
    this.#deadline = realTime() + (options.maxSeconds ?? Number.POSITIVE_INFINITY) * 1000;
    this.path.sleep[0] = 0;
  }

  /** The thread makes the step it stands at: note where things stood, to come back to. */
  begin(memory: ScheduledMemory): void {
    const { path, depth } = this;
    path.position[depth] = memory.end;
    path.previous[depth] = this.#states.get(memory.index, Field.lastStep);
    path.memoryMark[depth] = this.#of.machine.memory.undo.mark();
    path.bookMark[depth] = this.#of.book.mark();
    this.depth = depth + 1;
    this.#states.set(memory.index, Field.lastStep, depth + 1);
  }

  /**
   * The step at place `i` of its log, which `begin` began, is made.
   * @param effect whether it could have an effect, before
   * @param spin how many steps before it belong to it: a whole turn of a spin
   * @param after a step it follows by itself, depth + 1
   */
  end(memory: ScheduledMemory, i: number, effect: boolean, spin: number, after: number): void {
    const { path } = this;
    const d = this.depth - 1;
    if (!this.#sleepSets) {
      path.sleep[d + 1] = 0;
      return;
    }
    const { log, words } = memory;
    const footprint = this.#footprint;
    footprint.of(log, i, words, effect, this.#anyTimeouts);
    // A whole turn of a spin is a step, and counts as one also if a word has changed (see Footprint on wait).
    for (let k = 1; k < spin; k++) footprint.more(log, i - k, words, false, this.#anyTimeouts);
    this.#reduction?.step(d, footprint, after);
    const asleep = (path.sleep[d] as number) | ((path.done[d] as number) & ~(1 << memory.index));
    path.sleep[d + 1] = path.lastResort[d] === true ? 0 : this.#stillAsleep(asleep, footprint);
  }

  // Of the threads that need not be tried, those whose next step is independent of what was just done.
  #stillAsleep(sleep: number, footprint: Footprint): number {
    let left = sleep;
    for (let u = 0; u < this.#count; u++) {
      if ((sleep & (1 << u)) === 0) continue;
      const other = this.#threads[u] as ScheduledMemory;
      this.#pending.of(other.log, other.end, other.words, this.#of.machine.takesEffect(other), this.#anyTimeouts);
      for (let k = 1; k < this.#states.get(u, Field.spin); k++) this.#pending.more(other.log, other.end - k, other.words, false, this.#anyTimeouts);
      if (this.#pending.conflicts(footprint)) left &= ~(1 << u);
    }
    return left;
  }

  /** The thread that makes the next step, after going back to an earlier point if this execution is over. */
  choose(): number {
    const { path, depth: d } = this;
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
    if (enabled === 0) return this.#fails("deadlock", `deadlock: ${standing(this.#of.scenario, this.#threads)}`);
    if (d >= this.#maxSteps) return this.#fails("livelock", `livelock: ${d} steps and no end: ${standing(this.#of.scenario, this.#threads)}`);
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
    if (this.#of.forced !== undefined && d < this.#of.forced.length) {
      pick = this.#of.forced[d] as number;
      if ((enabled & (1 << pick)) === 0) {
        throw new RangeError(`the schedule does not fit scenario "${this.#of.scenario.name}": at step ${d + 1} thread ${threadName(pick)} cannot run`);
      }
      path.backtrack[d] = 1 << pick;
    } else {
      const awake = enabled & ~(path.sleep[d] as number);
      if (awake === 0) {
        this.redundant++;
        return this.#back();
      }
      // Staying with the thread that ran costs no replay and no preemption.
      pick = last !== NONE && (awake & (1 << last)) !== 0 ? last : 31 - Math.clz32(awake & -awake);
      path.backtrack[d] = this.#of.forced !== undefined || (this.#reduction !== undefined && !lastResort) ? 1 << pick : this.#allowed(d, enabled);
    }
    return this.#take(d, pick);
  }

  #take(d: number, t: number): number {
    this.path.thread[d] = t;
    this.path.done[d] = (this.path.done[d] as number) | (1 << t);
    return t;
  }

  // Those of the threads that the preemption bound lets run here.
  #allowed(d: number, enabled: number): number {
    const bound = this.#of.options.preemptions;
    if (bound === undefined || d === 0) return enabled;
    const last = 1 << (this.path.thread[d - 1] as number);
    if ((enabled & last) === 0 || (this.path.preemptions[d] as number) < bound) return enabled;
    if (enabled !== last) this.bounded = true;
    return last;
  }

  #back(): number {
    const path = this.path;
    const runs = this.executions + this.redundant;
    const capped = runs >= (this.#of.options.maxExecutions ?? 10_000_000) || ((runs & 255) === 0 && realTime() > this.#deadline);
    while (this.depth > 0) {
      const d = --this.depth;
      const memory = this.#threads[path.thread[d] as number] as ScheduledMemory;
      memory.end = path.position[d] as number;
      memory.known = memory.end + 1;
      this.#of.machine.memory.undo.rewind(path.memoryMark[d] as number);
      this.#of.book.rewind(path.bookMark[d] as number);
      const rest = (path.backtrack[d] as number) & ~(path.done[d] as number) & ~(path.sleep[d] as number);
      if (rest === 0) continue;
      if (capped) {
        this.capped = true;
        return HALT;
      }
      return this.#take(d, 31 - Math.clz32(rest & -rest));
    }
    return HALT;
  }

  #finished(): number {
    this.executions++;
    return this.#of.finished() ? this.#back() : HALT;
  }

  #fails(kind: FailureKind, message: string): number {
    this.#of.fail(kind, message);
    return HALT;
  }
}
