/**
 * What scenarios of the shipped code share: a formatted arena, a thread's hold on it, and names for its words.
 *
 * Slots of the threads are claimed before the scenario begins (slot n is thread n's, by the number n + 1), so that attaching,
 * which is a scenario of its own, does not multiply the others. Sleeps have no timeouts, and nothing is counted for statistics: see ThreadMemory.
 */

import assert from "node:assert/strict";
import { type Address, field } from "../../src/memory/address.js";
import { Arena, attachedThreads, formatArena } from "../../src/memory/arena.js";
import { Heap } from "../../src/memory/heap.js";
import { type AllocatorName, type ArenaOptions, type Layout, leastBytes } from "../../src/memory/layout.js";
import type { Memory, WaitResult } from "../../src/memory/memory.js";
import { repairArena } from "../../src/memory/reap.js";
import { claimSlot, kindOf, Slot, SlotKind, slotAddress, slotsOfKind } from "../../src/memory/slot.js";
import { Domain } from "../../src/rcu/domain.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import { formatDomain, rcuWords } from "../../src/rcu/flavors/open.js";
import { DOMAIN_WORDS, DomainWord, domainRoot } from "../../src/rcu/layout.js";
import { FIRST_SEQUENCE } from "../../src/rcu/sequence.js";
import { DIRECTORY_WORDS } from "../../src/shared/directory.js";
import { NO_CACHE, type Place } from "../../src/structures/structure.js";
import { nameOfWord } from "../names.js";
import { PassingMemory } from "../passing-memory.js";
import type { Scenario, Tools } from "../scenario.js";
import { UndoMemory } from "../undo-memory.js";

const USER_WORDS = 256;
const SIZES = { slots: 4, caches: 32, domains: 2 };
export const FAN_OUT = 2;
/** Every scenario's arena has room for a tree. */
const RCU_WORDS = rcuWords(SIZES, { flavor: "tree", fanOut: FAN_OUT });
const OPTIONS: ArenaOptions = { ...SIZES, rootWords: RCU_WORDS + DIRECTORY_WORDS + USER_WORDS };
const WORDS = leastBytes(OPTIONS) / 4;

/** Where everything stands, in every scenario's arena. */
export const LAYOUT: Layout = formatArena(new UndoMemory(WORDS), OPTIONS, [1, 2]);

/** A word of the scenario's own. */
export const user = (word: number): Address => field(LAYOUT.root, RCU_WORDS + DIRECTORY_WORDS + word);

/** Place of a structure that is opened without the directory. */
export const placeOf = (a: Actor, cache: number = NO_CACHE): Place => ({
  domain: a.domain,
  header: user(32),
  cache,
  tag: -0x10000,
  tableTag: -0x30000,
  name: "structure",
});

/** Where a domain's statistics stand: how many grace periods there were, and how long they took. */
const STATISTICS: ReadonlySet<number> = new Set(
  Array.from({ length: LAYOUT.domains }, (_, domain) => domainRoot(LAYOUT, domain)).flatMap((root) => [
    root + DomainWord.GRACE_PERIODS,
    root + DomainWord.LONGEST,
    ...Array.from({ length: DOMAIN_WORDS - DomainWord.HISTOGRAM }, (_, word) => root + DomainWord.HISTOGRAM + word),
  ]),
);

/**
 * A thread's memory, until its run ends: the driver of its domain is still to come then, and finds nothing to do.
 *
 * Statistics are left out. No decision is made by them, and every thread counts in the same words: two that merely count one after the other or the other way
 * round would be two executions. (It also takes away what they order, so a race that counting would hide is seen.)
 */
class ThreadMemory extends PassingMemory {
  readonly #patient: boolean;
  readonly #counts: boolean;
  #over = false;

  /**
   * @param patient sleeps without timeouts, so that a wake-up which only a timeout makes good is seen as a deadlock
   * @param counts statistics are not left out
   */
  constructor(inner: Memory, patient: boolean, counts = false) {
    super(inner);
    this.#patient = patient;
    this.#counts = counts;
  }

  override load(address: Address): number {
    return this.#isLeftOut(address) ? 0 : super.load(address);
  }

  override add(address: Address, value: number): number {
    return this.#isLeftOut(address) ? 0 : super.add(address, value);
  }

  override compareExchange(address: Address, expected: number, replacement: number): number {
    return this.#isLeftOut(address) ? expected : super.compareExchange(address, expected, replacement);
  }

  #isLeftOut(address: Address): boolean {
    return !this.#counts && STATISTICS.has(address);
  }

  protected override passes(): boolean {
    return !this.#over;
  }

  override wait(address: Address, expected: number, timeout: number): WaitResult {
    return super.wait(address, expected, this.#patient && timeout > 0 ? Number.POSITIVE_INFINITY : timeout);
  }

  end(): void {
    this.#over = true;
  }
}

/** Looks once where it would look again and again; what a driver that is left behind waits for is nobody's concern. */
const QUIET = { spin: 0, stallTimeout: Number.POSITIVE_INFINITY };

/** One thread of a scenario. */
export class Actor {
  readonly index: number;
  readonly memory: Memory;
  readonly tools: Tools;
  readonly layout: Layout;
  #domain: Domain | undefined;

  constructor(index: number, memory: Memory, tools: Tools, layout: Layout = LAYOUT) {
    this.layout = layout;
    this.index = index;
    this.memory = memory;
    this.tools = tools;
  }

  /** The number that the thread's slot goes by. */
  get number(): number {
    return this.index + 1;
  }

  /** Its domain, in the slot that was claimed for it. */
  get domain(): Domain {
    this.#domain ??= new Domain(this.#arenaOfSlot(), QUIET);
    return this.#domain;
  }

