/**
 * Whether a history of operations is linearizable (Herlihy & Wing 1990): whether each operation can be given one instant between its
 * invocation and its response such that, one after another, they do what they did. By search, remembering what has been tried
 * (Wing & Gong 1993; Lowe 2017), so for small histories only.
 *
 * What the operations are, a model says (ranges.ts, keys.ts). An operation whose thread was killed never responded: it may have happened or not.
 */

/** When an operation was under way, by a clock of all threads. */
export interface Timed {
  readonly invoked: number;
  /** Infinity when it never came. */
  readonly responded: number;
}

/** Values by key; 0 is none. */
export type State = readonly number[];

/** What operations do to a row of keys. */
export interface Model<O extends Timed> {
  /** Whether an operation that never responded tells nothing and does nothing. */
  onlyReads(operation: O): boolean;
  /** The state after an operation; undefined when it could not have given its result. One that never responded has none. */
  after(operation: O, state: State): State | undefined;
  describe(operation: O): string;
}

/** Operations of one history at most. */
export const MOST_OPERATIONS = 32;

/** Whether an operation came to its end. */
export const hasResponded = ({ responded }: Timed): boolean => responded < Number.POSITIVE_INFINITY;

/**
 * The states that a history may have led to.
 * @param from the states it may have begun with
 * @returns none when it is not linearizable
 */
export function statesAfter<O extends Timed>(model: Model<O>, history: readonly O[], from: readonly State[]): State[] {
  const operations = history.filter((operation) => hasResponded(operation) || !model.onlyReads(operation));
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
      const next = model.after(operation, state);
      if (next !== undefined) search(done | (1 << i), next);
    }
  };
  for (const state of from) search(0, state);
  return [...finals.values()];
}

/** One line an operation, in the order of their invocations. */
export function describe<O extends Timed>(model: Model<O>, history: readonly O[]): string {
  return [...history]
    .sort((a, b) => a.invoked - b.invoked)
    .map((operation) => `  ${operation.invoked} .. ${hasResponded(operation) ? operation.responded : "never"}  ${model.describe(operation)}`)
    .join("\n");
}
