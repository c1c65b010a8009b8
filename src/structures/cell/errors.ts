/** Refusals of merges and commits. */

import { QuiesceError } from "../../memory/errors.js";
import { show } from "../../values/errors.js";

/** Where in a value: keys, names of fields, indexes in the base's list; empty for the whole. */
export type Path = readonly unknown[];

/** Both changed the same thing, and differently: a merge does not decide between them. */
export class MergeConflict extends QuiesceError {
  /** Where. */
  readonly path: Path;
  /** What stood there; undefined for what was not there. */
  readonly base: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;

  constructor(path: Path, base: unknown, mine: unknown, theirs: unknown) {
    const where = path.length === 0 ? "the value" : path.map(show).join(" / ");
    super(
      "ERR_MERGE_CONFLICT",
      `both changed ${where}: ${show(base)} became ${show(mine)} here and ${show(theirs)} there. Give a merge function that decides, or take a new copy and do it again.`,
    );
    this.path = path;
    this.base = base;
    this.mine = mine;
    this.theirs = theirs;
  }
}
