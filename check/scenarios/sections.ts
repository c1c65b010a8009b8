/** A read-side section against synchronizeSync: what the section found stays whole until it ends. */

import type { Scenario } from "../scenario.js";
import { contentsOf, formatBlock, look, noneReused, POINTER, replace, replaceAtOnce, section } from "./block.js";
import { type ArenaScenario, onEachFlavor } from "./support.js";

const verify = (_: unknown, results: readonly unknown[]): void => noneReused(results);

const readers: ArenaScenario["threads"] = [0, 1].map(() => (a) => a.turn(() => section(a)));

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
    threads: [...readers, replace],
    lighter: { tree: { fanOut: 4, threads: [...readers, (a) => void replaceAtOnce(a)] } },
    verify,
  },
]);
