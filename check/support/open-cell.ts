/** Cells of a domain that stands over any memory: what `Shared.cell` does over its own. */

import type { Domain } from "../../src/rcu/domain.js";
import { Directory } from "../../src/shared/directory.js";
import { Cell, cellSchema } from "../../src/structures/cell/cell.js";
import type { CodecBase } from "../../src/values/codec.js";

/** Open a cell by name in a domain. */
export function openCell<T>(domain: Domain, codec: CodecBase<T>, name = "cell"): Cell<T> {
  return new Cell<T>(new Directory(domain).open(name, cellSchema(codec), { nodeBytes: 0 }), codec);
}
