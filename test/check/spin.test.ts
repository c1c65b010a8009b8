/**
 * Spin loops against brute force: small random programs in which threads spin, on one word, on either
 * of two, or so many times at most. The judge walks the graph of all states (finite, since futile turns come
 * back to the same state), so it needs no idea of spinning.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { explore } from "../../check/explore.js";
import type { Address } from "../../src/memory/address.js";
import type { Memory } from "../../src/memory/memory.js";

type Kind = "load" | "store" | "add" | "cas" | "spin" | "either" | "tries" | "lock" | "unlock";
interface Step {
  kind: Kind;
  at: number;
  n: number;
}

const WORDS = 3;
/** "tries" spins so many times and then gives up. */
const TRIES = 10;
const second = (at: number): number => (at + 1) % WORDS;

// Each step runs one call deeper than the one before: steps of a program are different places in
// its code, which is how a spin is told from straight-line code (explore.ts).
function interpret(program: readonly Step[]): (memory: Memory) => string {
  return (memory) => from(memory, program, 0);
}

function from(memory: Memory, program: readonly Step[], i: number): string {
  const step = program[i];
  return step === undefined ? "" : `${perform(memory, step)},${from(memory, program, i + 1)}`;
}

function perform(memory: Memory, { kind, at, n }: Step): number {
  const address = (at + 1) as Address;
  let got = 0;
  if (kind === "load") got = memory.load(address);
  else if (kind === "store") memory.store(address, n);
  else if (kind === "add") got = memory.add(address, 1);
  else if (kind === "cas") got = memory.compareExchange(address, n, 2);
  else if (kind === "unlock") memory.store(address, 0);
  else if (kind === "lock") while (memory.exchange(address, 1) !== 0);
  else if (kind === "spin") while (memory.load(address) !== n);
  else if (kind === "tries") for (let i = 0; i < TRIES && got === 0; i++) got = memory.load(address) === n ? 1 : 0;
  else {
    for (;;) {
      if (memory.load(address) === n) return 0;
      if (memory.load((second(at) + 1) as Address) === n) return 1;
    }
  }
  return got;
}

interface State {
  words: number[];
  /** `half`: in "either", between the first word and the second. `tries`: made so far. */
  threads: { at: number; half: boolean; tries: number; history: string }[];
}

function bruteForce(programs: readonly (readonly Step[])[]) {
  const finals = new Set<string>();
  const before = new Map<string, string[]>(); // state -> states it can be reached from
  const todo: State[] = [{ words: [0, 0, 0], threads: programs.map(() => ({ at: 0, half: false, tries: 0, history: "" })) }];
  const ends: string[] = [];
  before.set(JSON.stringify(todo[0]), []);
  for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
    const from = JSON.stringify(state);
    let unfinished = false;
    for (let t = 0; t < programs.length; t++) {
      const step = programs[t]?.[state.threads[t]?.at ?? 0];
      if (step === undefined) continue;
      unfinished = true;
      const next = structuredClone(state);
      const me = next.threads[t] as State["threads"][number];
      const { kind, at, n } = step;
      const old = next.words[at] as number;
      let got = kind === "add" || kind === "cas" ? old : 0;
      let done = true;
      if (kind === "load") got = old;
      else if (kind === "store") next.words[at] = n;
      else if (kind === "unlock") next.words[at] = 0;
      else if (kind === "add") next.words[at] = old + 1;
      else if (kind === "cas") next.words[at] = old === n ? 2 : old;
      else if (kind === "lock") {
        next.words[at] = 1;
        done = old === 0;
      } else if (kind === "spin") done = old === n;
      else if (kind === "tries") {
        got = old === n ? 1 : 0;
        done = got === 1 || ++me.tries === TRIES;
      } else {
        got = me.half ? 1 : 0;
        done = next.words[me.half ? second(at) : at] === n;
        me.half = !me.half && !done;
      }
      if (done) {
        me.history += `${got},`;
        me.at++;
        me.tries = 0;
      }
      const to = JSON.stringify(next);
      const known = before.get(to);
      if (known === undefined) {
        before.set(to, [from]);
        todo.push(next);
      } else known.push(from);
    }
    if (!unfinished) {
      ends.push(from);
      finals.add(`${state.words.join()}|${state.threads.map((thread) => thread.history).join("|")}`);
    }
  }
  // Stuck: a state from which no end can be reached.
  const reaches = new Set(ends);
  for (let state = ends.pop(); state !== undefined; state = ends.pop()) {
    for (const from of before.get(state) ?? []) {
      if (reaches.has(from)) continue;
      reaches.add(from);
      ends.push(from);
    }
  }
  return { finals: [...finals].sort(), stuck: reaches.size < before.size };
}

// Mostly ones, so that the spins often end.
const step = fc.record({
  kind: fc.constantFrom<Kind>("load", "store", "store", "store", "store", "add", "cas", "spin", "either", "tries", "tries", "lock", "unlock", "unlock"),
  at: fc.nat(WORDS - 1),
  n: fc.constantFrom(0, 1, 1, 1),
});
const programs = fc.oneof(
  fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 2 }),
  fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 3, maxLength: 3 }),
);

const seed = Number(process.env["SEED"] ?? Date.now() & 0x7fffffff);

test(`spin loops cut short reach the same final states and the same livelocks (SEED=${seed})`, (t) => {
  let stuck = 0;
  let parked = 0;
  fc.assert(
    fc.property(programs, (threads) => {
      const judge = bruteForce(threads);
      for (const reduction of ["source", "sleep"] as const) {
        const finals = new Set<string>();
        const result = explore(
          {
            name: "random spins",
            threads: threads.map(interpret),
            verify: (m, results) => void finals.add(`${[1, 2, 3].map((w) => m.load(w as Address)).join()}|${results.join("|")}`),
          },
          { reduction, maxSteps: 100 },
        );
        if (judge.stuck) {
          assert.equal(result.failure?.kind, "livelock");
          stuck++;
          continue;
        }
        assert.equal(result.failure, undefined);
        assert.equal(result.complete, true);
        assert.deepEqual([...finals].sort(), judge.finals);
        parked += result.spins > 0 ? 1 : 0;
      }
    }),
    { seed, numRuns: Number(process.env["RUNS"] ?? 300) },
  );
  t.diagnostic(`stuck ${stuck}, spun and ended ${parked}, of ${2 * Number(process.env["RUNS"] ?? 300)}`);
});
