/**
 * Sections that are told apart by an index (phase): they end in another turn, and overlap without nesting. After the kernel's C-srcu-nest-1 to 8
 * (paulmckrcu/litmus, manual/kernel), in the form of the other tests: the section's stores are looked for on both sides of a grace period.
 *
 *   nest 5, 7, 8   [1 x = 1 [2  1] y = 1 2]      sections 1 and 2 overlap; RCU would make one of them, SRCU does not
 *
 * There the outcome is allowed, if the grace period begins in the first section and ends in the second: it need not wait for that one. Here it waits for it all the
 * same, because the second began before the first ended, and a grace period is three flips: as long as the first is open there is one flip at most, and a section
 * that began until then is in a phase that must come to be empty. The third of a chain is not waited for; that shows that overlapping sections do not become one.
 */

import type { Memory } from "../../src/memory/memory.js";
import { formatDomain } from "../../src/rcu/flavors/open.js";
import { type Actor, LAYOUT } from "../scenarios/support.js";
import { CUT, cut, get, loadsAround, set } from "./grace-period.js";
import { type Litmus, type LitmusSpec, litmus, X, Y, Z } from "./litmus.js";
import { overTurns } from "./online.js";

const STRONGER = "more than SRCU promises, which allows it: a section that began before the last one from before the grace period ended is waited for";

type Run = (a: Actor) => unknown;

const reader = (body: (a: Actor) => void): LitmusSpec["threads"] => [body, loadsAround];

/** Each section begins before the one before it ends; `x` in the first, `y` in the last. */
const chain =
  (sections: number): Run =>
  (a) => {
    const { domain } = a;
    let open = domain.readLock();
    set(a, X);
    for (let i = 1; i < sections; i++) {
      const next = domain.readLock();
      domain.readUnlock(open);
      open = next;
    }
    set(a, Y);
    domain.readUnlock(open);
  };

const phaseOnly = (spec: Omit<LitmusSpec, "outcome" | "happened" | "flavors"> & Partial<LitmusSpec>): Litmus[] =>
  litmus({ outcome: CUT, happened: cut, flavors: ["phase"], ...spec });

export const srcu: readonly Litmus[] = [
  phaseOnly({
    name: "SRCU nest 1: stores of the outer section, around an inner one",
    verdict: "Never",
    threads: reader((a) => {
      const outer = a.domain.readLock();
      set(a, X);
      a.domain.readUnlock(a.domain.readLock());
      set(a, Y);
      a.domain.readUnlock(outer);
    }),
  }),
  phaseOnly({
    name: "SRCU nest 2: second store in a nested section",
    verdict: "Never",
    threads: reader((a) => {
      const outer = a.domain.readLock();
      set(a, X);
      const inner = a.domain.readLock();
      set(a, Y);
      a.domain.readUnlock(inner);
      a.domain.readUnlock(outer);
    }),
  }),
  phaseOnly({
    name: "SRCU nest 3: overlapping sections of two domains, the grace period of the second",
    verdict: "Allowed",
    why: "the first store is in a section of another domain only",
    setup: (a) => formatDomain(a?.memory as Memory, LAYOUT, 1, { flavor: "phase" }),
    threads: reader((a) => {
      const other = a.domain.open(1);
      const first = other.readLock();
      set(a, X);
      const second = a.domain.readLock();
      other.readUnlock(first);
      set(a, Y);
      a.domain.readUnlock(second);
    }),
  }),
  phaseOnly({ name: "SRCU nest 5, 7: two overlapping sections", verdict: "Never", why: STRONGER, threads: [chain(2), loadsAround] }),
  phaseOnly({ name: "SRCU: a chain of three overlapping sections", verdict: "Allowed", threads: [chain(3), loadsAround] }),
  phaseOnly({
    name: "SRCU nest 6: down in one turn, up in another",
    verdict: "Never",
    threads: reader(overTurns),
  }),
  phaseOnly({
    name: "SRCU nest 8: two overlapping sections, and a store between their ends",
    verdict: "Never",
    why: STRONGER,
    threads: [
      (a) => {
        const first = a.domain.readLock();
        set(a, X);
        const second = a.domain.readLock();
        set(a, Z);
        a.domain.readUnlock(first);
        set(a, Y);
        a.domain.readUnlock(second);
      },
      (a) => {
        const early = [get(a, X), get(a, Z)];
        a.domain.synchronizeSync();
        return [early[0], get(a, Y), early[1], get(a, Z)];
      },
    ],
  }),
  phaseOnly({
    name: "SRCU: two readers overlap, each alone in its thread",
    verdict: "Allowed",
    why: "a section of another thread that begins later is another's, though it overlaps",
    threads: [
      (a) => {
        const index = a.domain.readLock();
        set(a, X);
        a.domain.readUnlock(index);
      },
      loadsAround,
      (a) => {
        const index = a.domain.readLock();
        const seen = get(a, X);
        if (seen === 1) set(a, Y);
        a.domain.readUnlock(index);
      },
    ],
  }),
].flat();
