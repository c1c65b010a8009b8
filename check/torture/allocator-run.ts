/**
 * A torture of the allocators: rounds, in each of which threads take and give, and are killed inside the calls; after each all is given back, and the arena must
 * be as it was before the first.
 *
 *   round   threads work | one is killed, reaped, replaced | and so on some hundred times
 *   drain   the living give back what they hold -> what the dead held is freed by their tags -> the cells are emptied
 *           -> what still lives must be what the last words of the dead name (calls.ts) -> check(), used bytes, free blocks as sets
 *
 * The main thread is the watcher, and must not wait for a lock whose owner's end it has still to be told: it takes nothing while threads live.
 */

import { Shared } from "../../src/index.js";
import type { Address } from "../../src/memory/address.js";
import { Heap } from "../../src/memory/heap.js";
import type { AllocatorName } from "../../src/memory/layout.js";
import { createMempool } from "../../src/memory/mempool.js";
import { Crew, type Hand } from "../support/crew.js";
import { Random } from "../support/seed.js";
import { settle } from "../support/settle.js";
import { LIMIT, sleep, until, within } from "../support/watchdog.js";
import { type AtRest, atRest, difference, emptyCells, freeInDoubt } from "./allocator-drain.js";
import { type AllocatorJob, Allocators, type Appointment, type CacheIndexes, CELLS, makeCaches } from "./allocator-job.js";
import { type Call, type LastWords, LifeWords, MOST_LIVES } from "./calls.js";
import { MOST_MORE } from "./enough.js";
import type { Options } from "./options.js";
import { type ErrorKind, Tally } from "./tally.js";

const BYTES = 24 * 2 ** 20;
/** Kills between two drains. */
const KILLS_A_ROUND = 250;
/** How long a thread may live that does not come to its appointment, in ms. */
const LONGEST_LIFE = 3000;
const worker = new URL("./allocator-worker.js", import.meta.url);

export interface AllocatorResult {
  readonly structure: "memory";
  readonly allocator: AllocatorName;
  readonly errors: number;
  readonly kills: number;
  /** Kills inside a call of the allocators, and how many in which. */
  readonly killsInside: number;
  readonly killsByCall: Readonly<Partial<Record<Call, number>>>;
  readonly calls: number;
  /** Blocks whose contents were looked at, and found as written or told as an error. */
  readonly verified: number;
  /** Times that nothing was left to be had. */
  readonly noneLeft: number;
  readonly drains: number;
  /** Blocks that only dead threads knew of, found at drains; all were named by their last words. */
  readonly inDoubt: number;
  readonly stalls: number;
  readonly leaked: number;
  readonly violations: readonly string[];
  readonly seed: number;
  readonly seconds: number;
  readonly threads: number;
  readonly errorKinds: Readonly<Record<string, number>>;
  readonly firstFailure: string | null;
}

/** What a round uses besides the arena. */
interface Round {
  readonly crew: Crew;
  readonly orders: Pick<AllocatorJob, "seed" | "caches" | "pools" | "cells" | "lives" | "graves" | "tally">;
  readonly born: number[];
  readonly dead: { readonly life: number; readonly words: LastWords }[];
  stopping: boolean;
}

export class AllocatorRun {
  readonly #options: Options;
  readonly #say: (line: string) => void;
  readonly #tally = new Tally();
  readonly #random: Random;
  readonly #started = performance.now();
  readonly #caches: CacheIndexes;
  readonly #byCall: Partial<Record<Call, number>> = {};
  readonly #violations: string[] = [];
  #shared: Shared;
  #lives = 0;
  #kills = 0;
  #calls = 0;
  #verified = 0;
  #noneLeft = 0;
  #drains = 0;
  #inDoubt = 0;
  #leaked = 0;

  /** @param say prints a line of progress */
  constructor(options: Options, say: (line: string) => void) {
    this.#options = options;
    this.#say = say;
    this.#random = new Random(options.seed);
    const { allocator, flavor, threads } = options;
    this.#shared = Shared.create({ bytes: BYTES, slots: 4 * threads + 24, allocator, flavor, fanOut: 2 });
    const { heap, layout } = this.#shared.domain.arena;
    this.#caches = makeCaches(heap, layout);
  }

