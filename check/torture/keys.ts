/** The checked operations of maps: those of one key, and clear and snapshot, which are of one instant too. */

import type { SharedMap } from "../../src/index.js";
import { type Draft, type Game, KEYS, type Means } from "./game.js";
import { hasResponded, type State, type Timed } from "./linearizable.js";
import { isStamped, type Stamped, type StampedView, stamp } from "./stamped.js";

/** A value is told by its version, of which there is only one; 0 is none. */
export type KeyOperation = Timed & { readonly key: number } & (
    | { readonly kind: "get"; readonly result: number }
    | { readonly kind: "has"; readonly result: boolean }
    | { readonly kind: "set"; readonly value: number }
    | { readonly kind: "delete"; readonly result: boolean }
    | { readonly kind: "setIfAbsent"; readonly value: number; readonly result: boolean }
    // By the entry's version, and so by the value that had it. Of compareAndDelete the new value is 0.
    | { readonly kind: "compareAndSet"; readonly seen: number; readonly value: number; readonly result: boolean }
    | { readonly kind: "update"; readonly seen: number; readonly value: number }
    | { readonly kind: "clear" }
    | { readonly kind: "snapshot"; readonly result: State }
  );

const KINDS = ["get", "has", "set", "delete", "setIfAbsent", "compareAndSet", "update", "clear", "snapshot"] as const;
const Fact = { KIND: 0, KEY: 1, SEEN: 2, VALUE: 3, RESULT: 4 } as const;

const withKey = (state: State, key: number, value: number): State => state.map((old, i) => (i === key ? value : old));

function after(operation: KeyOperation, state: State): State | undefined {
  const { key } = operation;
  const value = state[key] as number;
  // Of one that never responded the result is not known.
  const only = (allowed: boolean, next: State): State | undefined => (allowed || !hasResponded(operation) ? next : undefined);
  switch (operation.kind) {
    case "get":
      return only(value === operation.result, state);
    case "has":
      return only((value !== 0) === operation.result, state);
    case "set":
      return withKey(state, key, operation.value);
    case "delete":
      return only((value !== 0) === operation.result, withKey(state, key, 0));
    case "setIfAbsent":
      return only((value === 0) === operation.result, value === 0 ? withKey(state, key, operation.value) : state);
    case "compareAndSet": {
      const isSame = value === operation.seen;
      return only(isSame === operation.result, isSame ? withKey(state, key, operation.value) : state);
    }
    case "update":
      return only(value === operation.seen, withKey(state, key, operation.value));
    case "clear":
      return state.map(() => 0);
    case "snapshot":
      return only(state.join() === operation.result.join(), state);
  }
}

function describe(operation: KeyOperation): string {
  const { kind, key } = operation;
  switch (kind) {
    case "clear":
      return kind;
    case "snapshot":
      return `${kind} -> [${operation.result}]`;
    case "set":
      return `${kind} ${key} = ${operation.value}`;
    case "setIfAbsent":
      return `${kind} ${key} = ${operation.value} -> ${operation.result}`;
    case "compareAndSet":
      return `${kind} ${key} from ${operation.seen} = ${operation.value} -> ${operation.result}`;
    case "update":
      return `${kind} ${key} from ${operation.seen} = ${operation.value}`;
    default:
      return `${kind} ${key} -> ${operation.result}`;
  }
}

function read(facts: readonly number[], times: Timed): KeyOperation {
  const [, key = 0, seen = 0, value = 0, result = 0] = facts;
  const kind = KINDS[facts[Fact.KIND] ?? 0] as (typeof KINDS)[number];
  const common = { key, ...times };
  switch (kind) {
    case "get":
      return { ...common, kind, result: value };
    case "has":
    case "delete":
      return { ...common, kind, result: result === 1 };
    case "set":
      return { ...common, kind, value };
    case "setIfAbsent":
      return { ...common, kind, value, result: result === 1 };
    case "compareAndSet":
      return { ...common, kind, seen, value, result: result === 1 };
    case "update":
      return { ...common, kind, seen, value };
    case "clear":
      return { ...common, kind };
    case "snapshot":
      return { ...common, kind, result: facts.slice(Fact.RESULT, Fact.RESULT + KEYS) };
  }
}

export const keys: Game<KeyOperation> = {
  model: { onlyReads: ({ kind }) => kind === "get" || kind === "has" || kind === "snapshot", after, describe },
  read,
  written: (operation, key) => (operation.key === key && "value" in operation ? [operation.value] : [0]),
};

/** How often what is done, of 40. */
const MIX: readonly (readonly [kind: KeyOperation["kind"], times: number])[] = [
  ["get", 10],
  ["has", 3],
  ["set", 6],
  ["delete", 5],
  ["setIfAbsent", 4],
  ["compareAndSet", 5],
  ["update", 5],
  ["clear", 1],
  ["snapshot", 1],
];
const CHOICES = MIX.flatMap(([kind, times]) => new Array<KeyOperation["kind"]>(times).fill(kind));

/** Do one operation, and record it. */
export function playKey(map: SharedMap<number, Stamped, StampedView>, draft: Draft, { random, tally }: Means): void {
  const key = random.below(KEYS);
  const kind = random.pick(CHOICES);
  const version = tally.nextVersion();
  const value = stamp(key, version);
  const known = (found: Stamped | undefined, of = key): number => {
    if (found !== undefined && !isStamped(found, of)) tally.fail("torn", `exact: ${kind} of key ${of} found ${JSON.stringify(found)}`);
    return found?.version ?? 0;
  };
  const result = (done: boolean): void => draft.put(Fact.RESULT, done ? 1 : 0);
  draft.put(Fact.KIND, KINDS.indexOf(kind));
  draft.put(Fact.KEY, key);
  draft.put(Fact.VALUE, version);
  switch (kind) {
    case "get": {
      const way = random.below(3);
      draft.invoked();
      const found = way === 0 ? map.get(key) : way === 1 ? map.getCopy(key) : map.read(key, (view) => ({ ...view }));
      draft.put(Fact.VALUE, known(found));
      break;
    }
    case "has": {
      const way = random.below(2);
      draft.invoked();
      result(way === 0 ? map.has(key) : map.getVersion(key) !== 0);
      break;
    }
    case "set":
      draft.invoked();
      map.set(key, value);
      break;
    case "delete":
      draft.invoked();
      result(map.delete(key));
      break;
    case "setIfAbsent":
      draft.invoked();
      result(map.setIfAbsent(key, value));
      break;
    case "compareAndSet": {
      const seen = map.read(key, (view, of) => ({ of, found: { ...view } }));
      const deletes = seen !== undefined && random.below(4) === 0;
      draft.put(Fact.SEEN, known(seen?.found));
      if (deletes) draft.put(Fact.VALUE, 0);
      draft.invoked();
      result(deletes ? map.compareAndDelete(key, seen.of) : map.compareAndSet(key, seen?.of ?? 0, value));
      break;
    }
    case "update": {
      const deletes = random.below(4) === 0;
      if (deletes) draft.put(Fact.VALUE, 0);
      draft.invoked();
      map.update(key, (found) => {
        draft.put(Fact.SEEN, known(found));
        return deletes ? undefined : value;
      });
      break;
    }
    case "clear":
      draft.invoked();
      map.clear();
      break;
    case "snapshot": {
      draft.invoked();
      const all = map.snapshot();
      for (let one = 0; one < KEYS; one++) draft.put(Fact.RESULT + one, known(all.get(one), one));
      break;
    }
  }
}
