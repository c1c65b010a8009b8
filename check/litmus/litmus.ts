/**
 * Litmus tests: a few accesses in each of two or three threads, an outcome, and whether it can happen.
 *
 * Never: no execution shows it. Allowed: some execution must, or the test would show nothing of its twin, which forbids the outcome by
 * one grace period or one access more. Both are explored to the end. The words of a test are atomic, so that an outcome is
 * something to see and not a race.
 */

import { type Address, field } from "../../src/memory/address.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";
import { explore } from "../explore.js";
import { nameOfWord } from "../names.js";
import type { ExploreOptions, Failure, Scenario } from "../scenario.js";
import { type Actor, type ArenaScenario, inArena, LAYOUT, nameOn, user } from "../scenarios/support.js";

/** The words of the tests, all 0 at first. */
export const [X, Y, Z, W] = [user(100), user(101), user(102), user(103)];

const NAMES = new Map<Address, string>(["x", "y", "z", "w"].map((name, i) => [field(X, i), name]));

export type Verdict = "Never" | "Allowed";

export interface Litmus {
  readonly name: string;
  readonly flavor: FlavorName;
  readonly verdict: Verdict;
  /** The outcome, in words. */
  readonly outcome: string;
  /** Why it is so, where it is not the rule that a cycle is forbidden by as many grace periods as it has sections. */
  readonly why?: string;
  readonly scenario: Scenario;
  readonly happened: (results: readonly unknown[]) => boolean;
}

interface Shape {
  readonly setup?: (...actors: Actor[]) => void;
  readonly threads: ArenaScenario["threads"];
  readonly fanOut?: 2 | 4;
}

/** What is different on a flavor. */
type OnFlavor = Partial<Shape> & Partial<Pick<Litmus, "verdict" | "why">>;

export interface LitmusSpec extends Omit<Litmus, "scenario" | "flavor">, Shape {
  /** Flavors that have what the test needs; default all. */
  readonly flavors?: readonly FlavorName[];
  readonly on?: { readonly [F in FlavorName]?: OnFlavor };
}

/** A test, on each flavor: event-loop's goes by the plain name. */
export function litmus({ flavors = FLAVORS, on = {}, ...spec }: LitmusSpec): Litmus[] {
  return flavors.map((flavor) => {
    const { setup, threads, fanOut, name, ...test } = { ...spec, ...on[flavor] };
    const named = nameOn(flavor, name);
    const scenario = inArena({ name: named, flavor, threads, ...(setup && { setup }), ...(fanOut && { fanOut }) });
    const labelled: Scenario = { ...scenario, label: (address) => NAMES.get(address) ?? nameOfWord(LAYOUT, address) };
    return { ...test, name: named, flavor, scenario: labelled };
  });
}

/** The test as a scenario that fails when an outcome happens that never may: what a mutant is run by. */
export function asScenario({ scenario, verdict, outcome, happened }: Litmus, onHappened: () => void = () => {}): Scenario {
  return {
    ...scenario,
    verify(memory, results) {
      scenario.verify?.(memory, results);
      if (!happened(results)) return;
      onHappened();
      if (verdict === "Never") throw new Error(`this must never happen: ${outcome} (${JSON.stringify(results)})`);
    },
  };
}

export interface LitmusResult {
  readonly name: string;
  readonly verdict: Verdict;
  readonly outcome: string;
  /** Whether some execution had the outcome. */
  readonly observed: boolean;
  /** In how many it was seen, and how many there are. */
  readonly seen: number;
  readonly executions: number;
  readonly seconds: number;
  readonly complete: boolean;
  /** Explored completely, without a failure, and the verdict holds. */
  readonly ok: boolean;
  readonly failure?: Failure;
}

export function runLitmus(test: Litmus, options: ExploreOptions): LitmusResult {
  let seen = 0;
  const { executions, seconds, complete, failure } = explore(
    asScenario(test, () => {
      seen++;
    }),
    options,
  );
  const { name, verdict, outcome } = test;
  const ok = complete && failure === undefined && seen > 0 === (verdict === "Allowed");
  return { name, verdict, outcome, observed: seen > 0, seen, executions, seconds, complete, ok, ...(failure && { failure }) };
}
