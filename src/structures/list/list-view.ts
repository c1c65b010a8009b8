/**
 * What the views of all lists have in common: whose they are, and who may do what where (K2; the kernel's lockdep and CONFIG_PROVE_RCU_LIST).
 *
 * Checked in debug mode only (`Shared.create({ debug: true })`), so that a reader's step stays one load:
 *   - who updates a list holds the lock that the view was given;
 *   - who follows a pointer is in a section, or holds that lock.
 *
 * Law table: this file owns no word.
 */

import { type Address, field, NULL } from "../../memory/address.js";
import type { Memory } from "../../memory/memory.js";
import type { RobustMutex } from "../../memory/robust-mutex.js";
import type { SpinLock } from "../../memory/spin-lock.js";
import type { Domain } from "../../rcu/domain.js";
import { ContextError } from "../../rcu/errors.js";
import { ListError } from "./errors.js";

/** In place of the way back of an entry that was deleted (the kernel's LIST_POISON2): no address, so that following it throws. */
export const LIST_POISON2 = -0x122;

/** The lock of a list's writers. */
export type ListLock = RobustMutex | SpinLock;

export interface ListOptions {
  /** The lock that the lists own: in debug mode every update must hold it. Without one nothing is checked: one thread updates them, or something else keeps writers apart. */
  readonly lock?: ListLock;
  /** For messages. */
  readonly name?: string;
}

/** Is given an entry: the address of the struct that embeds the list's head. `false` ends the walk. */
export type EachEntry = (entry: Address) => unknown;

/** One thread's view of some lists. */
export abstract class ListView {
  protected readonly memory: Memory;
  protected readonly domain: Domain;
  readonly #lock: ListLock | undefined;
  readonly #title: string;
  readonly #debug: boolean;

  constructor(domain: Domain, { lock, name }: ListOptions = {}) {
    this.domain = domain;
    this.memory = domain.arena.memory;
    this.#lock = lock;
    this.#title = `${this.constructor.name}${name === undefined ? "" : ` ${name}`}`;
    this.#debug = domain.arena.layout.debugWords > 0;
  }

  /** An update of the list that `list` is the head or an entry of is about to begin. */
  protected mayUpdate(operation: string, list: Address): void {
    if (this.#debug && this.#lock !== undefined && !this.#lock.held) {
      throw new ContextError(
        "ERR_LOCK_NOT_HELD",
        `${this.#title}: ${operation} of the list at ${list} without the lock at ${this.#lock.address}, which its writers take: lock() it first, and keep it until the update is done.`,
      );
    }
  }

  /** A pointer is about to be followed. */
  protected mayRead(operation: string, list: Address, domain: Domain = this.domain): void {
    if (this.#debug && !domain.readLockHeld && this.#lock?.held !== true) {
      throw new ContextError(
        "ERR_NOT_IN_SECTION",
        `${this.#title}: ${operation} in the list at ${list} outside a read-side section: entries could be freed at any time. Use read(fn) or readLock(), or hold the list's lock.`,
      );
    }
  }

  /** The way back of an entry that is to be taken from its list. @throws ListError */
  protected wayBack(operation: string, entry: Address, back: number): Address {
    if (back > NULL) return back as Address;
    throw new ListError(
      "ERR_NOT_LINKED",
      back === LIST_POISON2
        ? `${this.#title}: ${operation} of the entry at ${entry}, which was deleted already: an entry is deleted once, and freed or added again after a grace period.`
        : `${this.#title}: ${operation} of the entry at ${entry}, which is in no list, or in one whose writer died: add it first; after a death, repair() the list.`,
    );
  }

  /** What leads to an entry must lead to it. @throws ListError */
  protected mustLead(operation: string, entry: Address, pointer: Address): void {
    const found = this.memory.load(pointer);
    if (found !== entry) {
      throw new ListError(
        "ERR_LIST_CORRUPT",
        `${this.#title}: ${operation} of the entry at ${entry}, but the one before it leads to ${found}: it was deleted already, or somebody changed the list without its lock, or a writer died and nobody called repair().`,
      );
    }
  }
}

/** The struct that embeds a head or node `member` words from its start. */
export const entryOf = (link: Address, member: number): Address => field(link, -member);
