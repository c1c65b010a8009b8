/**
 * One torture run: the threads, who kills them, and who watches. The main thread takes part in nothing that may block, since it is the one that is
 * told of deaths; it stops and starts all, wakes sleepers for nothing, checks histories, and looks for stalls. At the end all memory must be back.
 */

import { setTimeout as wait } from "node:timers/promises";
import { Shared } from "../../src/index.js";
import { type Address, field, NULL } from "../../src/memory/address.js";
import { DomainWord } from "../../src/rcu/layout.js";
import { Crew } from "../support/crew.js";
import { Random } from "../support/seed.js";
import { drained, liveIn, settle } from "../support/settle.js";
import { LIMIT, sleep, until, within } from "../support/watchdog.js";
import { deathBuffer } from "./deaths.js";
import { isEnough, MOST_MORE } from "./enough.js";
import { Rounds } from "./history.js";
import { ROW, type Structure } from "./job.js";
import { Ledger } from "./ledger.js";
import type { Timed } from "./linearizable.js";
import type { Options as AllOptions } from "./options.js";
import { PLACES } from "./place.js";
import { Seats } from "./seats.js";
import { OWN_BYTES, type Stage } from "./stage.js";
import { stages } from "./stages.js";
import { StallWatch } from "./stall.js";
import { Tally } from "./tally.js";
import { Step } from "./thread.js";

/** A thread whose turns do not go on for so long hangs, in ms. */
const HUNG = 60_000;

/** Of a run over read-copy-update or the structures; the allocators have a run of their own (allocator-run.ts). */
export type Options = AllOptions & { readonly structure: Structure };

export interface Result {
  readonly errors: number;
  readonly pipe: readonly number[];
  readonly reads: number;
  readonly updates: number;
  readonly gracePeriods: number;
  readonly kills: number;
  readonly stalls: number;
  readonly leaked: number;
  readonly violations: readonly string[];
  readonly seed: number;
  readonly flavor: string;
  readonly structure: string;
  readonly seconds: number;
  readonly threads: number;
  readonly errorKinds: Readonly<Record<string, number>>;
  readonly callbacks: number;
  /** Checked histories of exact lookups, and the operations in them. */
  readonly histories: number;
  readonly operations: number;
  /** Longest grace period that the main thread watched, in ms. */
  readonly longestGracePeriod: number;
  readonly firstFailure: string | null;
}

/** What is in use at rest. */
interface Rest {
  /** Bytes of pages. */
  readonly used: number;
  /** Blocks that somebody has, and their bytes. */
  readonly blocks: number;
  readonly bytes: number;
}

function atRest(shared: Shared): Rest {
  const { used } = drained(shared);
  const { heap } = shared.domain.arena;
  const live = liveIn(heap);
  return { used, blocks: live.length, bytes: live.reduce((sum, block) => sum + heap.usableBytes(block), 0) };
}

export class Run {
  readonly #options: Options;
  readonly #random: Random;
  readonly #say: (line: string) => void;
  readonly #tally = new Tally();
  readonly #ledger = new Ledger();
  readonly #stage: Stage<Timed>;
  readonly #own = new SharedArrayBuffer(OWN_BYTES);
  /** Of a structure whose operations are checked in rounds. */
  readonly #rounds: Rounds | undefined;
  readonly #started = performance.now();
  #shared: Shared;
  #stalls = 0;
  /** Threads are being told to end; all have ended. */
  #stopping = false;
  #ended = false;
  #told = false;

  /** @param say prints a line of progress */
  constructor(options: Options, say: (line: string) => void) {
    this.#options = options;
    this.#say = say;
    this.#random = new Random(options.seed);
    this.#stage = stages[options.structure];
    const { game } = this.#stage;
    this.#rounds = game === undefined ? undefined : new Rounds(game, options.threads);
    const { flavor, threads } = options;
    this.#shared = Shared.create({ bytes: 64 * 2 ** 20, slots: 4 * threads + 24, flavor, fanOut: 2 });
  }

