/**
 * Watching all of a map: which keys have changed since the last look.
 *
 *   writer    publish ... somebody watches?  the region of the hash: one more;  wake them (changes.ts)
 *   watcher   which regions have another count?  go over these, and compare the versions with those of the last look
 *
 * A region is a 64th of the hashes. Each watch remembers every key's version in its thread's own memory: that is what it costs.
 *
 * Law table: REGIONS (words.ts) atomic.
 *
 * Guarantees
 *   A  a key whose entry is not what it was at the last look is told at the next, put in, changed, or taken away; what changed more than once is told once.
 *   B  what a writer published that died before it counted, and what has expired, is told a second late at most, when all regions are gone over.
 */

import { type Address, field } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import type { Found } from "../changes.js";
import { MapWord, REGIONS } from "./words.js";

/** Bits of a hash below its region's number. */
const REGION_SHIFT: number = 32 - Math.log2(REGIONS);
/** ms between two looks at all regions. */
const ALL_REGIONS = 1000;

/** One entry, as a watch sees it: `id` is of the key, also where two equal keys are two objects. */
export interface Seen<K> {
  readonly id: string | number;
  readonly key: K;
  readonly version: number;
}

const regionOf = (header: Address, region: number): Address => field(header, MapWord.REGIONS + region);

/** After publishing, while somebody watches: where it was. */
export function countChange(memory: Memory, header: Address, hash: number): void {
  memory.add(regionOf(header, hash >>> REGION_SHIFT), 1);
}

/** What one watch has seen. */
export class Watching<K> {
  readonly #memory: Memory;
  readonly #header: Address;
  readonly #entries: (from: number, end: number) => Iterable<Seen<K>>;
  readonly #counts: number[] = new Array(REGIONS).fill(0);
  readonly #seen: Map<string | number, Seen<K>>[] = Array.from({ length: REGIONS }, () => new Map());
  #allAt = Number.NEGATIVE_INFINITY;

  /** @param entries those whose hashes are from `from` to before `end` */
  constructor(memory: Memory, header: Address, entries: (from: number, end: number) => Iterable<Seen<K>>) {
    this.#memory = memory;
    this.#header = header;
    this.#entries = entries;
    this.look();
  }

  /** Keys that have changed since the last look; undefined when none has. */
  look(): Found<K[]> | undefined {
    const now = performance.now();
    const all = now - this.#allAt >= ALL_REGIONS;
    if (all) this.#allAt = now;
    const changed: K[] = [];
    for (let region = 0; region < REGIONS; region++) {
      const count = this.#memory.load(regionOf(this.#header, region)); // before the entries: what comes later is told later
      if (!all && count === this.#counts[region]) continue;
      this.#counts[region] = count;
      this.#compare(region, changed);
    }
    return changed.length === 0 ? undefined : { value: changed };
  }

  #compare(region: number, changed: K[]): void {
    const before = this.#seen[region] as Map<string | number, Seen<K>>;
    const now = new Map<string | number, Seen<K>>();
    for (const seen of this.#entries(region * 2 ** REGION_SHIFT, (region + 1) * 2 ** REGION_SHIFT)) {
      now.set(seen.id, seen);
      if (before.get(seen.id)?.version !== seen.version) changed.push(seen.key);
    }
    for (const { id, key } of before.values()) if (!now.has(id)) changed.push(key);
    this.#seen[region] = now;
  }
}
