/** A read-side section against synchronizeSync: what the section found stays whole until it ends. */

import type { Scenario } from "../scenario.js";
import { contentsOf, formatBlock, look, noneReused, POINTER, replace, section } from "./block.js";
import { onEachFlavor } from "./support.js";

const verify = (_: unknown, results: readonly unknown[]): void => noneReused(results);

export const sections: readonly Scenario[] = onEachFlavor([
  {
    name: "section against synchronizeSync",
    setup: formatBlock,
    threads: [(a) => a.turn(() => section(a)), replace],
    verify,
  },
  {
    name: "nested sections against synchronizeSync",
    setup: formatBlock,
    threads: [
      (a) =>
        a.turn(() =>
          a.domain.read(() => {
            const block = a.domain.dereference(POINTER);
            const inner = a.domain.read(() => look(a));
            a.domain.quiescent(); // nothing, in a section
            return [inner, contentsOf(a, block)];
          }),
        ),
      replace,
    ],
    verify,
  },
  {
    name: "two readers against synchronizeSync",
    setup: formatBlock,
    threads: [(a) => a.turn(() => section(a)), (a) => a.turn(() => section(a)), replace],
    verify,
  },
]);
