/** One thread's hold on an arena whose memory is checked, in real threads: what `Shared` is for a program. */

import { Arena, formatArena, nextThreadNumber } from "../../src/memory/arena.js";
import { type ArenaOptions, leastBytes, openLayout } from "../../src/memory/layout.js";
import { SharedMemory } from "../../src/memory/memory.js";
import { Domain } from "../../src/rcu/domain.js";
import type { FlavorName } from "../../src/rcu/flavors/flavor.js";
import { formatDomain, rcuWords } from "../../src/rcu/flavors/open.js";
import { DIRECTORY_WORDS } from "../../src/shared/directory.js";
import type { IntervalMap } from "../../src/structures/interval-map.js";
import type { SharedMap } from "../../src/structures/map/map.js";
import type { MapSchema } from "../../src/structures/map/schema.js";
import type { BoundsName, IntervalMapSchema } from "../../src/structures/schema.js";
import { nameOfWord } from "../names.js";
import { openMap, openSharedMap } from "../support/open-map.js";
import { annotateHeap } from "./annotated-heap.js";
import { type CheckedHandle, CheckedThread, checkedHandle, type Sampling } from "./checked-thread.js";

const SIZES = { slots: 8, caches: 40, domains: 2 };
const FAN_OUT = 2;

const optionsFor = (flavor: FlavorName): ArenaOptions => ({ ...SIZES, rootWords: rcuWords(SIZES, { flavor, fanOut: FAN_OUT }) + DIRECTORY_WORDS });

export interface CheckedArenaOptions {
  /** Threads that will ever join, this one too. */
  readonly threads: number;
  /** Pages beyond the least: each takes some hundred KiB of shadow memory once it is touched. */
  readonly extraPages?: number;
  readonly sampling?: Sampling;
  /** Flavor of the main domain. */
  readonly flavor?: FlavorName;
}

export class CheckedArena {
  readonly handle: CheckedHandle;
  readonly thread: CheckedThread;
  domain: Domain;

  /**
   * Attach this thread.
   * @param id that the host knows the thread by (`threadId`)
   */
  constructor(handle: CheckedHandle, id: number, name: string) {
    const layout = openLayout(new SharedMemory(handle.memory));
    this.handle = handle;
    this.thread = new CheckedThread(handle, id, name, (address) => nameOfWord(layout, address));
    this.domain = this.#attach();
  }

  /** Make an arena, which its maker is the first to attach to. */
  static create({ threads, extraPages = 0, sampling = {}, flavor = "event-loop" }: CheckedArenaOptions): CheckedArena {
    const buffer = new SharedArrayBuffer(leastBytes(optionsFor(flavor)) + 4096 * extraPages);
    const memory = new SharedMemory(buffer);
    formatDomain(memory, formatArena(memory, optionsFor(flavor)), 0, { flavor, fanOut: FAN_OUT });
    return new CheckedArena(checkedHandle(buffer, threads, sampling), 0, "main");
  }

  #attach(): Domain {
    const { memory } = this.thread;
    const arena = new Arena(memory, nextThreadNumber(memory));
    annotateHeap(arena.heap, this.thread);
    const domain = new Domain(arena);
    domain.helpDeparted();
    return domain;
  }

  /** Leave, and come back under another number. */
  reattach(): void {
    this.domain.detach();
    this.domain = this.#attach();
  }

  intervalMap<const B extends BoundsName, T, V = T>(name: string, schema: IntervalMapSchema<B, T, V>): IntervalMap<B, T, V> {
    return openMap<B, T, V>(this.domain, schema, name);
  }

  map<K, T, V = T>(name: string, schema: MapSchema<K, T, V>): SharedMap<K, T, V> {
    return openSharedMap(this.domain, schema, { name });
  }

  /** Leave, and tell how much was checked. */
  close(): void {
    this.domain.detach();
    this.thread.tell();
  }
}
