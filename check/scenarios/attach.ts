/** Threads that come and go during a grace period: a new reader is waited for if it can hold the old, and no other. */

import assert from "node:assert/strict";
import type { Address } from "../../src/memory/address.js";
import { attachedThreads } from "../../src/memory/arena.js";
import { ReaderWord, readerWord } from "../../src/rcu/layout.js";
import { FIRST_SEQUENCE } from "../../src/rcu/sequence.js";
import type { Scenario } from "../scenario.js";
import { formatBlock, noneReused, replace, section } from "./block.js";
import { type Actor, LAYOUT, onEachFlavor, user, whole } from "./support.js";

const OBJECT = user(1);
const STAYS = readerWord(LAYOUT, 2, 0, ReaderWord.SEEN);

function comeAndGo(a: Actor): number {
  a.attach();
  const seen = a.turn(() => section(a));
  a.domain.detach();
  return seen;
}

function verify(a: Actor, results: readonly unknown[]): void {
  noneReused(results);
  assert.equal(attachedThreads(a.memory, LAYOUT), 0);
}

export const attach: readonly Scenario[] = onEachFlavor([
  {
    name: "attach and detach during a grace period",
    slots: 0,
    setup: formatBlock,
    threads: [
      comeAndGo,
      (a) => {
        a.attach();
        replace(a);
        a.domain.detach();
      },
    ],
    lighter: {
      tree: {
        slots: 1,
        threads: [
          (a) => {
            replace(a);
            a.domain.detach();
          },
          comeAndGo,
        ],
      },
    },
    verify,
  },
  {
    name: "two threads attach at once",
    slots: 0,
    threads: [(a) => a.attach().arena.heap.slot.index, (a) => a.attach().arena.heap.slot.index],
    verify: (_, slots) => assert.deepEqual([...slots].sort(), [0, 1]),
  },
  {
    name: "a slot passes from thread to thread during a grace period",
    slots: 1,
    setup: formatBlock,
    threads: [
      replace,
      (a) => {
        const seen = comeAndGo(a);
        a.attach();
        return [seen, a.turn(() => section(a))];
      },
    ],
    verify: (_, results) => noneReused(results),
  },
  {
    name: "a thread leaves something behind while another looks for such",
    slots: 3, // the third is a reader that stays where it is
    setup: (leaver) => {
      const { memory, heap } = leaver as Actor;
      memory.store(STAYS, FIRST_SEQUENCE);
      memory.store(OBJECT, heap.kmalloc(8));
      (leaver as Actor).domain.retire(heap.kmalloc(8)); // the first takes a sheaf, under the arena lock
    },
    threads: [
      (a) => {
        a.domain.retire(a.memory.load(OBJECT) as Address);
        a.domain.detach();
      },
      (a) => {
        a.domain.helpDeparted();
        a.domain.advance();
      },
    ],
    verify: (a) => {
      a.memory.store(STAYS, 0);
      a.domain.detach();
      whole(a);
    },
  },
]);
