/** Going on and off line, and quiescent states in a long turn, against a grace period. */

import type { Scenario } from "../scenario.js";
import { formatBlock, noneReused, replace, section } from "./block.js";
import { onEachFlavor, user } from "./support.js";

const DONE = user(1);
const verify = (_: unknown, results: readonly unknown[]): void => noneReused(results);

export const turns: readonly Scenario[] = onEachFlavor([
  {
    name: "two turns against synchronizeSync",
    setup: formatBlock,
    threads: [(a) => [a.turn(() => section(a)), a.turn(() => section(a))], replace],
    verify,
  },
  {
    name: "quiescent() in a loop against synchronizeSync",
    setup: formatBlock,
    threads: [
      (a) =>
        a.turn(() => {
          const seen = [];
          for (let i = 0; i < 3; i++) {
            seen.push(section(a));
            a.domain.quiescent();
          }
          return seen;
        }),
      replace,
    ],
    verify,
  },
  {
    name: "offline(fn) while it sleeps holds up nobody",
    setup: formatBlock,
    threads: [
      (a) =>
        a.turn(() => {
          const before = section(a);
          a.domain.offline(() => a.await(DONE));
          return [before, section(a)];
        }),
      (a) => {
        replace(a);
        a.signal(DONE);
      },
    ],
    verify,
  },
]);
