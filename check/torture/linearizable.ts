/**
 * Whether a history of operations is linearizable (Herlihy & Wing 1990): whether each operation can be given one instant between its
 * invocation and its response such that, one after another, they do what they did. By search, remembering what has been tried
 * (Wing & Gong 1993; Lowe 2017), so for small histories only.
 *
 * The object is a row of keys; 0 is no value. An operation whose thread was killed never responded: it may have happened or not.
 */

export type Operation = {
  readonly invoked: number;
  /** Infinity when it never came. */
  readonly responded: number;
} & (
  | { readonly kind: "get"; readonly lo: number; readonly result: number }
  | { readonly kind: "set"; readonly lo: number; readonly hi: number; readonly value: number }
  | { readonly kind: "delete"; readonly lo: number; readonly hi: number; readonly result: boolean }
);

/** Values by key. */
export type State = readonly number[];

/** Operations of one history at most. */
export const MOST_OPERATIONS = 32;

/** The state after an operation; undefined when it could not have given its result. */
function after(operation: Operation, state: State): State | undefined {
  const { kind, lo } = operation;
  if (kind === "get") return state[lo] === operation.result ? state : undefined;
  const touched = state.slice(lo, operation.hi + 1);
  const covered = touched.some((value) => value !== 0);
  if (kind === "delete" && operation.responded < Number.POSITIVE_INFINITY && covered !== operation.result) return undefined;
  const value = kind === "set" ? operation.value : 0;
  return [...state.slice(0, lo), ...touched.map(() => value), ...state.slice(operation.hi + 1)];
}

/**
 * The states that a history may have led to.
 * @param from the states it may have begun with
 * @returns none when it is not linearizable
 */
export function statesAfter(history: readonly Operation[], from: readonly State[]): State[] {
  const operations = history.filter(({ kind, responded }) => kind !== "get" || responded < Number.POSITIVE_INFINITY);
  if (operations.length > MOST_OPERATIONS) throw new RangeError(`a history of ${operations.length} operations; at most ${MOST_OPERATIONS}`);
  const tried = new Set<string>();
  const finals = new Map<string, State>();
  const search = (done: number, state: State): void => {
    const key = `${done}:${state.join()}`;
    if (tried.has(key)) return;
    tried.add(key);
    // Whoever responded first of those left bounds who may come next.
    let firstResponse = Number.POSITIVE_INFINITY;
    for (const [i, { responded }] of operations.entries()) if ((done & (1 << i)) === 0) firstResponse = Math.min(firstResponse, responded);
    if (firstResponse === Number.POSITIVE_INFINITY) finals.set(state.join(), state);
    for (const [i, operation] of operations.entries()) {
      if ((done & (1 << i)) !== 0 || operation.invoked > firstResponse) continue;
      const next = after(operation, state);
      if (next !== undefined) search(done | (1 << i), next);
    }
  };
  for (const state of from) search(0, state);
  return [...finals.values()];
}

/** One line an operation, in the order of their invocations. */
export function describe(history: readonly Operation[]): string {
  const end = ({ responded }: Operation): string => (responded === Number.POSITIVE_INFINITY ? "never" : String(responded));
  return [...history]
    .sort((a, b) => a.invoked - b.invoked)
    .map((operation) => {
      const { kind, lo } = operation;
      const what =
        kind === "get"
          ? `get ${lo} -> ${operation.result}`
          : kind === "set"
            ? `set ${lo}..${operation.hi} = ${operation.value}`
            : `delete ${lo}..${operation.hi} -> ${operation.result}`;
      return `  ${operation.invoked} .. ${end(operation)}  ${what}`;
    })
    .join("\n");
}
