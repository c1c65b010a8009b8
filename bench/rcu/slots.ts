/**
 * What a grace period costs by the number of slots, without threads: all slots are domains of this one thread. Flat scanning looks at each
 * slot at every look of a waiter; a tree, at its root.
 *
 *   idle     start a grace period and find it over, all slots offline
 *   look     one more look at a grace period that is not over: what every wake-up of a waiter costs
 *   report   all slots online pass a quiescent state, one after another; ns for each slot
 *   period   all of it: start, every slot's report, found over
 *
 * The phase flavor has no quiescent states to report, so of it there is only the first.
 */

import { ArenaOptionsError } from "../../src/memory/errors.js";
import type { Shared } from "../../src/shared/shared.js";
import { cell, type Figure, median } from "../rounds.js";
import { type BenchDomain, domainOf, type Flavor, moreDomains, sharedOf } from "./flavors.js";

const SIZES = [4, 16, 64, 256, 1024, 4096];
/** Thread numbers, away from those of real threads. */
const FIRST_NUMBER = 0x1000000;
const LOOKS = 20;
/** Looks after which a grace period that nobody holds up must be over: one may take several steps. */
const MOST_LOOKS = 1000;

const COLUMNS = ["idle", "look", "report", "period"] as const;
type Column = (typeof COLUMNS)[number];
type Times = { [column in Column]?: number };

export async function slots(flavors: readonly Flavor[], seconds: number): Promise<{ figures: Figure[]; notes: string[] }> {
  const [first] = flavors;
  if (first === undefined || !canPoll(first)) return { figures: [], notes: ["this build's domains cannot be polled: no figures by the number of slots."] };
  const figures: Figure[] = [];
  const refused: string[] = [];
  const tasks = SIZES.flatMap((size) => flavors.map((flavor) => ({ size, flavor })));
  for (const { size, flavor } of tasks) {
    const crowd = Crowd.of(flavor, size) ?? Crowd.of(flavor, size - 1); // the limit may be one less than a power of two
    if (crowd === undefined) {
      refused.push(`${size} (${flavor})`);
      continue;
    }
    const times: Record<Column, number[]> = { idle: [], look: [], report: [], period: [] };
    const end = performance.now() + (seconds * 1000) / tasks.length;
    for (let round = 0; round < 50 || performance.now() < end; round++) {
      const time = crowd.round();
      // Each at a time of its own, so the event loop turns, and slots go offline.
      await new Promise<void>((resolve) => void setImmediate(resolve));
      if (round < 20) continue; // not compiled yet
      for (const column of COLUMNS) if (time[column] !== undefined) times[column].push(time[column]);
    }
    crowd.close();
    for (const column of COLUMNS.filter((name) => times[name].length > 0))
      figures.push(cell("grace period by slots, one thread", `${flavor}, ${crowd.size} slots`, column, median(times[column]), "ns"));
  }
  const notes = refused.length === 0 ? [] : [`this build has no room for so many slots: ${refused.join(", ")}.`];
  return { figures, notes };
}

function canPoll(flavor: Flavor): boolean {
  const shared = sharedOf(flavor);
  const can = shared !== undefined && domainOf(shared).startPoll !== undefined;
  shared?.close();
  return can;
}

type PolledDomain = BenchDomain & Required<Pick<BenchDomain, "startPoll" | "pollState">>;

/** Many slots of one thread; the first is the updater's. */
class Crowd {
  readonly size: number;
  readonly #shared: Shared;
  readonly #reports: boolean;
  readonly #others: BenchDomain[];
  readonly #updater: PolledDomain;

  private constructor(shared: Shared, flavor: Flavor, others: BenchDomain[]) {
    this.#shared = shared;
    this.#reports = flavor !== "phase";
    this.#others = others;
    this.size = others.length + 1;
    this.#updater = domainOf(shared) as PolledDomain;
  }

  /** Undefined when the build has no room for so many. */
  static of(flavor: Flavor, size: number): Crowd | undefined {
    try {
      const shared = sharedOf(flavor, { slots: size, caches: 32, bytes: (8 + size / 64) * 2 ** 20 });
      if (shared === undefined) return undefined;
      return new Crowd(shared, flavor, moreDomains(shared, size - 1, FIRST_NUMBER));
    } catch (error) {
      if (error instanceof ArenaOptionsError) return undefined;
      throw error;
    }
  }

  /** All slots online, until the stack empties. */
  #online(): void {
    for (const domain of this.#others) {
      domain.readUnlock(domain.readLock());
      domain.quiescent(); // has seen all there is
    }
  }

  #mustBeOver(cookie: number): void {
    for (let looks = 0; !this.#updater.pollState(cookie); looks++) {
      if (looks > MOST_LOOKS) throw new Error("a grace period that nobody holds up does not end");
    }
  }

  /** Ns of each. */
  round(): Times {
    const updater = this.#updater;
    const others = this.#others;
    let start = performance.now();
    this.#mustBeOver(updater.startPoll());
    const idle = (performance.now() - start) * 1e6;
    if (!this.#reports) return { idle };

    this.#online();
    start = performance.now();
    const cookie = updater.startPoll();
    let over = updater.pollState(cookie);
    const started = performance.now();
    for (let i = 0; i < LOOKS; i++) over = updater.pollState(cookie) || over;
    const looked = performance.now();
    for (const domain of others) domain.quiescent();
    const reported = performance.now();
    this.#mustBeOver(cookie);
    const end = performance.now();
    if (over) throw new Error("a grace period was over before anyone had reported");
    return {
      idle,
      look: ((looked - started) * 1e6) / LOOKS,
      report: ((reported - looked) * 1e6) / others.length,
      period: (end - start - (looked - started)) * 1e6,
    };
  }

  close(): void {
    for (const domain of this.#others) domain.detach();
    this.#shared.close();
  }
}
