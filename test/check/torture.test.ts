/** Torture of the shipped code finds nothing; torture of broken code does, and its judges can tell right from wrong. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readCommand, UsageError } from "../../check/command.js";
import { Random, seedOf } from "../../check/support/seed.js";
import { LIMIT, sleep } from "../../check/support/watchdog.js";
import type { AllocatorResult } from "../../check/torture/allocator-run.js";
import { FACTS } from "../../check/torture/game.js";
import { ItemState, Items } from "../../check/torture/items.js";
import { STRUCTURES, type Structure } from "../../check/torture/job.js";
import { type KeyOperation, keys } from "../../check/torture/keys.js";
import { type State, statesAfter } from "../../check/torture/linearizable.js";
import { COMMAND, optionsOf } from "../../check/torture/options.js";
import { type RangeOperation, ranges } from "../../check/torture/ranges.js";
import type { Result } from "../../check/torture/run.js";
import { StallWatch } from "../../check/torture/stall.js";
import { Sums } from "../../check/torture/sums.js";
import { PIPE_BUCKETS, Tally } from "../../check/torture/tally.js";
import { Shared } from "../../src/index.js";
import { ALLOCATORS } from "../../src/memory/layout.js";
import { FLAVORS, type FlavorName } from "../../src/rcu/flavors/flavor.js";

/** A run that hangs says so itself after LIMIT, in ms. */
const LONGEST_RUN = 4 * LIMIT;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run the command in a process of its own; `onStderr` is called with all of stderr so far. */
function torture(args: readonly string[], onStderr: (text: string, interrupt: () => void) => void = () => {}): Promise<Ended> {
  const main = fileURLToPath(new URL("../../check/torture/main.js", import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    const watchdog = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`hung: torture ${args.join(" ")} was still running after ${LONGEST_RUN / 1000} s\n${stdout}\n${stderr}`));
    }, LONGEST_RUN);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      onStderr(stderr, () => child.kill("SIGINT"));
    });
    child.on("error", reject);
    child.on("close", (status) => {
      clearTimeout(watchdog);
      resolve({ status, stdout, stderr });
    });
  });
}

function resultOf<R = Result>({ stdout, stderr }: Ended): R {
  assert.match(stdout, /^\{.*\}\n$/, `one JSON object on one line; stderr: ${stderr}`);
  return JSON.parse(stdout) as R;
}

const RUNS = FLAVORS.flatMap((flavor) => STRUCTURES.map((structure) => ({ flavor, structure })));
/** Whose operations are checked in rounds. */
const PLAYED: readonly Structure[] = ["intervalMap", "map"];
const which = (flavor: FlavorName, structure: Structure): string[] => ["--flavor", flavor, "--structure", structure, "--threads", "3", "--json"];

for (const { flavor, structure } of RUNS) {
  test(`torture finds nothing wrong: ${structure}, ${flavor}, with threads killed`, async (t) => {
    const seed = seedOf(`torture ${structure} ${flavor}`);
    const ended = await torture([...which(flavor, structure), "--seconds", "3", "--seed", String(seed), "--kill", "--enough"]);
    const result = resultOf(ended);
    assert.deepEqual([result.flavor, result.structure], [flavor, structure]);
    assert.deepEqual([ended.status, result.errors, result.stalls, result.leaked, result.violations], [0, 0, 0, 0, []], ended.stderr);
    assert.equal(result.seed, seed);
    assert.ok(result.kills > 0 && result.reads > 10 && result.updates > 0 && result.gracePeriods > 10, `it did something: ${ended.stdout}`);
    if (structure === "rcu") assert.equal(result.pipe.length, PIPE_BUCKETS);
    if (PLAYED.includes(structure)) assert.ok(result.histories > 0 && result.operations >= result.histories, ended.stdout);
    assert.match(ended.stderr, /\d s {2}reads \d+/, "a line of progress");
    t.diagnostic(`${result.kills} kills, ${result.reads} reads, ${result.gracePeriods} grace periods, pipe ${result.pipe.join(" ")}`);
  });
}

