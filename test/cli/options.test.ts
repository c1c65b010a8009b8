import assert from "node:assert/strict";
import { test } from "node:test";
import { demoHelp, parseOptions } from "../../src/cli/demo/options.js";
import { CliError } from "../../src/cli/failure.js";

test("defaults: 15 s, at least two readers, 1000 updates a second, some seed", () => {
  const options = parseOptions([]);
  assert.equal(options.mode, "run");
  if (options.mode !== "run") return;
  assert.equal(options.seconds, 15);
  assert.equal(options.updates, 1000);
  assert.ok(options.threads >= 2);
  assert.ok(Number.isInteger(options.seed) && options.seed >= 0 && options.seed <= 0xffff_ffff);
  assert.equal(options.json, false);
  assert.equal(options.memory, false);
});

test("all flags are taken", () => {
  const options = parseOptions(["--seconds", "0.5", "--threads=3", "--updates", "0", "--seed", "4294967295", "--memory", "--json"]);
  assert.deepEqual(options, { mode: "run", seconds: 0.5, threads: 3, updates: 0, seed: 4294967295, memory: true, json: true });
  assert.deepEqual(parseOptions(["--lookup", "1.1.1.1", "--lookup", "::1", "--json"]), { mode: "lookup", addresses: ["1.1.1.1", "::1"], json: true });
  assert.deepEqual(parseOptions(["--help", "--seconds", "x"]), { mode: "help" });
});

const refused: readonly (readonly [args: string[], message: RegExp])[] = [
  [["--seconds", "0"], /--seconds: "0" is not allowed; give a number above 0/],
  [["--seconds", "abc"], /--seconds: "abc"/],
  [["--seconds="], /--seconds: ""/],
  [["--seconds=-1"], /--seconds: "-1"/],
  [["--seconds", "1e3"], /--seconds: "1e3"/],
  [["--seconds", "Infinity"], /--seconds: "Infinity"/],
  [["--seconds", "1000001"], /--seconds: "1000001"/],
  [["--threads", "0"], /--threads: "0" is not allowed; give a whole number from 1 to 256/],
  [["--threads", "257"], /--threads: "257"/],
  [["--threads", "2.5"], /--threads: "2.5"/],
  [["--threads", "0x10"], /--threads: "0x10"/],
  [["--updates", "-1"], /--updates|ambiguous/],
  [["--updates", "1000001"], /--updates: "1000001"/],
  [["--seed", "4294967296"], /--seed: "4294967296"/],
  [["--seed", "NaN"], /--seed: "NaN"/],
  [["--seconds", "100000", "--updates", "1000000"], /at most 2147483647 updates/],
  [["--lookup", "1.1.1.1", "--threads", "2"], /--threads has no meaning together with --lookup/],
  [["--lookup", "1.1.1.1", "--memory"], /--memory has no meaning together with --lookup/],
  [["--lookup"], /lookup/],
  [["--seconds"], /seconds/],
  [["--frobnicate"], /frobnicate/],
  [["8.8.8.8"], /8\.8\.8\.8/],
];

for (const [args, message] of refused) {
  test(`refused with status 2: ${args.join(" ")}`, () => {
    assert.throws(
      () => parseOptions(args),
      (error: unknown) => error instanceof CliError && error.status === 2 && message.test(error.message),
    );
  });
}

test("the help names every flag and what is counted against us", () => {
  for (const flag of ["--seconds", "--threads", "--updates", "--seed", "--memory", "--json", "--lookup", "--help"]) assert.ok(demoHelp.includes(flag), flag);
  assert.match(demoHelp, /the readers and the writer/);
});