  /** Run until the time is over or the signal is aborted. */
  async run(signal: AbortSignal): Promise<AllocatorResult> {
    const { seconds, enough } = this.#options;
    let length = seconds * 1000;
    let ends = this.#started + length;
    const last = ends + MOST_MORE;
    const isOver = (): boolean => signal.aborted || performance.now() > ends;
    const goesOn = (): boolean => {
      if (!isOver()) return true;
      if (!enough || signal.aborted || this.#isEnough || performance.now() > last) return false;
      length *= 2; // of the next round, whose threads may not have begun in this time
      ends = Math.min(performance.now() + length, last);
      return true;
    };
    let whole = true;
    if (this.#options.busted) Heap.prototype.freeUnpublished = () => {}; // by this thread, which is the reaper
    try {
      this.#shared = await settle(this.#shared, []);
      const start = atRest(this.#shared);
      while (whole && goesOn()) whole = await this.#round(isOver, start);
    } catch (error) {
      this.#tally.fail("thrown", `in the main thread: ${(error as Error).stack}`);
    } finally {
      this.#shared.close();
    }
    return this.#result();
  }

  /** @returns whether it ended as it should, so that another may follow */
  async #round(isOver: () => boolean, start: AtRest): Promise<boolean> {
    const round = this.#begin();
    const { crew } = round;
    const { threads, kill } = this.#options;
    const enough = this.#kills + KILLS_A_ROUND;
    const isDone = (): boolean => isOver() || (kill && this.#kills >= enough) || crew.failures.length > 0 || this.#tally.firstFailure !== undefined;
    try {
      const seats = Array.from({ length: threads }, (_, seat) => this.#keep(round, seat === 0));
      for (let lines = 0; !isDone(); ) {
        await sleep(20);
        const seconds = Math.floor((performance.now() - this.#started) / 1000);
        if (seconds > lines) this.#say(this.#progress(seconds));
        lines = seconds;
      }
      round.stopping = true;
      crew.stop();
      await within(LIMIT, "threads to end", Promise.all(seats), () => crew.describe());
      for (const failure of crew.failures) this.#tally.fail("thrown", failure);
      if (crew.failures.length > 0) return false; // what it held is not given back
      await this.#drain(round, start);
      return this.#tally.firstFailure === undefined && this.#violations.length === 0 && this.#leaked === 0;
    } catch (error) {
      this.#tally.fail("hung", `${(error as Error).stack}`);
      return false;
    } finally {
      await crew.end();
    }
  }

  #begin(): Round {
    const shared = this.#shared;
    const { heap } = shared.domain.arena;
    const pools = [createMempool(heap, { bytes: 256, min: 8 }), createMempool(heap, { cache: this.#caches.pooled, min: 4 })];
    return {
      crew: new Crew(shared),
      orders: {
        seed: this.#options.seed,
        caches: this.#caches,
        pools: pools.map((pool) => pool?.address as Address),
        cells: new SharedArrayBuffer(4 * CELLS),
        lives: LifeWords.makeBuffer(),
        graves: new SharedArrayBuffer(4 * (MOST_LIVES + 1)),
        tally: this.#tally.buffer,
      },
      born: [],
      dead: [],
      stopping: false,
    };
  }

  #progress(seconds: number): string {
    return `${seconds} s  kills ${this.#kills}, inside a call ${this.#killsInside}  drains ${this.#drains}  errors ${this.#tally.totalErrors}`;
  }

  /** Whether it has done something of each kind; whatever it finds ends a run. */
  get #isEnough(): boolean {
    const { kill, busted } = this.#options;
    return !busted && this.#calls > 0 && this.#verified > 0 && this.#drains > 0 && (!kill || this.#killsInside > 0);
  }

  get #killsInside(): number {
    return Object.values(this.#byCall).reduce((sum, count) => sum + count, 0) - (this.#byCall.none ?? 0);
  }

  // Lives and deaths ---------------------------------------------------------------------------------

  /** Keep a seat taken until the round ends. */
  async #keep(round: Round, first: boolean): Promise<void> {
    const survives = first || !this.#options.kill;
    while (!round.stopping && round.crew.failures.length === 0 && round.born.length < MOST_LIVES) {
      const life = ++this.#lives;
      round.born.push(life);
      const appointment = survives || this.#random.below(8) === 0 ? undefined : this.#appointment();
      const job: AllocatorJob = { ...round.orders, life, survives, appointment };
      const hand = round.crew.start(worker, `thread ${life}${survives ? ", which survives" : ""}`, job);
      const words = new LifeWords(round.orders.lives, life);
      const killed = !survives && (await this.#killInTime(round, hand, words, appointment !== undefined));
      await hand.gone;
      const { calls, verified, noneLeft } = words.counts;
      this.#calls += calls;
      this.#verified += verified;
      this.#noneLeft += noneLeft;
      if (killed) this.#note(round, life, words.lastWords);
      else if (!round.stopping) return; // it failed: crew.failures
    }
  }

  /** A life has been killed, and reaped: whoever survives may free what it left. */
  #note({ dead, orders }: Round, life: number, words: LastWords): void {
    this.#kills++;
    this.#byCall[words.call] = (this.#byCall[words.call] ?? 0) + 1;
    dead.push({ life, words });
    const graves = new Int32Array(orders.graves);
    Atomics.store(graves, dead.length, life);
    Atomics.store(graves, 0, dead.length);
  }

  #appointment(): Appointment {
    const random = this.#random;
    return { calls: random.below(8) === 0 ? 0 : random.below(150), accesses: random.below(random.below(6) === 0 ? 600 : 40) };
  }

  /**
   * Wait for its appointment, or for a random instant, and kill it.
   * @returns false when the round ended before, and so did the thread by itself
   */
  async #killInTime(round: Round, hand: Hand<unknown>, words: LifeWords, hasAppointment: boolean): Promise<boolean> {
    const begins = performance.now();
    const lifetime = hasAppointment ? LONGEST_LIFE : this.#random.from(20, 400);
    let gone = false;
    void hand.gone.then(() => {
      gone = true;
    });
    const isDue = (): boolean => words.waiting || (!round.stopping && performance.now() - begins > lifetime);
    while (!isDue()) {
      if (gone) return false;
      await sleep(2);
    }
    await hand.worker.terminate();
    return true;
  }

  // Draining -----------------------------------------------------------------------------------------

  /** All threads have ended: give back whatever is left, and compare. */
  async #drain({ orders, dead, born }: Round, start: AtRest): Promise<void> {
    const { domain } = this.#shared;
    const fail = (kind: ErrorKind, what: string): void => this.#tally.fail(kind, `at a drain: ${what}`);
    await until(LIMIT, "the dead to be reaped", () => this.#shared.stats().threads === 1);
    this.#violations.push(...domain.arena.check());
    const allocators = new Allocators(this.#shared, this.#caches, orders.pools);
    this.#violations.push(...allocators.vm.check(), ...allocators.pools.flatMap((pool) => pool.check()));
    const killed = new Set(dead.map(({ life }) => life));
    for (const life of born) {
      const count = allocators.bury(life);
      if (count > 0 && !killed.has(life)) fail("not back", `thread ${life} ended by itself and left ${count} blocks`);
    }
    emptyCells(allocators, new Int32Array(orders.cells), fail);
    for (const pool of allocators.pools) pool.destroy();
    allocators.vm.purge();
    this.#shared = await settle(this.#shared, []);
    const lastWords = dead.map(({ words }) => words);
    this.#inDoubt += freeInDoubt(this.#shared.domain.arena.heap, lastWords, fail);
    this.#shared = await settle(this.#shared, []);
    this.#shared.domain.arena.heap.trim(); // slabs of a typesafe cache go by way of limbo
    this.#shared = await settle(this.#shared, []);
    this.#drains++;
    const now = atRest(this.#shared);
    this.#leaked = now.used - start.used;
    const differ = difference(now, start);
    if (differ !== undefined) fail("not back", differ);
  }

  #result(): AllocatorResult {
    const { allocator, seed, threads } = this.#options;
    return {
      structure: "memory",
      allocator,
      errors: this.#tally.totalErrors,
      kills: this.#kills,
      killsInside: this.#killsInside,
      killsByCall: this.#byCall,
      calls: this.#calls,
      verified: this.#verified,
      noneLeft: this.#noneLeft,
      drains: this.#drains,
      inDoubt: this.#inDoubt,
      stalls: 0,
      leaked: this.#leaked,
      violations: this.#violations,
      seed,
      seconds: Math.round((performance.now() - this.#started) / 100) / 10,
      threads,
      errorKinds: this.#tally.errors(),
      firstFailure: this.#tally.firstFailure ?? null,
    };
  }
}
