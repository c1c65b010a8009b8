/**
 * Changing entries of a map: every update of one key, whatever its condition, is one attempt after the other of the same kind.
 *
 *   find the bucket (and move it, if it is to be) -> may it be changed so? -> a copy of its block, changed -> compareExchange -> retire what it replaced
 *
 * Law table: words.ts, bucket.ts. A block and a value's block are private until the compareExchange that publishes them (memory/publication.ts).
 *
 * Guarantees
 *   A  an update takes effect at one instant, the compareExchange, or not at all.
 *   B  no update waits for another; but one that finds the map held (clear, snapshot, repair) waits for whoever holds it.
 *   C  of a writer that dies anywhere in it nothing is lost: its update took place or did not, the count is right, and all blocks are somebody's.
 */

import { type Address, NULL } from "../../memory/address.js";
import { QuiesceError } from "../../memory/errors.js";
import type { Heap } from "../../memory/heap.js";
import type { Memory } from "../../memory/memory.js";
import type { Publication } from "../../memory/publication.js";
import type { Domain } from "../../rcu/domain.js";
import { inSection } from "../../rcu/in-section.js";
import type { CodecBase } from "../../values/codec.js";
import type { Place } from "../structure.js";
import { type Buckets, nextVersion } from "./bucket.js";
import type { Keys } from "./keys.js";
import type { Found, Tables } from "./tables.js";
import { countOf, EMPTY } from "./words.js";

/** What an update is to do to a key's entry. */
export interface Update {
  /** The prepared value that it gets; undefined: it goes. */
  readonly value: unknown;
  /** The version it must have, 0 for no entry; undefined: whatever it has. */
  readonly expected: number | undefined;
  /** When it expires, as Clock.now counts. */
  readonly expires: number;
  /** Whether it may be one that has expired; else such a one is as good as none. */
  readonly isSweep: boolean;
}

type Outcome = Exclude<Found, "open"> | "done" | "refused";

/** One thread's updates of one map. */
export class Entries<K> {
  readonly #memory: Memory;
  readonly #heap: Heap;
  readonly #domain: Domain;
  readonly #publication: Publication;
  readonly #retire = (block: Address): void => this.#domain.retire(block);
  readonly #keys: Keys<K>;
  readonly #buckets: Buckets<unknown>;
  readonly #tables: Tables;
  readonly #codec: CodecBase<unknown>;
  readonly #count: Address;
  readonly #hasExpired: (entry: Address) => boolean;
  readonly #mend: () => void;
  /** Whether the update under way took place. */
  #isPublished = false;
  /** Hash of the last update's key; version of the entry that it put in; by how many entries there are more. */
  hash = 0;
  version = 0;
  added = 0;

  constructor(
    place: Place,
    publication: Publication,
    keys: Keys<K>,
    buckets: Buckets<unknown>,
    tables: Tables,
    codec: CodecBase<unknown>,
    hasExpired: (entry: Address) => boolean,
    mend: () => void,
  ) {
    const { domain, header } = place;
    this.#memory = domain.arena.memory;
    this.#heap = domain.arena.heap;
    this.#domain = domain;
    this.#publication = publication;
    this.#keys = keys;
    this.#buckets = buckets;
    this.#tables = tables;
    this.#codec = codec;
    this.#count = countOf(header, this.#heap.slot.index);
    this.#hasExpired = hasExpired;
    this.#mend = mend;
  }