// What a grace period is worth to the newer structures one flavor tells as well as three.
for (const { flavor, structure } of RUNS.filter((run) => run.flavor === "event-loop" || run.structure === "rcu" || run.structure === "intervalMap")) {
  test(`torture finds that grace periods do nothing: ${structure}, ${flavor}`, async (t) => {
    const seed = seedOf(`busted ${structure} ${flavor}`);
    const ended = await torture([...which(flavor, structure), "--seconds", "1", "--seed", String(seed), "--busted", "--enough"]);
    // Nothing is whole then, and the run itself may end of it; but not before it has said so.
    if (ended.status !== 1) {
      assert.ok(ended.status !== 0 && structure !== "rcu", ended.stderr);
      assert.match(ended.stderr, /FIRST FAILURE: \w+/);
      return;
    }
    const result = resultOf(ended);
    assert.ok((result.errorKinds["cookie early"] ?? 0) > 0, ended.stdout);
    // Not by their cookies alone: by what the readers held, too.
    if (structure === "rcu") assert.ok(result.pipe.slice(2).some((count) => count > 0) && (result.errorKinds.pipe ?? 0) > 0, ended.stdout);
    // A reader's failure comes with its segments; what a writer finds, of the newer structures, has none.
    const first = structure === "rcu" || structure === "intervalMap" ? /FIRST FAILURE: .*\n.*its segments:\n.* ms {2}\w+/ : /FIRST FAILURE: \w+/;
    assert.match(ended.stderr, first, "the reader's segments");
    t.diagnostic(JSON.stringify(result.errorKinds));
  });
}

for (const allocator of ALLOCATORS) {
  test(`torture finds nothing wrong: memory, ${allocator}, with threads killed inside its calls`, async (t) => {
    const seed = seedOf(`torture memory ${allocator}`);
    const which = ["--structure", "memory", "--allocator", allocator, "--threads", "4"];
    const ended = await torture([...which, "--seconds", "4", "--seed", String(seed), "--kill", "--enough", "--json"]);
    const result = resultOf<AllocatorResult>(ended);
    const { errors, leaked, violations, killsInside, calls, verified, drains } = result;
    assert.deepEqual([ended.status, errors, leaked, violations], [0, 0, 0, []], ended.stderr);
    assert.deepEqual([result.structure, result.allocator, result.seed], ["memory", allocator, seed]);
    assert.ok(killsInside > 0 && calls > 0 && verified > 0 && drains > 0, `it did something: ${ended.stdout}`);
    t.diagnostic(`${result.kills} kills, ${killsInside} of them inside a call: ${JSON.stringify(result.killsByCall)}`);
  });
}

test("torture finds that nobody frees what the dead had not published", async (t) => {
  const seed = seedOf("busted memory");
  const ended = await torture([
    "--structure",
    "memory",
    "--seconds",
    "6",
    "--threads",
    "4",
    "--seed",
    String(seed),
    "--kill",
    "--busted",
    "--enough",
    "--json",
  ]);
  const result = resultOf<AllocatorResult>(ended);
  assert.equal(ended.status, 1, ended.stderr);
  assert.match(result.firstFailure ?? "", /not back: at a drain: the block \d+ of \d+ bytes lives, and nobody who died had it in hand/);
  t.diagnostic(JSON.stringify(result.errorKinds));
});

test("Ctrl-C ends a run with its summary, and all memory back", async () => {
  let asked = false;
  const ended = await torture(["--seconds", "600", "--threads", "2", "--seed", "5", "--json"], (text, interrupt) => {
    if (asked || !text.includes(" s  reads")) return;
    asked = true;
    interrupt();
  });
  assert.equal(ended.status, 0, ended.stderr);
  const { errors, leaked, seconds } = resultOf(ended);
  assert.deepEqual([errors, leaked], [0, 0]);
  assert.ok(seconds < 600);
});

const parse = (args: readonly string[]): unknown => {
  const line = readCommand(COMMAND, args);
  return line === "help" ? line : optionsOf(line.values);
};

test("a wrong command line is refused, and says what is allowed", async () => {
  for (const [args, says] of [
    [["--flavor", "srcu"], /--flavor takes event-loop or phase or tree; got "srcu"/],
    [["--structure", "tree"], /--structure takes rcu or intervalMap or map or cell or list or rculist or queues or memory/],
    [["--allocator", "buddy"], /--allocator takes slab or slub or slob/],
    [["--seconds", "0"], /--seconds takes a number of seconds above 0/],
    [["--threads", "1.5"], /--threads takes a whole number/],
    [["--seed", ""], /--seed takes a whole number/],
    [["--fast"], /--fast/],
    [["now"], /now/],
  ] as const) {
    assert.throws(
      () => parse(args),
      (error) => error instanceof UsageError && says.test(error.message),
      args.join(" "),
    );
  }
  assert.equal(parse(["--help"]), "help");
  assert.match(COMMAND.help, /--kill/);
  const { status, stdout, stderr } = await torture(["--threads", "0"]);
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /--threads takes a whole number from 1 to 16; got "0"/);
});