  /** Run until the time is over or the signal is aborted. */
  async run(signal: AbortSignal): Promise<Result> {
    const { structure, seed, threads, busted } = this.#options;
    const fault = (error: unknown): void => this.#tally.fail("thrown", `in the main thread: ${error instanceof Error ? error.stack : String(error)}`);
    process.on("uncaughtException", fault);
    try {
      const baseline = await this.#baseline();
      const words = PLACES.length * ROW * threads;
      const pointers = this.#shared.domain.arena.heap.kmalloc(4 * words);
      for (let i = 0; i < words; i++) this.#shared.domain.arena.memory.store(field(pointers, i), NULL);
      const crew = new Crew(this.#shared);
      const { buffer } = this.#tally;
      const orders = {
        structure,
        seats: threads,
        seed,
        pointers,
        tally: buffer,
        ledger: this.#ledger.buffer,
        deaths: deathBuffer(threads),
        history: this.#rounds?.buffer ?? this.#own,
        own: this.#own,
        busted,
      };
      // Elements have no calls of their own that a thread could die in.
      const deaths = this.#options.kill && structure !== "rcu" ? new Random(seed, -8) : undefined;
      const seats = new Seats(crew, this.#shared, orders, deaths, (what) => this.#tally.fail("hung", what));
      const watches = [this.#shared.domain, this.#shared.phaseDomain("side")].map((domain) => new StallWatch(domain));
      await this.#torture(crew, seats, watches, signal);
      const seconds = (performance.now() - this.#started) / 1000;
      return await this.#end(seats, crew, watches, pointers, baseline, seconds);
    } finally {
      process.off("uncaughtException", fault);
      this.#shared.close();
    }
  }

  /** What is in use before the first worker, when all that stays for ever has been made. */
  async #baseline(): Promise<Rest> {
    const stage = this.#stage;
    const opened = stage.open(this.#shared, this.#own);
    stage.fill(this.#shared, this.#random, this.#own);
    this.#shared = await settle(this.#shared, opened);
    this.#shared.phaseDomain("side");
    const rest = atRest(this.#shared);
    stage.open(this.#shared, this.#own);
    stage.fill(this.#shared, this.#random, this.#own);
    return rest;
  }

  async #torture(crew: Crew, seats: Seats, watches: readonly StallWatch[], signal: AbortSignal): Promise<void> {
    const over = this.#untilOver(signal, seats);
    const all = seats.run();
    const chores = [this.#killNow(seats), this.#stutter(), this.#progress(seats)];
    const watching = this.#watchAll(crew, seats, watches);
    await over.catch((error: Error) => this.#tally.fail("thrown", `in the main thread: ${error.stack}`));
    this.#stopping = true;
    seats.stop();
    this.#tally.stutter(false);
    crew.stop();
    try {
      await within(LIMIT, "threads to end by themselves", all, () => crew.describe());
    } catch (error) {
      this.#tally.fail("hung", (error as Error).message);
      await crew.end();
      await all;
    }
    this.#ended = true;
    await Promise.all([...chores, watching]);
    for (const failure of crew.failures) this.#tally.fail("thrown", failure);
    this.#rounds?.step([], () => true, this.#tally, true);
  }

  async #untilOver(signal: AbortSignal, seats: Seats): Promise<void> {
    const { seconds, enough } = this.#options;
    const pause = (milliseconds: number): Promise<unknown> => wait(milliseconds, undefined, { signal }).catch(() => {}); // aborted: it is over
    await pause(seconds * 1000);
    for (const ends = performance.now() + MOST_MORE; enough && !signal.aborted && performance.now() < ends && !this.#isEnough(seats); ) await pause(50);
  }

  #isEnough({ kills }: Seats): boolean {
    const { structure, kill, busted } = this.#options;
    const { reads, updates } = this.#tally;
    const { gracePeriods } = this.#shared.domain.stats();
    const [pipe, errors] = [this.#tally.pipe(), this.#tally.errors()];
    return isEnough({ reads, updates, gracePeriods, kills, histories: this.#rounds?.checked, pipe, errors }, structure, kill, busted);
  }

  // Chores of the main thread: each goes on until `stopping` ---------------------------------------------

  async #pause(milliseconds: number): Promise<void> {
    for (const ends = performance.now() + milliseconds; !this.#stopping && performance.now() < ends; ) await sleep(Math.min(50, ends - performance.now()));
  }

  async #killNow(seats: Seats): Promise<void> {
    if (!this.#options.kill) return;
    const random = new Random(this.#options.seed, -7);
    for (;;) {
      await this.#pause(random.from(20, 320));
      if (this.#stopping) return;
      // Some die together.
      const count = random.below(6) === 0 ? 2 : 1;
      await Promise.all(Array.from({ length: count }, () => seats.kill(random.below(this.#options.threads), random.below(4) === 0)));
    }
  }

  async #stutter(): Promise<void> {
    for (;;) {
      await this.#pause(this.#random.from(1500, 4000));
      if (this.#stopping) return;
      this.#tally.stutter(true);
      await this.#pause(this.#random.from(50, 300));
      this.#tally.stutter(false);
    }
  }

  async #watchAll(crew: Crew, seats: Seats, watches: readonly StallWatch[]): Promise<void> {
    const { memory, layout } = this.#shared.domain.arena;
    const beats = new Map<number, { beats: number; at: number }>();
    while (!this.#ended) {
      await sleep(10);
      if (!this.#stopping) this.#rounds?.step(seats.lives(), seats.isGone, this.#tally);
      void seats.killSleepers();
      if (this.#random.below(20) === 0) memory.notify(field(layout.root, DomainWord.WANTED));
      for (const watch of watches) {
        const stall = watch.look((thread) => seats.nameOf(thread));
        if (stall === undefined) continue;
        this.#stalls++;
        const report = `${stall}\n${crew.describe()}\n(steps: ${Object.entries(Step).flat().join(" ")})`;
        this.#say(`STALL: ${report}`);
        this.#tally.fail("stall", report);
      }
      this.#findHung(seats, beats);
      this.#tellFirstFailure();
    }
  }

  #findHung(seats: Seats, known: Map<number, { beats: number; at: number }>): void {
    const now = performance.now();
    for (const { name, life, beats } of seats.beats()) {
      const last = known.get(life);
      if (last === undefined || last.beats !== beats) known.set(life, { beats, at: now });
      else if (now - last.at > HUNG) {
        known.set(life, { beats, at: Number.POSITIVE_INFINITY });
        this.#tally.fail("hung", `${name} has not ended a turn for ${HUNG / 1000} s`);
        this.#say(`HUNG: ${name} has not ended a turn for ${HUNG / 1000} s`);
      }
    }
  }

  /** At once: of what has failed, the run itself may end. */
  #tellFirstFailure(): void {
    const { firstFailure } = this.#tally;
    if (firstFailure === undefined || this.#told) return;
    this.#told = true;
    this.#say(`FIRST FAILURE: ${firstFailure}`);
  }

  async #progress(seats: Seats): Promise<void> {
    while (!this.#stopping) {
      await this.#pause(1000);
      const { gracePeriods, slots, waiting } = this.#shared.domain.stats();
      const seconds = Math.round((performance.now() - this.#started) / 1000);
      const figures = [
        `${seconds} s`,
        `reads ${this.#tally.reads}`,
        `updates ${this.#tally.updates}`,
        `callbacks ${this.#tally.callbacks}`,
        `grace periods ${gracePeriods}`,
        `slots ${slots.length}`,
        `retired ${waiting}`,
        `kills ${seats.kills}`,
        ...(this.#options.structure === "rcu" ? [`pipe ${this.#tally.pipe().join(" ")}`] : []),
        ...(this.#rounds === undefined ? [] : [`histories ${this.#rounds.checked}`]),
        `errors ${this.#tally.totalErrors}`,
      ];
      this.#say(figures.join("  "));
    }
  }

  // The end ----------------------------------------------------------------------------------------------

  async #end(seats: Seats, crew: Crew, watches: readonly StallWatch[], pointers: Address, baseline: Rest, seconds: number): Promise<Result> {
    const tally = this.#tally;
    let violations: string[] = [];
    let leaked = 0;
    try {
      await until(
        LIMIT,
        "the dead to be reaped, and threads to be gone",
        () => crew.size === 0 && this.#shared.stats().threads === 1,
        () => crew.describe(),
      );
      this.#freeAll(seats, pointers);
      const opened = this.#stage.open(this.#shared, this.#own);
      this.#stage.judge?.(this.#shared, this.#own, seats.kills, (kind, what) => tally.fail(kind, `at the end: ${what}`));
      violations = this.#shared.check();
      this.#shared = await settle(this.#shared, opened);
      leaked = this.#shared.stats().bytes.used - baseline.used; // what stands if the next fails
      leaked = this.#leaked(baseline);
    } catch (error) {
      tally.fail("thrown", `at the end, in the main thread: ${(error as Error).stack}`);
    }
    const { flavor, structure, threads, seed } = this.#options;
    return {
      errors: tally.totalErrors,
      pipe: tally.pipe(),
      reads: tally.reads,
      updates: tally.updates,
      gracePeriods: this.#shared.domain.stats().gracePeriods,
      kills: seats.kills,
      stalls: this.#stalls,
      leaked,
      violations,
      seed,
      flavor,
      structure,
      seconds: Math.round(seconds * 10) / 10,
      threads,
      errorKinds: tally.errors(),
      callbacks: tally.callbacks,
      histories: this.#rounds?.checked ?? 0,
      operations: this.#rounds?.operations ?? 0,
      longestGracePeriod: Math.round(Math.max(...watches.map(({ longest }) => longest))),
      firstFailure: tally.firstFailure ?? null,
    };
  }

  /** Bytes that are not back. */
  #leaked(before: Rest): number {
    const now = atRest(this.#shared);
    if (!this.#stage.remakes) return now.used - before.used;
    const pages = now.used - before.used;
    return pages > 4096 * now.blocks ? pages : now.bytes - before.bytes;
  }

  /** What the last ones killed had, which nobody came after to free; whoever ended by himself must have left nothing. */
  #freeAll(seats: Seats, pointers: Address): void {
    const { heap } = this.#shared.domain.arena;
    const { graves } = seats;
    for (const tag of graves) for (const block of heap.ownedBy(tag)) heap.kfree(block);
    for (const { thread, killed } of seats.gone) {
      const wrong = this.#ledger.atEnd(thread, killed);
      if (wrong !== undefined) this.#tally.fail("callback lost", wrong);
    }
    for (const tag of seats.tags) {
      const left = heap.ownedBy(tag);
      if (left.length > 0) this.#tally.fail("not back", `${left.length} blocks of tag ${tag} were never freed: ${left.slice(0, 10).join(", ")}`);
    }
    heap.kfree(pointers);
  }
}
