/**
 * The reduction against brute force. The judge is a second, naive explorer for small random
 * programs: it copies states and tries every interleaving, and knows nothing of the first.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { explore } from "../../check/explore.js";
import type { ExploreOptions, Scenario } from "../../check/scenario.js";
import type { Address } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";

type Kind = "load" | "store" | "copy" | "add" | "exchange" | "cas" | "skip" | "wait" | "notify" | "read" | "write";
/** One operation on word `at` with operand `n`; each thread has one register, the last value it got. */
interface Step {
  kind: Kind;
  at: number;
  n: number;
}

const WORDS = 3;

function interpret(program: readonly Step[]): (memory: Memory) => string {
  return (memory) => {
    let register = 0;
    let history = "";
    for (let i = 0; i < program.length; i++) {
      const { kind, at, n } = program[i] as Step;
      const address = (at + 1) as Address;
      if (kind === "load") register = memory.load(address);
      else if (kind === "store") memory.store(address, n);
      else if (kind === "copy") memory.store(address, register);
      else if (kind === "add") register = memory.add(address, n);
      else if (kind === "exchange") register = memory.exchange(address, n);
      else if (kind === "cas") register = memory.compareExchange(address, register, n);
      else if (kind === "skip") i += register === n ? 1 : 0;
      else if (kind === "read") register = memory.read(address);
      else if (kind === "write") memory.write(address, n);
      else if (kind === "wait") register = memory.wait(address, n, Infinity) === "ok" ? 1 : 0;
      else register = memory.notify(address);
      history += `${register},`;
    }
    return history;
  };
}

interface Event {
  thread: number;
  number: number;
  /** Location and whether it is written. Location WORDS + a: who sleeps on a. */
  touches: [number, boolean][];
}

interface State {
  words: number[];
  threads: { at: number; register: number; history: string; events: number; asleep: "no" | "yes" | "woken" }[];
  trace: Event[];
}

/** All final states, all classes of equivalent executions, the number of interleavings, and whether one deadlocks. */
function bruteForce(programs: readonly (readonly Step[])[], cap: number) {
  const finals = new Set<string>();
  const classes = new Set<string>();
  let interleavings = 0;
  let deadlock = false;
  const settle = (thread: State["threads"][number], program: readonly Step[]): void => {
    for (let step = program[thread.at]; step?.kind === "skip"; step = program[thread.at]) {
      thread.at += thread.register === step.n ? 2 : 1;
      thread.history += `${thread.register},`;
    }
  };
  const walk = (state: State): void => {
    if (interleavings > cap) return;
    let moved = false;
    let unfinished = false;
    for (let t = 0; t < programs.length; t++) {
      const program = programs[t] as readonly Step[];
      if ((state.threads[t] as State["threads"][number]).at >= program.length) continue;
      unfinished = true;
      if (state.threads[t]?.asleep === "yes") continue;
      moved = true;
      const next = structuredClone(state);
      const me = next.threads[t] as State["threads"][number];
      const { kind, at, n } = program[me.at] as Step;
      const old = next.words[at] as number;
      const touches: [number, boolean][] = [];
      let done = true;
      if (me.asleep === "woken") {
        me.asleep = "no";
        me.register = 1;
      } else if (kind === "load") {
        me.register = old;
        touches.push([at, false]);
      } else if (kind === "wait") {
        touches.push([at, false], [WORDS + at, false]);
        if (old === n) {
          me.asleep = "yes";
          done = false;
        } else me.register = 0;
      } else if (kind === "notify") {
        me.register = 0;
        next.threads.forEach((other, u) => {
          if (other.asleep === "yes" && programs[u]?.[other.at]?.at === at) {
            other.asleep = "woken";
            me.register++;
          }
        });
        touches.push([WORDS + at, true]);
      } else {
        const writes = kind !== "cas" || old === me.register;
        touches.push([at, writes]);
        if (writes) next.words[at] = kind === "add" ? old + n : kind === "copy" ? me.register : n;
        if (kind === "add" || kind === "exchange" || kind === "cas") me.register = old;
      }
      next.trace.push({ thread: t, number: me.events++, touches });
      if (done) {
        me.history += `${me.register},`;
        me.at++;
        settle(me, program);
      }
      walk(next);
    }
    if (moved) return;
    if (unfinished) {
      deadlock = true;
      return;
    }
    interleavings++;
    finals.add(`${state.words.join()}|${state.threads.map((thread) => thread.history).join("|")}`);
    const order: string[] = [];
    state.trace.forEach((e, i) => {
      for (const f of state.trace.slice(i + 1)) {
        if (e.thread !== f.thread && e.touches.some(([a, w]) => f.touches.some(([b, v]) => a === b && (w || v)))) {
          order.push(`${e.thread}.${e.number}<${f.thread}.${f.number}`);
        }
      }
    });
    classes.add(order.sort().join(" "));
  };
  const start: State = {
    words: new Array<number>(WORDS).fill(0),
    threads: programs.map(() => ({ at: 0, register: 0, history: "", events: 0, asleep: "no" })),
    trace: [],
  };
  start.threads.forEach((thread, t) => {
    settle(thread, programs[t] as readonly Step[]);
  });
  walk(start);
  return { finals: [...finals].sort(), classes: classes.size, interleavings, deadlock };
}