test("a stalled grace period names the slot that holds it up", async () => {
  const shared = Shared.create({ bytes: 2 ** 20 });
  try {
    const watch = new StallWatch(shared.domain, 30);
    const nameOf = (thread: number): string => `the thread ${thread}`;
    shared.domain.readLock();
    assert.equal(watch.look(nameOf), undefined);
    for (const ends = performance.now() + 60; performance.now() < ends; ); // not beyond the turn
    const { index, thread } = shared.domain.arena.heap.slot;
    assert.match(watch.look(nameOf) ?? "nothing", new RegExp(`slot ${index}, thread ${thread} \\(the thread ${thread}\\): online since \\d+\\.\\d s`));
    assert.equal(watch.look(nameOf), undefined, "told once");
    shared.domain.readUnlock();
    await sleep(5);
    assert.equal(watch.look(nameOf), undefined);
    assert.ok(watch.longest >= 60, "it has ended since");
  } finally {
    shared.close();
  }
});

test("the first failure's report is kept, and all are counted", () => {
  const tally = new Tally();
  tally.fail("pipe", "first");
  new Tally(tally.buffer).fail("freed", "second");
  assert.equal(tally.firstFailure, "pipe: first");
  assert.deepEqual(tally.errors(), { pipe: 1, freed: 1 });
});

const EMPTY: readonly State[] = [[0, 0, 0, 0]];
const get = (lo: number, result: number, invoked: number, responded: number): RangeOperation => ({ kind: "get", lo, result, invoked, responded });
const set = (lo: number, hi: number, value: number, invoked: number, responded = Number.POSITIVE_INFINITY): RangeOperation => ({
  kind: "set",
  lo,
  hi,
  value,
  invoked,
  responded,
});

test("a history is linearizable, or not", () => {
  const linearizable = (...history: RangeOperation[]): boolean => statesAfter(ranges.model, history, EMPTY).length > 0;
  assert.ok(linearizable(set(0, 3, 7, 1, 4), get(1, 0, 2, 3)), "read before the write, which overlaps it");
  assert.ok(linearizable(set(0, 3, 7, 1, 4), get(1, 7, 2, 3)), "read after it");
  assert.ok(!linearizable(set(0, 3, 7, 1, 2), get(1, 0, 3, 4)), "stale");
  assert.ok(!linearizable(set(0, 3, 7, 1, 6), get(1, 7, 2, 3), get(2, 0, 4, 5)), "half of a write seen");
  assert.ok(!linearizable(get(0, 9, 1, 2)), "a value that nobody wrote");
  assert.ok(linearizable(set(0, 0, 7, 1), get(0, 7, 2, 3)) && linearizable(set(0, 0, 7, 1), get(0, 0, 2, 3)), "the writer died: before or after");
  assert.ok(!linearizable(set(0, 0, 7, 1), get(0, 7, 2, 3), get(0, 0, 4, 5)), "but not both");
  assert.deepEqual(statesAfter(ranges.model, [set(0, 0, 7, 1)], EMPTY), [
    [0, 0, 0, 0],
    [7, 0, 0, 0],
  ]);
  const removed: RangeOperation = { kind: "delete", lo: 0, hi: 1, result: true, invoked: 5, responded: 6 };
  assert.ok(linearizable(set(1, 2, 7, 1, 2), removed, get(1, 0, 7, 8), get(2, 7, 9, 10)));
  assert.ok(!linearizable(removed), "there was nothing to delete");
});

test("histories made by a model are linearizable, and not with one answer changed to a value that was not there", () => {
  const random = new Random(seedOf("linearizable"));
  for (let round = 0; round < 300; round++) {
    const state = [0, 0, 0, 0];
    const history: RangeOperation[] = [];
    // Each operation takes place at its time; its invocation is some time before, its response some time after.
    for (let i = 0; i < 14; i++) {
      const time = 10 * (i + 1);
      const times = { invoked: time - random.below(25), responded: time + random.below(25) };
      const lo = random.below(4);
      const hi = random.from(lo, 3);
      switch (random.below(3)) {
        case 0:
          history.push({ kind: "get", lo, result: state[lo] as number, ...times });
          break;
        case 1:
          history.push({ kind: "set", lo, hi, value: i + 1, ...times });
          state.fill(i + 1, lo, hi + 1);
          break;
        default:
          history.push({ kind: "delete", lo, hi, result: state.slice(lo, hi + 1).some((value) => value !== 0), ...times });
          state.fill(0, lo, hi + 1);
      }
    }
    const finals = statesAfter(ranges.model, history, EMPTY);
    assert.ok(
      finals.some((found) => found.join() === state.join()),
      JSON.stringify(history),
    );
    const at = history.findIndex(({ kind }) => kind === "get");
    if (at < 0) continue;
    const wrong = [...history];
    wrong[at] = { ...(history[at] as RangeOperation & { kind: "get" }), result: 99 };
    assert.deepEqual(statesAfter(ranges.model, wrong, EMPTY), [], JSON.stringify(wrong));
  }
});

