/**
 * Where the data comes from: the npm package @ip-location-db/geo-whois-asn-country (CC0), an
 * optional peer. Finds its files and reads them piece by piece.
 */

import { open, readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { CliError } from "../failure.js";
import { CsvParser } from "./csv.js";
import type { Ranges } from "./ranges.js";

const PACKAGE = "@ip-location-db/geo-whois-asn-country";

export interface Dataset {
  /** Version of the package. */
  readonly version: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** The files of the package, which is looked for beside quiesce and beside the user's program. */
export async function findDataset(from: readonly string[] = [import.meta.url, join(process.cwd(), "anything.js")]): Promise<Dataset> {
  const manifest = resolveFirst(`${PACKAGE}/package.json`, from);
  if (manifest === undefined) {
    throw new CliError(`the demo's data is not installed; run: npm install ${PACKAGE}`);
  }
  const folder = dirname(manifest);
  const names = await readdir(folder);
  const file = (ending: string): string => {
    const name = names.find((candidate) => candidate.endsWith(ending));
    if (name === undefined) throw new CliError(`${PACKAGE} holds no *${ending}; run: npm install ${PACKAGE}@2`);
    return join(folder, name);
  };
  const { version } = JSON.parse(await readFile(manifest, "utf8")) as { version: string };
  return { version, ipv4: file("-ipv4-num.csv"), ipv6: file("-ipv6-num.csv") };
}

function resolveFirst(specifier: string, from: readonly string[]): string | undefined {
  for (const place of from) {
    try {
      return createRequire(place).resolve(specifier);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}

/**
 * Read a file's rows into `into`, a piece at a time; yields the bytes read so far after each
 * piece, so that the caller can use the new rows and let the event loop turn.
 */
export async function* readRows(file: string, into: Ranges, pieceBytes: number = 256 * 1024): AsyncGenerator<number, void, void> {
  // Messages name the file, not the folders of the machine it lies on.
  const parser = new CsvParser(basename(file), into);
  const handle = await open(file, "r");
  try {
    let buffer = new Uint8Array(pieceBytes);
    let kept = 0;
    let total = 0;
    for (;;) {
      if (kept === buffer.length) {
        // No end of line in the whole piece: take more until there is one, or the file ends.
        const larger = new Uint8Array(buffer.length * 2);
        larger.set(buffer);
        buffer = larger;
      }
      const { bytesRead } = await handle.read(buffer, kept, buffer.length - kept);
      total += bytesRead;
      const end = kept + bytesRead;
      const used = parser.parse(buffer, end, bytesRead === 0);
      buffer.copyWithin(0, used, end);
      kept = end - used;
      yield total;
      if (bytesRead === 0) return;
    }
  } finally {
    await handle.close();
  }
}
