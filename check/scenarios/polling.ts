/** Cookies: what `getState` and `startPoll` give, polled, waited for, kept for too long; and waits that look rather than sleep. */

import assert from "node:assert/strict";
import type { Address } from "../../src/memory/address.js";
import { GracePeriodTimeoutError } from "../../src/rcu/errors.js";
import type { Cookie } from "../../src/rcu/sequence.js";
import type { Scenario } from "../scenario.js";
import { fill, formatBlock, NEW, noneReused, POINTER, reuse, section } from "./block.js";
import { type Actor, onEachFlavor } from "./support.js";

const verify = (_: unknown, results: readonly unknown[]): void => noneReused(results);
const reader = (a: Actor): unknown => a.turn(() => section(a));

function unlink(a: Actor): Address {
  fill(a, NEW, 2);
  return a.memory.exchange(POINTER, NEW) as Address;
}

/** With no time to wait. */
function condSynchronizeAtOnce(a: Actor): void {
  const old = unlink(a);
  try {
    a.domain.condSynchronizeSync(a.domain.getState(), { timeout: 0 });
    reuse(a, old);
  } catch (error) {
    if (!(error instanceof GracePeriodTimeoutError)) throw error;
  }
}

export const polling: readonly Scenario[] = onEachFlavor([
  {
    name: "a polled cookie is over only after the sections that were open",
    setup: formatBlock,
    threads: [
      reader,
      (a) => {
        const old = unlink(a);
        const cookie = a.domain.getState();
        for (let look = 0; look < 2; look++) {
          if (!a.domain.pollState(cookie)) continue;
          reuse(a, old);
          break;
        }
      },
    ],
    verify,
  },
  {
    name: "condSynchronizeSync waits for a cookie that is not over",
    setup: formatBlock,
    threads: [
      reader,
      (a) => {
        const old = unlink(a);
        a.domain.condSynchronizeSync(a.domain.getState());
        reuse(a, old);
      },
    ],
    lighter: { tree: { fanOut: 4, threads: [reader, condSynchronizeAtOnce] } },
    verify,
  },
  {
    name: "a cookie from before the wrap is over, a new one is not",
    setup: formatBlock,
    threads: [
      reader,
      (a) => {
        const old = unlink(a);
        const cookie = a.domain.getState();
        // More than half of all numbers ago, and a little ago.
        const kept = [0x7fffff00, -0x7fffff00, 64, -64].map((ago) => ((cookie - ago) | 0) as Cookie);
        for (const one of kept) assert.ok(a.domain.pollState(one), `${(cookie - one) | 0} before`);
        if (a.domain.pollState(cookie)) reuse(a, old);
      },
    ],
    verify,
  },
  {
    name: "an expedited grace period waits for the sections that were open",
    setup: formatBlock,
    threads: [
      reader,
      (a) => {
        const old = unlink(a);
        a.domain.synchronizeSync({ expedited: true });
        reuse(a, old);
      },
    ],
    verify,
  },
]);
