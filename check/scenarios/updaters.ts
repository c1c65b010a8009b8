/** Two updaters at once: each has a grace period of its own, and neither oversleeps it. */

import type { Scenario } from "../scenario.js";
import { formatBlock, NEW, NEWER, noneReused, replace, section } from "./block.js";
import { onEachFlavor } from "./support.js";

export const updaters: readonly Scenario[] = onEachFlavor([
  {
    name: "two updaters and a reader",
    setup: formatBlock,
    threads: [(a) => a.turn(() => section(a)), (a) => replace(a, NEW, 2), (a) => replace(a, NEWER, 3)],
    verify: (_, results) => noneReused(results),
  },
]);
