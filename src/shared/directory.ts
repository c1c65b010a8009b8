/**
 * The directory: structures by name, so that every thread opens the same one.
 *
 *   entry   STATE HEADER CACHE TEXT      TEXT -> "name\nschema"
 *
 * Law table
 *   word            class
 *   LOCK            atomic (robust mutex)
 *   entry STATE     atomic; FREE -> MAKING -> READY, with the lock
 *   HEADER, CACHE, TEXT   immutable once STATE is READY; locked while MAKING
 *   the text        immutable once STATE is READY
 *
 * A thread that dies while it makes an entry leaves it MAKING; the next owner of the lock frees what was made, which the
 * entry's tag finds, and makes it again. Its cache is found by its name and used again.
 */

import { type Address, field } from "../memory/address.js";
import { cacheName, descriptorAt } from "../memory/geometry.js";
import { RobustMutex } from "../memory/robust-mutex.js";
import type { Domain } from "../rcu/domain.js";
import { formatDomain, isFormatted, rcuWordsOf, unformatDomain } from "../rcu/flavors/open.js";
import { HEADER_BYTES, NO_CACHE, type Place } from "../structures/structure.js";
import { utf8 } from "../values/utf8.js";
import { SchemaError } from "./errors.js";

/** Structures an arena can hold. */
const ENTRIES = 64;
const ENTRY_WORDS = 8;
const LOCK = 0;
const FIRST_ENTRY = 32;

/** What stands in place of a schema for a phase domain; its index stands in place of the cache. */
const PHASE_DOMAIN = "phase domain";
/** In place of its header: while the entry is MAKING, its domain is to be taken back. */
const UNFINISHED_DOMAIN = -1;

/** Words of the root area that the directory takes, after the domains'. */
export const DIRECTORY_WORDS: number = FIRST_ENTRY + ENTRIES * ENTRY_WORDS;

const EntryWord = { STATE: 0, HEADER: 1, CACHE: 2, TEXT: 3 } as const;
const EntryState = { FREE: 0, MAKING: 1, READY: 2 } as const;

/** Longest name, in UTF-16 code units. */
const LONGEST_NAME = 200;

/** Tags are negative, so that no address equals one. */
const blocksTag = (entry: number): number => -0x10000 - entry;
const entryTag = (entry: number): number => -0x20000 - entry;
const tableTag = (entry: number): number => -0x30000 - entry;

/** One thread's view of the directory. */
export class Directory {
  readonly #domain: Domain;
  readonly #base: Address;
  readonly #lock: RobustMutex;

  constructor(domain: Domain) {
    const { memory, layout, heap } = domain.arena;
    this.#domain = domain;
    this.#base = field(layout.root, rcuWordsOf(memory, layout));
    this.#lock = new RobustMutex(memory, field(this.#base, LOCK), heap.slot);
  }