  /**
   * Update a key's entry.
   * @returns whether it was done; `hash`, `version` and `added` then say more
   * @throws KeyError, OutOfMemoryError, LockTimeoutError; nothing has changed then
   */
  update(key: K, update: Update): boolean {
    this.#publication.finishLast(); // else whose is the block would not be told after an error
    const block = this.#valueBlock(update);
    const { stock } = this.#tables;
    stock.givesBack = update.value === undefined;
    let outcome: Outcome = "refused";
    this.#isPublished = false;
    try {
      outcome = this.#try(key, update, block);
      while (outcome === "held" || outcome === "no memory") {
        if (outcome === "held") this.#waitForHolder();
        else stock.fetch();
        outcome = this.#try(key, update, block);
      }
    } finally {
      // After an error it may be in the map; what is unfinished then the next publication sees to.
      const isPublished = this.#isPublished || this.#publication.isUnfinished;
      if (block !== NULL && !isPublished) this.#heap.kfree(block);
      stock.drop();
    }
    if (this.#tables.needsRepair) this.#repair();
    return outcome === "done";
  }

  #valueBlock({ value }: Update): Address {
    const codec = this.#codec;
    if (value === undefined || codec.words !== undefined) return NULL;
    const bytes = codec.bytes(value);
    const block = this.#domain.allocate(bytes, () => this.#publication.take(bytes));
    try {
      codec.write(this.#memory, block, value);
    } catch (error) {
      this.#heap.kfree(block);
      throw error;
    }
    return block;
  }

  #try(key: K, update: Update, block: Address): Outcome {
    return inSection(this.#domain.reader, () => {
      // Each time anew, in the section: what came before may have run code of the user's (a tracepoint's, an onStall's) that looked up another.
      const hash = this.#keys.parse(key);
      this.hash = hash;
      // What goes gives back more than it takes; moving on does not.
      const attempt = (): Outcome => this.#attempt(hash, update, block);
      const outcome = update.value === undefined ? this.#heap.withReserve(attempt) : attempt();
      if (outcome === "done") this.#tables.help();
      return outcome;
    });
  }

  #attempt(hash: number, update: Update, valueBlock: Address): Outcome {
    const memory = this.#memory;
    const buckets = this.#buckets;
    const tables = this.#tables;
    const publication = this.#publication;
    const isVariable = this.#codec.words === undefined;
    for (;;) {
      const found = tables.locate(hash);
      if (found !== "open") return found;
      const { word, block } = tables;
      const old = buckets.find(block);
      const version = old === NULL || (!update.isSweep && this.#hasExpired(old)) ? 0 : buckets.entryVersion(old);
      if (update.expected === undefined ? update.value === undefined && version === 0 : update.expected !== version) return "refused";
      buckets.begin();
      buckets.keepAll(block, old === NULL ? -1 : buckets.indexOf(block, old));
      if (update.value !== undefined) buckets.add(old !== NULL); // one that is new has to be read before it counts as used
      const made = tables.stock.take(buckets.words() * 4);
      if (made === NULL) return "no memory";
      if (update.value !== undefined) this.version = nextVersion(tables.version);
      else tables.outdate(buckets.entryVersion(old));
      const entry = buckets.write(made, this.version, update.expires);
      if (update.value !== undefined) {
        if (isVariable) memory.write(buckets.valueOf(entry), valueBlock);
        else this.#codec.write(memory, buckets.valueOf(entry), update.value);
      }
      this.added = (update.value === undefined ? 0 : 1) - (old === NULL ? 0 : 1);
      const oldBlock = block === EMPTY ? NULL : block;
      const oldValue = isVariable && old !== NULL ? (memory.read(buckets.valueOf(old)) as Address) : NULL;
      if (oldBlock !== NULL) publication.settle(oldBlock);
      if (oldValue !== NULL) publication.settle(oldValue);
      const change = {
        word,
        from: block,
        to: made,
        block: made,
        value: update.value === undefined ? NULL : valueBlock,
        oldBlock,
        oldValue,
        counter: this.added === 0 ? NULL : this.#count,
        added: this.added,
      };
      if (!publication.publish(change)) {
        this.#heap.kfree(made); // another was faster
        continue;
      }
      this.#isPublished = true;
      publication.retireOld(change, this.#retire);
      return "done";
    }
  }

  // Whatever keeps it from being done now, the update took place: the next one tries again.
  #repair(): void {
    try {
      this.#waitForHolder();
    } catch (error) {
      if (!(error instanceof QuiesceError)) throw error;
      this.#tables.needsRepair = true;
    }
  }

  #waitForHolder(): void {
    const { lock } = this.#tables;
    this.#tables.needsRepair = false;
    lock.lockRepaired(this.#mend);
    lock.unlock();
  }
}