  /** In place of `domain`, where no slot was claimed: attach. */
  attach(): Domain {
    this.#domain = new Domain(new Arena(this.memory, this.number), QUIET);
    return this.#domain;
  }

  get heap(): Heap {
    return this.domain.arena.heap;
  }

  #arenaOfSlot(): Arena {
    const { memory, layout } = this;
    const heap = new Heap(memory, layout, new Slot(memory, layout, this.index, this.number), repairArena);
    return Object.assign(Object.create(Arena.prototype) as Arena, { memory, layout, heap });
  }

  /** A turn of the event loop. */
  turn<R>(body: () => R): R {
    return this.tools.turn(body);
  }

  /** Let others know: one word, from 0 to 1. */
  signal(word: Address): void {
    this.memory.store(word, 1);
    this.memory.notify(word);
  }

  /** Sleep until a word is not 0. */
  await(word: Address): void {
    while (this.memory.load(word) === 0) this.memory.wait(word, 0, Number.POSITIVE_INFINITY);
  }
}

/**
 * After a scenario whose dead were reaped: everybody leaves; then nothing may be lost, in two places, or left in a slot.
 */
export function whole(a: Actor): void {
  const { memory, tools } = a;
  for (let index = 0; index < a.index; index++) {
    const state = memory.load(slotAddress(LAYOUT, index));
    if (kindOf(state) === SlotKind.LIVE) new Actor(index, memory, tools, a.layout).domain.detach();
  }
  const survivor = new Actor(0, memory, tools).attach();
  for (let look = 0; look < 2; look++) survivor.advance(); // the first gives what is left a cookie
  assert.deepEqual(survivor.arena.check(), []);
  assert.equal(attachedThreads(memory, LAYOUT), 1);
  for (const kind of [SlotKind.DEAD, SlotKind.DRAINED]) assert.deepEqual([...slotsOfKind(memory, LAYOUT, kind)], [], `slots of kind ${kind}`);
}

export interface ArenaScenario {
  readonly name: string;
  /** What is different on a flavor whose grace periods take so many accesses that the scenario would be too large there. */
  readonly lighter?: { readonly [F in FlavorName]?: Partial<Omit<ArenaScenario, "name" | "flavor" | "lighter">> };
  /** Slots claimed beforehand; default one for each thread. */
  readonly slots?: number;
  /** Flavor of the main domain. */
  readonly flavor?: FlavorName;
  /** Children of a node, if it is the tree flavor; default 2: two levels for four slots. */
  readonly fanOut?: 2 | 4;
  /** About its first grace-period sequence. */
  readonly sequence?: number;
  /** What cuts objects from pages. */
  readonly allocator?: AllocatorName;
  /** Sleeps keep their timeouts; they fire when nobody else can run. */
  readonly timeouts?: boolean;
  /** Statistics are kept. */
  readonly counts?: boolean;
  /** With an actor for each thread. */
  setup?(...actors: Actor[]): void;
  readonly threads: readonly ((actor: Actor) => unknown)[];
  /** With an actor in a slot of its own. */
  verify?(actor: Actor, results: readonly unknown[]): void;
}

/** The scenarios on each flavor; the event-loop flavor's go by the plain name. */
export const onEachFlavor = (specs: readonly ArenaScenario[]): Scenario[] => onFlavors(FLAVORS, specs);

/** The scenarios on some flavors. */
export const onFlavors = (flavors: readonly FlavorName[], specs: readonly ArenaScenario[]): Scenario[] =>
  flavors.flatMap((flavor) => specs.map((spec) => inArena({ ...spec, ...spec.lighter?.[flavor], flavor, name: nameOn(flavor, spec.name) })));

/** What a scenario or a litmus test goes by on a flavor. */
export const nameOn = (flavor: FlavorName, name: string): string => (flavor === "event-loop" ? name : `${name}, ${flavor}`);

/** A scenario in an arena. */
export function inArena(spec: ArenaScenario): Scenario {
  const { name, slots = spec.threads.length, flavor = "event-loop", fanOut = FAN_OUT, sequence = FIRST_SEQUENCE, allocator = "slab" } = spec;
  const layout: Layout = { ...LAYOUT, allocator };
  return {
    name,
    words: WORDS,
    label: (address) => nameOfWord(LAYOUT, address, RCU_WORDS - LAYOUT.domains * DOMAIN_WORDS),
    setup(memory, tools) {
      formatArena(memory, { ...OPTIONS, allocator }, [1, 2]);
      formatDomain(memory, LAYOUT, 0, { flavor, fanOut, sequence });
      for (let i = 0; i < slots; i++) claimSlot(memory, LAYOUT, i + 1);
      const own = new ThreadMemory(memory, true);
      spec.setup?.(...spec.threads.map((_, i) => new Actor(i, own, tools, layout)));
      own.end();
    },
    threads: spec.threads.map((run, i) => (inner, tools) => {
      const memory = new ThreadMemory(inner, spec.timeouts !== true, spec.counts);
      try {
        return tools.turn(() => run(new Actor(i, memory, tools, layout)));
      } finally {
        memory.end();
      }
    }),
    verify: (inner, results) => {
      const memory = new ThreadMemory(inner, true);
      try {
        spec.verify?.(new Actor(spec.threads.length, memory, NO_TOOLS, layout), results);
      } finally {
        memory.end();
      }
    },
  };
}

const NO_TOOLS: Tools = {
  thread: -1,
  annotate: { allocated() {}, freed() {}, immutable() {}, privileged: (body) => body() },
  defer() {},
  turn: (body) => body(),
};
