/**
 * Partial-order reduction: which other choices at earlier points can make a difference.
 *
 * Two executions that differ only in the order of independent steps end the same, so one of each
 * class is enough. Source: Flanagan & Godefroid, "Dynamic partial-order reduction", POPL 2005, in the
 * form of Abdulla, Aronis, Jonsson & Sagonas, "Optimal dynamic partial order reduction", POPL 2014
 * (algorithm Source-DPOR):
 *
 *     execution  ... e ........ f      e, f conflict, different threads, nothing between orders them:
 *                    ^          ^      a race. There are executions with f before e, and one must be
 *                  here: some thread that can start "all that does not depend on e, then f"
 *                  (an initial) must also be tried in e's place.
 *
 * Together with sleep sets (Godefroid 1996; in search.ts) no two complete executions are equivalent.
 *
 * A thread here never disables another: `wait` puts only itself to sleep, and a spin loop parks only
 * itself. An initial that was asleep or parked at e's place cannot be tried there; then all that can
 * run are (Flanagan & Godefroid's fallback).
 *
 * Events are numbered by depth, from 1 in clocks (0 = none). A clock holds for each thread the last
 * of its events that happens before.
 */

import type { Footprint } from "./operation.js";
import type { Undo } from "./undo.js";

/** The current execution: one entry for each scheduled step, indexed by depth. */
export class Path {
  readonly thread: number[] = [];
  /** Threads that can run here, as a bit mask, as the three below. */
  readonly enabled: number[] = [];
  /** Threads to be tried here. */
  readonly backtrack: number[] = [];
  /** Threads tried here. */
  readonly done: number[] = [];
  /** Threads that need not be tried here: what they would do was explored elsewhere. */
  readonly sleep: number[] = [];
  /** Nobody could run: a timeout fires or a spinning thread goes on. */
  readonly lastResort: boolean[] = [];
  /** Place of the step in its thread's log. */
  readonly position: number[] = [];
  /** The thread's step before, depth + 1. */
  readonly previous: number[] = [];
  readonly preemptions: number[] = [];
  readonly memoryMark: number[] = [];
  readonly bookMark: number[] = [];
}

export class Reduction {
  readonly #threads: number;
  readonly #path: Path;
  readonly #book: Undo;
  /** For each location the index in the book of: last write, last read since then of each thread (depth + 1). */
  readonly #base: Int32Array;
  #clocks: Int32Array;
  readonly #candidates: number[] = [];

  constructor(threads: number, locations: number, path: Path, book: Undo) {
    this.#threads = threads;
    this.#path = path;
    this.#book = book;
    this.#base = new Int32Array(locations);
    this.#clocks = new Int32Array(threads * 256);
    book.allocate(1); // so that index 0 means none
  }

