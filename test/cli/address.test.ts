import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, parseAddresses } from "../../src/cli/demo/address.js";
import { CliError } from "../../src/cli/failure.js";

test("addresses to words and back", async () => {
  const texts = ["8.8.8.8", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:4860:4860::8888", "1:0:0:2::3", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:0:8"];
  const parsed = await parseAddresses(texts);
  assert.deepEqual(
    parsed.map(({ words }) => formatAddress(words)),
    texts,
  );
  assert.deepEqual([...(parsed[0]?.words ?? [])], [0x08080808]);
  assert.deepEqual([...(parsed[5]?.words ?? [])], [0x20014860, 0x48600000, 0, 0x8888]);
});

test("an IPv4-mapped address is an IPv4 one, in either spelling", async () => {
  for (const { words } of await parseAddresses(["::ffff:8.8.8.8", "::FFFF:0808:0808"])) assert.equal(formatAddress(words), "8.8.8.8");
});

for (const text of [
  "",
  "8.8.8",
  "8.8.8.8.8",
  "8.8.8.256",
  "010.1.1.1",
  "0x8.8.8.8",
  "134744072",
  "8.8.8.0/24",
  "8.8.8.8:53",
  " 8.8.8.8",
  "[::1]",
  "::1/64",
  "fe80::1%eth0",
  "1::2::3",
  ":::",
  "google.com",
]) {
  test(`not an address: ${JSON.stringify(text)}`, async () => {
    await assert.rejects(parseAddresses(["1.1.1.1", text]), (error: unknown) => {
      assert.ok(error instanceof CliError && error.status === 2);
      assert.ok(error.message.includes(JSON.stringify(text)) && /IPv4 address as four decimal numbers/.test(error.message), error.message);
      return true;
    });
  });
}
