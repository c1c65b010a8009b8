/** The grace-period sequence wraps, signed at 2^31 and unsigned at 2^32, in the middle of a section. */

import type { Scenario } from "../scenario.js";
import { formatBlock, NEW, NEWER, noneReused, replace, section } from "./block.js";
import { onEachFlavor } from "./support.js";

export const wrap: readonly Scenario[] = onEachFlavor(
  [
    ["2^31", 0x7fffffff],
    ["2^32", -1],
  ].map(([where, sequence]) => ({
    name: `sequence wraps at ${where}`,
    sequence: sequence as number,
    setup: formatBlock,
    threads: [
      (a) => [a.turn(() => section(a)), a.turn(() => section(a))],
      (a) => {
        replace(a, NEW, 2);
        replace(a, NEWER, 3);
      },
    ],
    lighter: { tree: { threads: [(a) => [a.turn(() => section(a)), a.turn(() => section(a))], replace] } }, // wraps in its first grace period
    verify: (_, results) => noneReused(results),
  })),
);