  /** The step at `depth` is made: find its races and give it its clock. `after`: a step it follows by itself, depth + 1 (a wake after its notify). */
  step(depth: number, footprint: Footprint, after: number): void {
    const threads = this.#threads;
    const thread = this.#path.thread[depth] as number;
    const clock = depth * threads;
    if (clock + threads > this.#clocks.length) {
      const longer = new Int32Array(this.#clocks.length * 2);
      longer.set(this.#clocks);
      this.#clocks = longer;
    }
    const clocks = this.#clocks;
    const previous = this.#path.previous[depth] as number;
    for (let u = 0; u < threads; u++) clocks[clock + u] = previous === 0 ? 0 : (clocks[(previous - 1) * threads + u] as number);
    if (after !== 0) this.#join(clock, after);
    if (this.#path.lastResort[depth] === true) {
      // Possible only after everything before: ordered after all of it, a race with none.
      for (let d = depth; d > 0; d--) {
        const u = this.#path.thread[d - 1] as number;
        if ((clocks[clock + u] as number) < d) clocks[clock + u] = d;
      }
    }
    this.#collect(thread, footprint);
    const candidates = this.#candidates;
    for (let i = 0; i < candidates.length; i++) {
      const e = candidates[i] as number;
      const other = this.#path.thread[e - 1] as number;
      if (other === thread || (clocks[clock + other] as number) >= e) continue;
      if (!this.#immediate(e, other)) continue;
      this.#reverse(e, other, depth, clock, thread);
    }
    for (let i = 0; i < candidates.length; i++) this.#join(clock, candidates[i] as number);
    clocks[clock + thread] = depth + 1;
    this.#record(thread, footprint, depth + 1);
  }

  // The steps that this one directly depends on.
  #collect(thread: number, footprint: Footprint): void {
    const candidates = this.#candidates;
    candidates.length = 0;
    for (let i = 0; i < footprint.count; i++) {
      const base = this.#base[footprint.location[i] as number] as number;
      if (base === 0) continue;
      const write = this.#book.get(base);
      if (write !== 0 && !candidates.includes(write)) candidates.push(write);
      if (footprint.writes[i] !== true) continue;
      for (let u = 0; u < this.#threads; u++) {
        const read = this.#book.get(base + 1 + u);
        if (u !== thread && read !== 0 && !candidates.includes(read)) candidates.push(read);
      }
    }
  }

  #immediate(e: number, other: number): boolean {
    for (let i = 0; i < this.#candidates.length; i++) {
      const between = this.#candidates[i] as number;
      if (between > e && (this.#clocks[(between - 1) * this.#threads + other] as number) >= e) return false;
    }
    return true;
  }

  // The race between e and the step at `depth`: see that an initial of "what does not depend on e,
  // then this step" is tried at e's place.
  #reverse(e: number, other: number, depth: number, clock: number, thread: number): void {
    const threads = this.#threads;
    const clocks = this.#clocks;
    const path = this.#path;
    let seen = 0;
    let initials = 0;
    for (let g = e + 1; g <= depth; g++) {
      const at = (g - 1) * threads;
      if ((clocks[at + other] as number) >= e) continue;
      const u = path.thread[g - 1] as number;
      if ((seen & (1 << u)) === 0 && this.#first(at, e, u)) initials |= 1 << u;
      seen |= 1 << u;
    }
    if ((seen & (1 << thread)) === 0 && this.#first(clock, e, thread)) {
      let first = true;
      for (let i = 0; i < this.#candidates.length; i++) if ((this.#candidates[i] as number) > e) first = false;
      if (first) initials |= 1 << thread;
    }
    const d = e - 1;
    initials &= path.enabled[d] as number;
    const planned = path.backtrack[d] as number;
    if (initials === 0) path.backtrack[d] = planned | (path.enabled[d] as number);
    else if ((initials & (planned | (path.sleep[d] as number))) === 0) {
      const own = 1 << thread;
      path.backtrack[d] = planned | ((initials & own) !== 0 ? own : initials & -initials);
    }
  }

  // Nothing after e, other than the step itself, happens before the step with this clock.
  #first(clock: number, e: number, own: number): boolean {
    for (let u = 0; u < this.#threads; u++) {
      if (u !== own && (this.#clocks[clock + u] as number) > e) return false;
    }
    return true;
  }

  #join(clock: number, event: number): void {
    const clocks = this.#clocks;
    const from = (event - 1) * this.#threads;
    for (let u = 0; u < this.#threads; u++) {
      if ((clocks[from + u] as number) > (clocks[clock + u] as number)) clocks[clock + u] = clocks[from + u] as number;
    }
  }

  #record(thread: number, footprint: Footprint, event: number): void {
    const book = this.#book;
    for (let i = 0; i < footprint.count; i++) {
      const location = footprint.location[i] as number;
      let base = this.#base[location] as number;
      if (base === 0) this.#base[location] = base = book.allocate(1 + this.#threads);
      if (footprint.writes[i] !== true) book.set(base + 1 + thread, event);
      else {
        book.set(base, event);
        for (let u = 0; u < this.#threads; u++) book.set(base + 1 + u, 0);
      }
    }
  }
}
