/** What a section is: nesting, turns, going off and on line; and how far a grace period reaches. */

import type { Memory } from "../../src/memory/memory.js";
import { formatDomain } from "../../src/rcu/flavors/open.js";
import type { Actor } from "../scenarios/support.js";
import { LAYOUT } from "../scenarios/support.js";
import { CUT, cut, loadsAround, set } from "./grace-period.js";
import { type Litmus, litmus, X, Y } from "./litmus.js";

/** A section that begins in one turn and ends in another. */
export function overTurns(a: Actor): void {
  const index = a.turn(() => {
    const begun = a.domain.readLock();
    set(a, X);
    return begun;
  });
  a.turn(() => {
    set(a, Y);
    a.domain.readUnlock(index);
  });
}

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
    threads: [overTurns, loadsAround],
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
    setup: (a) => formatDomain(a?.memory as Memory, LAYOUT, 1, { flavor: "phase" }),
    threads: [
      (a) => {
        const other = a.domain.open(1);
        a.turn(() => {
          const index = other.readLock();
          set(a, X);
          set(a, Y);
          other.readUnlock(index);
        });
      },
      loadsAround,
    ],
    happened: cut,
  }),
].flat();
