/** Words that mutants touch, and memories and patches that several of them have. */

import { type Address, field } from "../../src/memory/address.js";
import { Heap } from "../../src/memory/heap.js";
import type { Memory } from "../../src/memory/memory.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { slotAddress } from "../../src/memory/slot.js";
import { Domain } from "../../src/rcu/domain.js";
import { DOMAIN_WORDS, DomainWord, ReaderWord, readerWord } from "../../src/rcu/layout.js";
import { PassingMemory } from "../passing-memory.js";
import { LAYOUT, user } from "../scenarios/support.js";
import { all, patch } from "./mutant.js";

const domainWord = (word: number): Address => field(LAYOUT.root, word);
export const GP_SEQ = domainWord(DomainWord.GP_SEQ);
export const COMPLETED = domainWord(DomainWord.COMPLETED);
export const WANTED = domainWord(DomainWord.WANTED);
export const REAPING = domainWord(DomainWord.REAPING);
export const seenOf = (slot: number): Address => readerWord(LAYOUT, slot, 0, ReaderWord.SEEN);
export const slotWord = (slot: number, word: number): Address => field(slotAddress(LAYOUT, slot), word);

/** The scenarios' interval map: its root pointer and lock, and where a node's words are. */
export const MAP_ROOT = user(32);
export const MAP_LOCK = user(48);
export const Node = { HI: 1, LEFT: 2, RIGHT: 3, VALUE: 4 } as const;

export const DIRECTORY_LOCK = domainWord(LAYOUT.domains * DOMAIN_WORDS);

/** A cookie is the present sequence, not a new one. */
export class StaleCookie extends PassingMemory {
  override add(address: Address, value: number): number {
    return address === GP_SEQ ? super.load(address) - value : super.add(address, value);
  }
}

/** Nobody is notified of a word's change. */
export const silent = (word: Address): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override notify(address: Address): number {
      return address === word ? 0 : super.notify(address);
    }
  };

/** Some stores are left out. */
export const without = (lost: (address: Address, value: number) => boolean): (new (inner: Memory) => Memory) =>
  class extends PassingMemory {
    override store(address: Address, value: number): void {
      if (!lost(address, value)) super.store(address, value);
    }
    override write(address: Address, value: number): void {
      if (!lost(address, value)) super.write(address, value);
    }
  };

/** A mutex that keeps nobody out. */
export const unlocked = (lock: Address): (() => () => void) =>
  all(
    patch(
      RobustMutex.prototype,
      "lock",
      (original) =>
        function (this: RobustMutex, timeout?: number) {
          return this.address === lock ? false : original.call(this, timeout);
        },
    ),
    patch(
      RobustMutex.prototype,
      "unlock",
      (original) =>
        function (this: RobustMutex, failed?: boolean) {
          if (this.address !== lock) original.call(this, failed);
        },
    ),
  );

/** A lock's next owner mends nothing. */
export const unrepaired = (concerns: (lock: Address) => boolean): (() => () => void) =>
  patch(
    RobustMutex.prototype,
    "lockRepaired",
    (original) =>
      function (this: RobustMutex, repair: () => void, timeout?: number) {
        original.call(this, concerns(this.address) ? () => {} : repair, timeout);
      },
  );

/** The arena lock is taken by nobody. */
export const noArenaLock: () => () => void = patch(
  Heap.prototype,
  "withArenaLock",
  () =>
    <T>(fn: () => T): T =>
      fn(),
);

/** What is retired is freed at once. */
export const freedAtOnce: () => () => void = patch(
  Domain.prototype,
  "retire",
  () =>
    function (this: Domain, object: Address) {
      this.arena.heap.kfree(object);
    },
);
