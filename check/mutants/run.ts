/** Running a mutant: the scenario that must find it, explored until it fails. */

import { explore, replay } from "../explore.js";
import { litmusTests } from "../litmus/index.js";
import { asScenario } from "../litmus/litmus.js";
import type { ExploreOptions, Failure, Scenario } from "../scenario.js";
import { scenarios } from "../scenarios/index.js";
import type { Mutant } from "./mutant.js";
import { type Run, runs } from "./runs.js";

/** Most that a mutant may take: one that is not found by then has survived. Most take a second or two; a busy machine may take many times as long. */
export const LIMITS: ExploreOptions = { maxSteps: 20_000, maxSeconds: 200 };

export interface MutantResult {
  readonly name: string;
  readonly number: string;
  readonly breaks: string;
  /** The scenario or litmus test that found it; absent when it survived. */
  readonly killedBy?: string;
  /** Executions until it was found. */
  readonly executions: number;
  readonly seconds: number;
  readonly failure?: Failure;
  /** Why it counts as a survivor. */
  readonly survived?: string;
}

/** The scenario or litmus test of a name. */
export function killerOf(name: string): Scenario | undefined {
  const test = litmusTests.find((litmus) => litmus.name === name);
  return test === undefined ? scenarios.find((scenario) => scenario.name === name) : asScenario(test);
}

/** Run a mutant: by a scenario, a litmus test, or a run of its own. */
export async function runMutant(mutant: Mutant): Promise<MutantResult> {
  const run = runs.find((candidate) => candidate.name === mutant.killer);
  return run === undefined ? exploreMutant(mutant) : tryRun(mutant, run);
}

async function tryRun({ name, number, breaks, killer, memory, patch }: Mutant, { run }: Run): Promise<MutantResult> {
  const started = performance.now();
  const restore = patch?.();
  let error: unknown;
  try {
    await run(memory ?? ((inner) => inner));
  } catch (thrown) {
    error = thrown;
  } finally {
    restore?.();
  }
  const base = { name, number, breaks, executions: 0, seconds: (performance.now() - started) / 1000 };
  if (error === undefined) return { ...base, survived: "the run is right" };
  const message = error instanceof Error ? error.message : String(error);
  return { ...base, killedBy: killer, failure: { kind: "verify", message, error, schedule: "", steps: [], text: message } };
}

function exploreMutant(mutant: Mutant): MutantResult {
  const { name, number, breaks, killer, kinds, memory } = mutant;
  const found = killerOf(killer);
  if (found === undefined) throw new RangeError(`mutant "${name}": there is no scenario, litmus test or run "${killer}".`);
  const scenario: Scenario =
    memory === undefined ? found : { ...found, threads: found.threads.map((run, thread) => (inner, tools) => run(memory(inner, thread), tools)) };
  const restore = mutant.patch?.();
  try {
    const { executions, seconds, failure, complete } = explore(scenario, LIMITS);
    const base = { name, number, breaks, executions, seconds };
    if (failure === undefined) return { ...base, survived: complete ? "every execution is right" : "no failure within the time it has" };
    if (!kinds.includes(failure.kind)) return { ...base, failure, survived: `failed by ${failure.kind}, where ${kinds.join(" or ")} was due` };
    const again = replay(scenario, failure.schedule, LIMITS).failure?.kind;
    if (again !== failure.kind) return { ...base, failure, survived: `its schedule, run again, gives ${again ?? "no failure"}` };
    return { ...base, killedBy: killer, failure };
  } finally {
    restore?.();
  }
}
