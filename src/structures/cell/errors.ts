/** Refusals of merges and commits. */

import { QuiesceError } from "../../memory/errors.js";
import { show } from "../../values/errors.js";

/** Where in a value: keys, names of fields, indexes in the base's list; empty for the whole. */
export type Path = readonly unknown[];

/** What was committed was made of an older value than the one that is there, and could not be merged with it. */
export class ConflictError extends QuiesceError {
  /** What the copy was taken of, as it was then. */
  readonly base: unknown;
  /** What was to be committed. */
  readonly mine: unknown;
  /** What is there now. */
  readonly theirs: unknown;
  /** Versions between the two. */
  readonly distance: number;

  /** @param why what stands in the way of a merge; a MergeConflict becomes the error's `cause` */
  constructor(name: string, base: unknown, mine: unknown, theirs: unknown, distance: number, why: string | MergeConflict) {
    super(
      "ERR_CONFLICT",
      `${name} has had ${distance} new version${distance === 1 ? "" : "s"} since the copy was taken, and ${why instanceof MergeConflict ? why.message : why} ` +
        "Nothing has changed; this error has base, mine and theirs. Take a new copy, and do it again.",
    );
    if (why instanceof MergeConflict) this.cause = why;
    this.base = base;
    this.mine = mine;
    this.theirs = theirs;
    this.distance = distance;
  }
}

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
      `both changed ${where}: ${show(base)} became ${show(mine)} here and ${show(theirs)} there. A merge function of your own may decide.`,
    );
    this.path = path;
    this.base = base;
    this.mine = mine;
    this.theirs = theirs;
  }
}