function run(programs: readonly (readonly Step[])[], options: ExploreOptions) {
  const finals = new Set<string>();
  const scenario: Scenario = {
    name: "random",
    threads: programs.map(interpret),
    verify: (m, results) => void finals.add(`${Array.from({ length: WORDS }, (_, i) => m.load((i + 1) as Address)).join()}|${results.join("|")}`),
  };
  return { result: explore(scenario, options), finals: [...finals].sort() };
}

const word = fc.nat(WORDS - 1);
const value = fc.nat(2);
const stepOf = (...kinds: Kind[]) => fc.record({ kind: fc.constantFrom(...kinds), at: word, n: value });
const steps = stepOf("load", "store", "copy", "add", "exchange", "cas", "skip");
const blocking = stepOf("load", "store", "add", "cas", "wait", "notify", "notify");
const programsOf = (step: fc.Arbitrary<Step>) =>
  fc.oneof(
    fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 2 }),
    fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 3, maxLength: 3 }),
  );

const seed = Number(process.env["SEED"] ?? Date.now() & 0x7fffffff);

function compare(programs: Step[][]): void {
  const judge = bruteForce(programs, 5000);
  fc.pre(judge.interleavings <= 5000);
  // Straight-line code that happens to read the same again must not be taken for a spin either.
  for (const options of [{}, { reduction: "sleep" }, { reduction: "none" }] as const) {
    const { result, finals } = run(programs, { ...options, maxExecutions: 20_000 });
    if (judge.deadlock) {
      assert.equal(result.failure?.kind, "deadlock");
      continue;
    }
    assert.equal(result.failure, undefined);
    assert.equal(result.complete, true);
    assert.deepEqual(finals, judge.finals);
    assert.equal(result.executions, options.reduction === "none" ? judge.interleavings : judge.classes);
  }
}

test(`every reduction reaches the final states of brute force, once for each class (SEED=${seed})`, () => {
  fc.assert(fc.property(programsOf(steps), compare), { seed, numRuns: Number(process.env["RUNS"] ?? 300) });
});

test(`also with wait and notify, and finds the same deadlocks (SEED=${seed})`, () => {
  fc.assert(fc.property(programsOf(blocking), compare), { seed, numRuns: Number(process.env["RUNS"] ?? 300) });
});

const mixed = stepOf("load", "store", "add", "cas", "skip", "skip", "read", "write");

test(`plain accesses need not be scheduled: the same verdict on races, else the same final states (SEED=${seed})`, (t) => {
  let races = 0;
  let free = 0;
  const property = fc.property(programsOf(mixed), (programs) => {
    const all = run(programs, { plain: "visible", reduction: "none", maxExecutions: 5000 });
    fc.pre(all.result.complete || all.result.failure !== undefined);
    const few = run(programs, {});
    assert.equal(few.result.failure?.kind, all.result.failure?.kind);
    if (few.result.failure !== undefined) races++;
    else {
      free++;
      assert.equal(few.result.complete, true);
      assert.deepEqual(few.finals, all.finals);
      assert.deepEqual(run(programs, { plain: "visible" }).finals, all.finals);
    }
  });
  fc.assert(property, { seed, numRuns: Number(process.env["RUNS"] ?? 300) });
  t.diagnostic(`${races} with races, ${free} without`);
});
