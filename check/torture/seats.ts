/**
 * The seats of a torture run: each always has a thread in it, and when one is killed another follows, who frees what it left.
 */

import type { Shared } from "../../src/index.js";
import { kindOf, SlotKind, slotAddress, slotsUsed, threadOf } from "../../src/memory/slot.js";
import type { Crew, Hand } from "../support/crew.js";
import type { Random } from "../support/seed.js";
import { LIMIT, sleep } from "../support/watchdog.js";
import type { Appointment } from "./deaths.js";
import type { TortureJob } from "./job.js";

/** What main gives all lives. */
export type CommonOrders = Omit<TortureJob, "seat" | "life" | "tag" | "graves" | "appointment">;

const FIRST_TAG = 0x100_0000;
const worker = new URL("./worker.js", import.meta.url);

/** Somebody in a seat. */
interface Life {
  readonly number: number;
  readonly tag: number;
  readonly hand: Hand<unknown>;
  begun: boolean;
  killed: boolean;
}

export class Seats {
  kills = 0;
  readonly #crew: Crew;
  readonly #onFailure: (what: string) => void;
  readonly #shared: Shared;
  readonly #deaths: Random | undefined;
  readonly #orders: CommonOrders;
  readonly #lives: (Life | undefined)[];
  /** By seat: tags of the dead that nobody has been known to see to. */
  readonly #graves: number[][];
  readonly #gone = new Set<number>();
  /** Threads that have ended. */
  readonly gone: { readonly thread: number; readonly killed: boolean }[] = [];
  readonly #names = new Map<number, string>();
  #born = 0;
  #stopping = false;

  /**
   * @param deaths chooses where lives end by themselves; undefined when they do not
   * @param onFailure told of a thread that was not reaped; its seat stays empty
   */
  constructor(crew: Crew, shared: Shared, orders: CommonOrders, deaths: Random | undefined, onFailure: (what: string) => void) {
    this.#deaths = deaths;
    this.#onFailure = onFailure;
    this.#crew = crew;
    this.#shared = shared;
    this.#orders = orders;
    this.#lives = Array.from({ length: orders.seats }, () => undefined);
    this.#graves = Array.from({ length: orders.seats }, () => []);
  }

  /** Keep every seat taken until `stop`; resolves when all have gone. */
  async run(): Promise<void> {
    await Promise.all(this.#lives.map((_, seat) => this.#keep(seat)));
  }

  stop(): void {
    this.#stopping = true;
  }

  async #keep(seat: number): Promise<void> {
    const graves = this.#graves[seat] as number[];
    while (!this.#stopping) {
      const number = ++this.#born;
      const tag = FIRST_TAG + number;
      const seenTo = [...graves];
      const name = `thread ${number} in seat ${seat}`;
      const hand = this.#crew.start<TortureJob>(worker, name, { ...this.#orders, seat, life: number, tag, graves: seenTo, appointment: this.#appointment() });
      const life: Life = { number, tag, hand, begun: false, killed: false };
      this.#names.set(hand.threadId, name);
      this.#lives[seat] = life;
      hand.begun.then(
        () => {
          life.begun = true;
          graves.splice(0, seenTo.length);
        },
        () => {},
      );
      await hand.gone;
      this.#gone.add(number);
      this.gone.push({ thread: hand.threadId, killed: life.killed });
      this.#lives[seat] = undefined;
      // Its blocks may be freed by others only once its slot is drained: until then one may be half given back.
      for (const late = performance.now() + LIMIT; this.#isAttached(hand.threadId); await sleep(1)) {
        if (performance.now() < late) continue;
        this.#onFailure(`${name} has ended, and was not reaped in ${LIMIT / 1000} s`);
        return;
      }
      if (life.killed || !this.#stopping) graves.push(tag);
      if (!life.killed && !this.#stopping) await sleep(50); // it failed by itself: no storm of those
    }
  }

  #isAttached(thread: number): boolean {
    const { memory, layout } = this.#shared.domain.arena;
    for (let index = 0; index < slotsUsed(memory); index++) {
      const state = memory.load(slotAddress(layout, index));
      if (threadOf(state) === thread && (kindOf(state) === SlotKind.LIVE || kindOf(state) === SlotKind.DEAD)) return true;
    }
    return false;
  }

  /** Every second one ends by itself. */
  #appointment(): Appointment | undefined {
    const random = this.#deaths;
    if (random === undefined || random.below(2) === 0) return undefined;
    const updates = random.below(random.pick([4, 16, 64]));
    if (this.#orders.structure === "rculist") {
      // Its calls are of 3 to 20 accesses, none of them an exchange; repairing takes some hundreds.
      return { updates, exchanges: 0, accesses: random.below(random.pick([10, 10, 20, 600])) };
    }
    if (random.below(2) === 0) return { updates, exchanges: 0, accesses: random.below(random.pick([10, 50, 250])) };
    return { updates, exchanges: random.from(1, 30), accesses: random.below(8) };
  }

  /** Kill those that wait for it. */
  async killSleepers(): Promise<void> {
    const words = new Int32Array(this.#orders.deaths);
    const sleepers = this.#lives.filter((life, seat) => life !== undefined && Atomics.load(words, seat) === life.number);
    await Promise.all(sleepers.map((life) => this.kill(this.#lives.indexOf(life), false)));
  }

  /** Terminate the thread in a seat, if there is one; perhaps before it has begun. */
  async kill(seat: number, evenBeforeItBegan: boolean): Promise<void> {
    const life = this.#lives[seat];
    if (life === undefined || life.killed || !(life.begun || evenBeforeItBegan)) return;
    life.killed = true;
    this.kills++;
    await life.hand.worker.terminate();
  }

  /** Who sits in each seat; 0 for nobody, or nobody who is ready. */
  lives(): number[] {
    return this.#lives.map((life) => (life?.begun === true && !life.killed ? life.number : 0));
  }

  /** Whether a life has ended. */
  readonly isGone = (number: number): boolean => this.#gone.has(number);

  /** Lives that began. */
  get born(): number {
    return this.#born;
  }

  /** Who a thread is, or was. */
  nameOf(thread: number): string {
    const lives = this.#lives.some((life) => life?.hand.threadId === thread);
    const name = this.#names.get(thread);
    return name === undefined ? "main" : `${name}${lives ? "" : ", which has ended"}`;
  }

  /** Tags of all who died and left what nobody has been known to free. */
  get graves(): number[] {
    return this.#graves.flat();
  }

  /** Tags of all. */
  get tags(): number[] {
    return Array.from({ length: this.#born }, (_, i) => FIRST_TAG + 1 + i);
  }

  /** How often each thread has done a turn; for finding those that hang. */
  beats(): { name: string; life: number; beats: number }[] {
    return this.#lives.flatMap((life) => (life?.begun === true ? [{ name: life.hand.name, life: life.number, beats: life.hand.beats() }] : []));
  }
}
