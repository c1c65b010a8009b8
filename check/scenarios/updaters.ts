/** Two updaters at once: each has a grace period of its own, and neither oversleeps it. */

import type { Address } from "../../src/memory/address.js";
import type { Scenario } from "../scenario.js";
import { formatBlock, NEW, NEWER, noneReused, replace, replaceAtOnce, section } from "./block.js";
import { type Actor, onEachFlavor } from "./support.js";

const updateAtOnce =
  (block: Address, value: number) =>
  (a: Actor): void =>
    void replaceAtOnce(a, block, value);

export const updaters: readonly Scenario[] = onEachFlavor([
  {
    name: "two updaters and a reader",
    setup: formatBlock,
    threads: [(a) => a.turn(() => section(a)), (a) => replace(a, NEW, 2), (a) => replace(a, NEWER, 3)],
    lighter: {
      phase: { threads: [(a) => a.turn(() => section(a)), updateAtOnce(NEW, 2), updateAtOnce(NEWER, 3)] },
      // The first updater's grace period is under way already. Two that work on one are in tree.ts.
      tree: {
        setup: (a) => {
          formatBlock(a as Actor);
          a?.domain.startPoll();
        },
        threads: [(a) => a.turn(() => section(a)), updateAtOnce(NEW, 2)],
      },
    },
    verify: (_, results) => noneReused(results),
  },
]);
