/**
 * Three-way merges: what two made of one base, in one (L3: "if new V == V' + k you have to merge"; Khanna, Kunal & Pierce, "A Formal Investigation of
 * Diff3", FSTTCS 2007, says what such merges can and cannot promise).
 *
 *   base    A  C     D        mine added B after C
 *   mine    A  C  B  D        theirs put E in the place of C
 *   theirs  A  E     D
 *   merged  A  E  B  D        (the lecture's example)
 *
 * Finer than diff3, which would call this a conflict since the changes touch: here every base element and every gap between two is a place of its own.
 *
 * Guarantees, with m = merge(base, mine, theirs)
 *   A  what only one of them changed is as that one has it; so m(b, x, b) = m(b, b, x) = m(b, x, x) = x.
 *   B  changes of different places do not depend on who is called mine; insertions in one gap come as theirs, then mine.
 *   C  what both changed differently is never decided: MergeConflict. (Lists have no names for their elements: there, removing one and putting another in its
 *      place are two changes, so what one removed and the other replaced is replaced.)
 *   D  nothing that is given is changed; the merged value shares parts with what is given.
 */

import { type Edit, editsBetween, interleave } from "./alignment.js";
import { MergeConflict, type Path } from "./errors.js";
import { Interner, type Kind, kindOf, same } from "./same.js";

const NO_EDIT: Edit = { start: -1, end: -1, items: [] };

/** Makes one value of two that were made of one base. @throws MergeConflict */
export type Merge<T> = (base: T, mine: T, theirs: T) => T;

const ROOT: Path = [];
/** The value of a key that is not there. */
const ABSENT: unique symbol = Symbol("absent");

/**
 * Merge values of any kind: lists, sets, maps and plain objects by their parts, whatever their parts are; else what only one of the two changed.
 * @throws MergeConflict
 */
export function mergeAny<T>(base: T, mine: T, theirs: T): T {
  return mergeAt(base, mine, theirs, ROOT) as T;
}

/**
 * Merge lists: an element stays if both kept it; each gap takes what theirs inserted there, then mine, and what both inserted once.
 * @throws MergeConflict where both put different elements in the place of the same ones
 */
export function mergeLists<E>(base: readonly E[], mine: readonly E[], theirs: readonly E[]): E[] {
  return ofItsOwn(mergeAt(base, mine, theirs, ROOT), mine, theirs) as E[];
}

/** Merge sets: what either added, without what either removed. Never a conflict. */
export function mergeSets<E>(base: ReadonlySet<E>, mine: ReadonlySet<E>, theirs: ReadonlySet<E>): Set<E> {
  return ofItsOwn(mergeAt(base, mine, theirs, ROOT), mine, theirs) as Set<E>;
}

function setsOf<E>(base: ReadonlySet<E>, mine: ReadonlySet<E>, theirs: ReadonlySet<E>): Set<E> {
  const interner = new Interner();
  const idsOf = (set: ReadonlySet<E>): Set<number> => new Set(Array.from(set, (item) => interner.idOf(item)));
  const [inBase, inMine, inTheirs] = [idsOf(base), idsOf(mine), idsOf(theirs)];
  const kept = [...theirs].filter((item) => !inBase.has(interner.idOf(item)) || inMine.has(interner.idOf(item)));
  const added = [...mine].filter((item) => !inBase.has(interner.idOf(item)) && !inTheirs.has(interner.idOf(item)));
  return new Set([...kept, ...added]);
}

/**
 * Merge maps, key by key; values that both changed are merged by their kind.
 * @throws MergeConflict where both changed a key's value, and it is no list, set, map or plain object, or one removed the key
 */
export function mergeMaps<K, V>(base: ReadonlyMap<K, V>, mine: ReadonlyMap<K, V>, theirs: ReadonlyMap<K, V>): Map<K, V> {
  return ofItsOwn(mergeAt(base, mine, theirs, ROOT), mine, theirs) as Map<K, V>;
}

/**
 * Merge plain objects, field by field; fields that both changed are merged by their kind, so nested objects are merged too.
 * @throws MergeConflict where both changed a field, and it is no list, set, map or plain object, or one removed it
 */
export function mergeObjects<T extends object>(base: T, mine: T, theirs: T): T {
  return ofItsOwn(mergeAt(base, mine, theirs, ROOT), mine, theirs) as T;
}

/** The merged value, or a copy where it is what was given: that is frozen, or whoever gave it changes it. */
function ofItsOwn(merged: unknown, mine: unknown, theirs: unknown): unknown {
  if (merged !== mine && merged !== theirs) return merged;
  switch (kindOf(merged)) {
    case "list":
      return [...(merged as unknown[])];
    case "set":
      return new Set(merged as Set<unknown>);
    case "map":
      return new Map(merged as Map<unknown, unknown>);
    case "object":
      return { ...(merged as object) };
    default:
      return merged;
  }
}

