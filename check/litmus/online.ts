/** What a section is: nesting, turns, going off and on line; and how far a grace period reaches. */

import { type Address, field, PAGE_SHIFT } from "../../src/memory/address.js";
import { type Layout, SLOT_HEAD_WORDS } from "../../src/memory/layout.js";
import { SlotKind, slotAddress, slotState } from "../../src/memory/slot.js";
import { EventLoopReader } from "../../src/rcu/event-loop.js";
import { formatDomain, GracePeriods } from "../../src/rcu/grace-period.js";
import { DOMAIN_WORDS } from "../../src/rcu/layout.js";
import { LAYOUT } from "../scenarios/support.js";
import { CUT, cut, loadsAround, set } from "./grace-period.js";
import { type Litmus, litmus, X, Y } from "./litmus.js";

/** A second domain's words and slots, in a page that the arena has not given to anyone. */
const OTHER_ROOT = ((LAYOUT.pages - 1) << PAGE_SHIFT) as Address;
const OTHER: Layout = { ...LAYOUT, root: OTHER_ROOT, slotTable: field(OTHER_ROOT, DOMAIN_WORDS), slotWords: SLOT_HEAD_WORDS };

export const online: readonly Litmus[] = [
  litmus({
    name: "nested: an inner section's end",
    verdict: "Never",
    outcome: CUT,
    threads: [
      (a) =>
        a.turn(() =>
          a.domain.read(() => {
            set(a, X);
            a.domain.read(() => 0);
            a.domain.quiescent(); // nothing, in a section
            set(a, Y);
          }),
        ),
      loadsAround,
    ],
    happened: cut,
  }),
  litmus({
    name: "nested: the outer section's end",
    verdict: "Allowed",
    outcome: CUT,
    threads: [
      (a) => {
        a.turn(() => a.domain.read(() => a.domain.read(() => set(a, X))));
        a.turn(() => a.domain.read(() => set(a, Y)));
      },
      loadsAround,
    ],
    happened: cut,
  }),
  litmus({
    name: "from offline into a section",
    verdict: "Never",
    outcome: CUT,
    threads: [
      (a) =>
        a.turn(() => {
          a.domain.read(() => 0);
          a.domain.offline(() => 0);
          a.domain.read(() => {
            set(a, X);
            set(a, Y);
          });
        }),
      loadsAround,
    ],
    happened: cut,
  }),
  litmus({
    name: "out of a section into offline",
    verdict: "Never",
    outcome: CUT,
    threads: [
      (a) =>
        a.turn(() => {
          a.domain.read(() => {
            set(a, X);
            set(a, Y);
          });
          a.domain.offline(() => 0);
        }),
      loadsAround,
    ],
    happened: cut,
  }),
  litmus({
    name: "offline between two sections",
    verdict: "Allowed",
    outcome: CUT,
    threads: [
      (a) =>
        a.turn(() => {
          a.domain.read(() => set(a, X));
          a.domain.offline(() => 0);
          a.domain.read(() => set(a, Y));
        }),
      loadsAround,
    ],
    happened: cut,
  }),
  litmus({
    name: "a section left open over the end of its turn",
    verdict: "Never",
    outcome: CUT,
    threads: [
      (a) => {
        a.turn(() => {
          a.domain.readLock();
          set(a, X);
        });
        a.turn(() => {
          set(a, Y);
          a.domain.readUnlock();
        });
      },
      loadsAround,
    ],
    happened: cut,
  }),
  litmus({
    name: "synchronize by a thread that was online",
    verdict: "Never",
    outcome: CUT,
    threads: [
      (a) =>
        a.turn(() =>
          a.domain.read(() => {
            set(a, X);
            set(a, Y);
          }),
        ),
      (a) =>
        a.turn(() => {
          a.domain.read(() => 0); // it must not wait for itself
          return loadsAround(a);
        }),
    ],
    happened: cut,
  }),
  litmus({
    name: "two domains",
    verdict: "Allowed",
    outcome: CUT,
    why: "domains are independent: a section holds up no grace period of another",
    setup: (a) => {
      if (a === undefined) return;
      formatDomain(a.memory, OTHER);
      a.memory.store(slotAddress(OTHER, 0), slotState(SlotKind.LIVE, 1));
    },
    threads: [
      (a) => {
        const reader = new EventLoopReader(a.memory, slotAddress(OTHER, 0), new GracePeriods(a.memory, OTHER), () => {});
        a.turn(() => {
          reader.lock();
          set(a, X);
          set(a, Y);
          reader.unlock();
        });
      },
      loadsAround,
    ],
    happened: cut,
  }),
];