type Untimed<O> = O extends unknown ? Omit<O, "invoked" | "responded" | "key"> : never;
const NEVER = Number.POSITIVE_INFINITY;
const on = (key: number, what: Untimed<KeyOperation>, invoked: number, responded: number): KeyOperation =>
  ({ key, ...what, invoked, responded }) as KeyOperation;

test("a history of a map's operations is linearizable, or not", () => {
  const linearizable = (...history: KeyOperation[]): boolean => statesAfter(keys.model, history, EMPTY).length > 0;
  const set7 = on(0, { kind: "set", value: 7 }, 1, 4);
  assert.ok(linearizable(set7, on(0, { kind: "has", result: false }, 2, 3)) && linearizable(set7, on(0, { kind: "has", result: true }, 2, 3)), "they overlap");
  assert.ok(!linearizable(set7, on(0, { kind: "has", result: false }, 5, 6)), "stale");
  assert.ok(!linearizable(set7, on(0, { kind: "setIfAbsent", value: 8, result: true }, 5, 6)));
  assert.ok(linearizable(set7, on(0, { kind: "setIfAbsent", value: 8, result: false }, 5, 6), on(0, { kind: "get", result: 7 }, 7, 8)));
  const twice = (result: boolean): KeyOperation[] => [
    on(0, { kind: "compareAndSet", seen: 7, value: 8, result: true }, 5, 9),
    on(0, { kind: "compareAndSet", seen: 7, value: 9, result }, 5, 9),
  ];
  assert.ok(linearizable(set7, ...twice(false)) && !linearizable(set7, ...twice(true)), "one of two that saw the same is refused");
  assert.ok(!linearizable(set7, on(0, { kind: "compareAndSet", seen: 6, value: 8, result: true }, 5, 6)), "from a value that was not there");
  assert.ok(!linearizable(set7, on(0, { kind: "update", seen: 0, value: 8 }, 5, 6)), "an update lost");
  assert.ok(linearizable(set7, on(0, { kind: "update", seen: 0, value: 8 }, 5, NEVER)), "what one that died had seen is not known");
  const other = on(1, { kind: "set", value: 8 }, 5, 6);
  assert.ok(linearizable(set7, other, on(0, { kind: "snapshot", result: [7, 8, 0, 0] }, 7, 8)));
  assert.ok(!linearizable(set7, other, on(0, { kind: "snapshot", result: [0, 8, 0, 0] }, 2, 8)), "of no one instant");
  assert.ok(!linearizable(set7, on(0, { kind: "clear" }, 5, 6), on(0, { kind: "delete", result: true }, 7, 8)), "cleared");
  assert.match(keys.model.describe(on(2, { kind: "compareAndSet", seen: 1, value: 2, result: false }, 1, 2)), /compareAndSet 2 from 1 = 2 -> false/);
  const facts = new Array<number>(FACTS).fill(0);
  assert.deepEqual(keys.read(facts, { invoked: 1, responded: NEVER }), { key: 0, kind: "get", result: 0, invoked: 1, responded: NEVER });
});

test("a sum lies between the additions that were made and those that were begun", () => {
  const sums = new Sums(new SharedArrayBuffer(64));
  sums.add(1, () => {
    assert.equal(
      sums.wrong(1, () => 0),
      undefined,
    );
    assert.equal(
      sums.wrong(1, () => 1),
      undefined,
      "it may have been made",
    );
  });
  assert.throws(() =>
    sums.add(1, () => {
      throw new Error("refused");
    }),
  );
  assert.match(sums.wrong(1, () => 0) ?? "", /sum 1 is 0; 1 additions had been made/);
  assert.match(sums.wrong(1, () => 2) ?? "", /1 begun after/);
});

test("items are numbered for as long as there is room, and what is said of them is kept", () => {
  const items = new Items(new SharedArrayBuffer(16), 1);
  assert.deepEqual([items.next(), items.next(), items.next(), items.count], [1, 2, 0, 2]);
  items.say(2, ItemState.OUT);
  assert.deepEqual([items.say(2, ItemState.OUT) & ItemState.OUT, items.state(1)], [ItemState.OUT, ItemState.PUTTING]);
});