/** Of each kind that has parts. */
const byKind: { readonly [K in Kind]?: (base: never, mine: never, theirs: never, path: Path) => unknown } = {
  list: listsAt,
  set: setsOf,
  map: mapsAt,
  object: objectsAt,
};

function mergeAt(base: unknown, mine: unknown, theirs: unknown, path: Path): unknown {
  if (same(mine, theirs) || same(base, mine)) return theirs;
  if (same(base, theirs)) return mine;
  const kind = kindOf(base);
  const merge = byKind[kind] as ((base: unknown, mine: unknown, theirs: unknown, path: Path) => unknown) | undefined;
  if (merge !== undefined && kind === kindOf(mine) && kind === kindOf(theirs)) return merge(base, mine, theirs, path);
  const [was, my, their] = [base, mine, theirs].map((value) => (value === ABSENT ? undefined : value));
  throw new MergeConflict(path, was, my, their);
}

function listsAt(base: readonly unknown[], mine: readonly unknown[], theirs: readonly unknown[], path: Path): unknown[] {
  const theirEdits = editsBetween(base, theirs);
  const myEdits = withoutSaidTwice(base, editsBetween(base, mine), theirEdits, path);
  const merged: unknown[] = [];
  const add = (items: readonly unknown[]): void => {
    for (const item of items) merged.push(item);
  };
  let [m, t, removedTo] = [0, 0, 0]; // base elements before the last are gone
  for (let at = 0; at <= base.length; at++) {
    const my = myEdits[m]?.start === at ? (myEdits[m++] as Edit) : NO_EDIT;
    const their = theirEdits[t]?.start === at ? (theirEdits[t++] as Edit) : NO_EDIT;
    if (my.end === at && their.end === at) add(interleave(their.items, my.items));
    else if (my.end === at) {
      add(my.items); // before the run that theirs replaced
      add(their.items);
    } else {
      add(their.items);
      add(my.items);
    }
    removedTo = Math.max(removedTo, my.end, their.end);
    if (at >= removedTo && at < base.length) merged.push(base[at]);
  }
  return merged;
}

/** My edits, without what theirs put in the place of the same elements too. @throws MergeConflict where they put something else there, or more or less is gone */
function withoutSaidTwice(base: readonly unknown[], myEdits: readonly Edit[], theirEdits: readonly Edit[], path: Path): Edit[] {
  const mine = [...myEdits];
  for (let m = 0, t = 0; m < mine.length && t < theirEdits.length; ) {
    const my = myEdits[m] as Edit;
    const their = theirEdits[t] as Edit;
    const start = Math.max(my.start, their.start);
    if (start < Math.min(my.end, their.end) && my.items.length > 0 && their.items.length > 0) {
      // The same things in the place of other runs are not the same change: what of mine stands for what of theirs could not be told.
      if (my.start !== their.start || my.end !== their.end || !same(my.items, their.items))
        throw new MergeConflict([...path, start], base.slice(my.start, my.end), my.items, their.items);
      mine[m] = { ...my, items: [] };
    }
    if (my.end < their.end) m++;
    else t++;
  }
  return mine;
}

function mapsAt(base: ReadonlyMap<unknown, unknown>, mine: ReadonlyMap<unknown, unknown>, theirs: ReadonlyMap<unknown, unknown>, path: Path): unknown {
  return new Map(entriesAt(base, mine, theirs, path));
}

function objectsAt(base: object, mine: object, theirs: object, path: Path): unknown {
  // From entries, which makes fields of any name, __proto__ too.
  return Object.fromEntries(entriesAt(Object.entries(base), Object.entries(mine), Object.entries(theirs), path) as [string, unknown][]);
}

type Entries = Iterable<readonly [unknown, unknown]>;

/** Merge by keys; in the order of theirs, then what mine has more. */
function entriesAt(base: Entries, mine: Entries, theirs: Entries, path: Path): [unknown, unknown][] {
  const interner = new Interner();
  const byId = (entries: Entries): Map<number, readonly [unknown, unknown]> => new Map(Array.from(entries, (entry) => [interner.idOf(entry[0]), entry]));
  const [ofBase, ofMine, ofTheirs] = [byId(base), byId(mine), byId(theirs)];
  const merged: [unknown, unknown][] = [];
  for (const [id, [key]] of new Map([...ofTheirs, ...ofMine])) {
    const [was, my, their] = [ofBase, ofMine, ofTheirs].map((entries) => (entries.get(id) ?? [key, ABSENT])[1]);
    const value = mergeAt(was, my, their, [...path, key]);
    if (value !== ABSENT) merged.push([key, value]);
  }
  return merged;
}
