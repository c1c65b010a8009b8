/**
 * `quiesce demo --lookup ADDRESS ...`: load, print what is known of each address, and end.
 */

import { Shared } from "../../index.js";
import { type Address, formatAddress, parseAddresses } from "./address.js";
import { countryName } from "./country.js";
import { findDataset } from "./dataset.js";
import type { Interrupt } from "./interrupt.js";
import { load } from "./load.js";
import { arenaBytes, type Family, family4, family6, newFound, openMaps } from "./maps.js";
import type { LookupOptions } from "./options.js";
import { count, Progress } from "./report.js";

/** What `--json` prints for each address; all null when nothing covers it. */
interface Lookup {
  readonly address: string;
  readonly country: string | null;
  readonly first: string | null;
  readonly last: string | null;
}

export async function runLookup(options: LookupOptions, interrupt: Interrupt): Promise<number> {
  // Before the slow part: a typing error should not cost seconds.
  const addresses = await parseAddresses(options.addresses);
  const dataset = await findDataset();
  const shared = Shared.create({ bytes: arenaBytes, slots: 2 });
  try {
    const maps = openMaps(shared);
    const v4 = family4(maps.v4);
    const v6 = family6(maps.v6);
    const progress = new Progress(process.stderr);
    progress.begin("Loading ...");
    await load(dataset, v4, v6, (rows, share) => progress.update(`Loading ${count(rows)} rows, ${Math.floor(share * 100)} %`), interrupt.signal);
    progress.end(`Loaded ${count(v4.size() + v6.size())} ranges`);
    const lookups = addresses.map((address) => lookUp(address, address.words.length === 1 ? v4 : v6));
    if (options.json) process.stdout.write(`${JSON.stringify({ lookups })}\n`);
    else for (const found of lookups) process.stdout.write(`${lookupLine(found)}\n`);
    return 0;
  } finally {
    shared.close();
  }
}

function lookUp(address: Address, family: Family): Lookup {
  const found = newFound(family.words);
  if (!family.look(address.words, found)) return { address: address.text, country: null, first: null, last: null };
  return { address: address.text, country: countryName(found.country), first: formatAddress(found.lo), last: formatAddress(found.hi) };
}

function lookupLine({ address, country, first, last }: Lookup): string {
  return country === null ? `${address} not found` : `${address} ${country} ${first} - ${last}`;
}
