/** The checked operations of interval maps: exact lookups, and updates of ranges of keys. */

import type { IntervalMap } from "../../src/index.js";
import { type Versioned, type VersionedView, versionOf } from "../support/maps.js";
import { checkOf } from "../support/seed.js";
import { type Draft, type Game, KEYS, type Means } from "./game.js";
import { hasResponded, type Timed } from "./linearizable.js";

export type RangeOperation = Timed &
  (
    | { readonly kind: "get"; readonly lo: number; readonly result: number }
    | { readonly kind: "set"; readonly lo: number; readonly hi: number; readonly value: number }
    | { readonly kind: "delete"; readonly lo: number; readonly hi: number; readonly result: boolean }
  );

const Fact = { KIND: 0, LO: 1, HI: 2, VALUE: 3 } as const;
const KINDS = ["get", "set", "delete"] as const;

export const ranges: Game<RangeOperation> = {
  model: {
    onlyReads: ({ kind }) => kind === "get",
    after(operation, state) {
      const { kind, lo } = operation;
      if (kind === "get") return state[lo] === operation.result ? state : undefined;
      const touched = state.slice(lo, operation.hi + 1);
      const covered = touched.some((value) => value !== 0);
      if (kind === "delete" && hasResponded(operation) && covered !== operation.result) return undefined;
      const value = kind === "set" ? operation.value : 0;
      return [...state.slice(0, lo), ...touched.map(() => value), ...state.slice(operation.hi + 1)];
    },
    describe(operation) {
      const { kind, lo } = operation;
      if (kind === "get") return `get ${lo} -> ${operation.result}`;
      return kind === "set" ? `set ${lo}..${operation.hi} = ${operation.value}` : `delete ${lo}..${operation.hi} -> ${operation.result}`;
    },
  },
  read(facts, times) {
    const [, lo = 0, hi = 0, value = 0] = facts;
    const kind = KINDS[facts[Fact.KIND] ?? 0];
    if (kind === "get") return { kind, lo, result: value, ...times };
    return kind === "set" ? { kind, lo, hi, value, ...times } : { kind: "delete", lo, hi, result: value === 1, ...times };
  },
  written: (operation, key) => (operation.kind === "set" && operation.lo <= key && key <= operation.hi ? [operation.value] : [0]),
};

/** Do one operation, and record it. */
export function playRange(map: IntervalMap<"u32", Versioned, VersionedView>, draft: Draft, { random, tally }: Means): void {
  const lo = random.below(KEYS);
  const hi = random.from(lo, KEYS - 1);
  const kind = random.pick(["get", "get", "get", "set", "set", "delete"] as const);
  const version = tally.nextVersion();
  draft.put(Fact.KIND, KINDS.indexOf(kind));
  draft.put(Fact.LO, lo);
  draft.put(Fact.HI, hi);
  draft.put(Fact.VALUE, version);
  draft.invoked();
  if (kind === "set") map.set(lo, hi, versionOf(version));
  else if (kind === "delete") draft.put(Fact.VALUE, map.delete(lo, hi) ? 1 : 0);
  else {
    const value = map.get(lo);
    if (value !== undefined && value.check !== checkOf(value.version)) tally.fail("torn", `exact.get(${lo}) gave ${JSON.stringify(value)}`);
    draft.put(Fact.VALUE, value?.version ?? 0);
  }
}