  /**
   * Find the structure of a name, or make it.
   * @param schema its schema's text
   * @param shape bytes of its header, and of the objects of its own cache; 0 when it has none
   * @throws SchemaError, OutOfMemoryError, TooManyCachesError, ContextError (in a section), ClosedError
   */
  open(name: string, schema: string, shape: { readonly nodeBytes: number; readonly headerBytes?: number }): Place {
    return this.#place(
      this.#entry(name, schema, (entry) => this.#makeStructure(entry, shape.nodeBytes, shape.headerBytes ?? HEADER_BYTES)),
      name,
    );
  }

  /**
   * Find the phase domain of a name, or make it.
   * @returns its index
   * @throws SchemaError, OutOfMemoryError, ContextError (in a section), ClosedError
   */
  openPhaseDomain(name: string): number {
    const entry = this.#entry(name, PHASE_DOMAIN, (made) => this.#makePhaseDomain(made));
    return this.#domain.arena.memory.read(this.#word(entry, EntryWord.CACHE));
  }

  /** The entry of a name; `make` makes what it stands for, if it is new. */
  #entry(name: string, schema: string, make: (entry: number) => void): number {
    if (typeof name !== "string" || name.length === 0 || name.length > LONGEST_NAME || /[\n\p{Surrogate}]/u.test(name)) {
      throw new SchemaError("ERR_NAME", `a name is 1 to ${LONGEST_NAME} characters of well-formed text without a line break; got ${JSON.stringify(name)}.`);
    }
    this.#domain.beforeUpdate(`opening ${name}`);
    this.#lock.lock();
    try {
      this.#clearUnfinished();
      let free: number | undefined;
      for (let entry = 0; entry < ENTRIES; entry++) {
        if (this.#state(entry) === EntryState.FREE) {
          free ??= entry;
          continue;
        }
        const [itsName, itsSchema] = this.#text(entry);
        if (itsName !== name) continue;
        if (itsSchema === schema) return entry;
        throw new SchemaError("ERR_SCHEMA_MISMATCH", `${name} exists as ${itsSchema}; it cannot be opened as ${schema}. Use the same schema in every thread.`);
      }
      if (free === undefined) throw new SchemaError("ERR_TOO_MANY_STRUCTURES", `an arena holds at most ${ENTRIES} structures; ${name} would be one more.`);
      this.#make(free, name, schema, make);
      return free;
    } finally {
      this.#lock.unlock();
    }
  }

  /** Names and schemas of all structures. */
  *list(): Generator<{ name: string; schema: string }> {
    for (let entry = 0; entry < ENTRIES; entry++) {
      if (this.#state(entry) !== EntryState.READY) continue;
      const [name, schema] = this.#text(entry);
      yield { name, schema };
    }
  }

  #word(entry: number, word: number): Address {
    return field(this.#base, FIRST_ENTRY + entry * ENTRY_WORDS + word);
  }

  #state(entry: number): number {
    return this.#domain.arena.memory.load(this.#word(entry, EntryWord.STATE));
  }

  #text(entry: number): [name: string, schema: string] {
    const { memory } = this.#domain.arena;
    const [name = "", schema = ""] = utf8.read(memory, memory.read(this.#word(entry, EntryWord.TEXT)) as Address).split("\n");
    return [name, schema];
  }

  #place(entry: number, name: string): Place {
    const { memory } = this.#domain.arena;
    return {
      domain: this.#domain,
      header: memory.read(this.#word(entry, EntryWord.HEADER)) as Address,
      cache: memory.read(this.#word(entry, EntryWord.CACHE)),
      tag: blocksTag(entry),
      tableTag: tableTag(entry),
      name,
    };
  }

  #take(entry: number, bytes: number): Address {
    return this.#domain.allocate(bytes, () => this.#domain.arena.heap.kmalloc(bytes, entryTag(entry)));
  }

  #make(entry: number, name: string, schema: string, make: (entry: number) => void): void {
    const { memory } = this.#domain.arena;
    memory.write(this.#word(entry, EntryWord.HEADER), 0);
    memory.store(this.#word(entry, EntryWord.STATE), EntryState.MAKING);
    try {
      const text = utf8.prepare(`${name}\n${schema}`);
      const block = this.#take(entry, utf8.bytes(text));
      utf8.write(memory, block, text);
      memory.write(this.#word(entry, EntryWord.TEXT), block);
      make(entry);
      memory.store(this.#word(entry, EntryWord.STATE), EntryState.READY); // commit
    } catch (error) {
      this.#clearUnfinished();
      throw error;
    }
  }

  #makeStructure(entry: number, nodeBytes: number, headerBytes: number): void {
    const { memory } = this.#domain.arena;
    const header = this.#take(entry, headerBytes);
    memory.fill(header, headerBytes / 4, 0);
    memory.write(this.#word(entry, EntryWord.HEADER), header);
    memory.write(this.#word(entry, EntryWord.CACHE), nodeBytes === 0 ? NO_CACHE : this.#cacheFor(entry, nodeBytes));
  }

  #makePhaseDomain(entry: number): void {
    const { memory, layout } = this.#domain.arena;
    const index = Array.from({ length: layout.domains }, (_, i) => i).find((i) => !isFormatted(memory, layout, i));
    if (index === undefined)
      throw new SchemaError("ERR_TOO_MANY_DOMAINS", `all ${layout.domains} grace-period domains are taken: create the memory with more \`domains\`.`);
    memory.write(this.#word(entry, EntryWord.CACHE), index);
    memory.write(this.#word(entry, EntryWord.HEADER), UNFINISHED_DOMAIN);
    formatDomain(memory, layout, index, { flavor: "phase" });
  }

  /** The entry's cache: one that an unfinished making left, or a new one. */
  #cacheFor(entry: number, nodeBytes: number): number {
    const { memory, layout, heap } = this.#domain.arena;
    const name = `structure ${entry}, ${nodeBytes} bytes`;
    for (const index of heap.cacheIndexes()) {
      if (cacheName(memory, descriptorAt(layout, index)) === name) return index;
    }
    return heap.createCache(name, nodeBytes, { tracked: true });
  }

  #clearUnfinished(): void {
    const { memory, layout, heap } = this.#domain.arena;
    for (let entry = 0; entry < ENTRIES; entry++) {
      if (this.#state(entry) !== EntryState.MAKING) continue;
      for (const block of heap.ownedBy(entryTag(entry))) heap.kfree(block);
      if (memory.read(this.#word(entry, EntryWord.HEADER)) === UNFINISHED_DOMAIN)
        unformatDomain(memory, layout, memory.read(this.#word(entry, EntryWord.CACHE)));
      memory.store(this.#word(entry, EntryWord.STATE), EntryState.FREE);
    }
  }
}
