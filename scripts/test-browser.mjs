/**
 * Runs the browser test (test/browser/) in headless Chromium, in a page that is served with the headers that shared memory needs. `npm run test:browser`.
 *
 * The npm packages @sparticuz/chromium (Linux on x86-64) and puppeteer-core are installed into the cache of scripts/test-runtimes.mjs when absent;
 * QUIESCE_CHROMIUM names another Chromium or Chrome to run.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const CACHE = resolve(process.env.QUIESCE_RUNTIMES ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "quiesce", "runtimes"));
const PATIENCE = 5 * 60_000;

const folder = join(CACHE, "chromium");
const require = createRequire(join(folder, "package.json"));
if (!existsSync(join(folder, "node_modules", "puppeteer-core")) || !existsSync(join(folder, "node_modules", "@sparticuz"))) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const install = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--fetch-retries=1", "@sparticuz/chromium", "puppeteer-core"], {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (install.status !== 0) {
    console.error(`FAIL chromium: npm could not install it into ${folder}:\n${install.stderr}`);
    process.exit(1);
  }
}
const load = async (name) => (await import(pathToFileURL(require.resolve(name)).href)).default;
const [chromium, puppeteer] = [await load("@sparticuz/chromium"), await load("puppeteer-core")];

const root = resolve("build");
const TYPES = { ".js": "text/javascript", ".html": "text/html" };
const server = createServer((request, response) => {
  const path = resolve(root, `.${new URL(request.url, "http://page").pathname}`);
  const page = request.url === "/";
  const found = page || (path.startsWith(root) && existsSync(path) && extname(path) === ".js");
  response.writeHead(found ? 200 : 404, {
    "Content-Type": TYPES[page ? ".html" : ".js"],
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
  });
  response.end(page ? "<!doctype html><title>quiesce</title>" : found ? readFileSync(path) : "");
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));

const browser = await puppeteer.launch({
  executablePath: process.env.QUIESCE_CHROMIUM ?? (await chromium.executablePath()),
  headless: "shell",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  protocolTimeout: PATIENCE,
});
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.log(error));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const { passed, failed } = await page.evaluate(async () => (await import("/test/browser/page.js")).run());
  for (const name of passed) console.log(`  passed: ${name}`);
  for (const name of failed) console.log(`  FAILED: ${name}`);
  const fine = failed.length === 0 && passed.length > 0;
  console.log(`${fine ? "ok  " : "FAIL"} chromium ${(await browser.version()).replace(/^.*\//, "")} ${passed.length} passed, ${failed.length} failed`);
  process.exitCode = fine ? 0 : 1;
} finally {
  await browser.close();
  server.close();
}
