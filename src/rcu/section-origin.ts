/**
 * Where a thread's section began, for others to report: its stack, in debug mode.
 *
 * Law table
 *   the words for debugging of a slot's record   atomic; written by the slot's thread
 */

import type { Address } from "../memory/address.js";
import { debugAddress, recordAddress } from "../memory/slot.js";
import { loadText, storeText } from "../memory/text.js";
import type { Site } from "./flavors/site.js";

/** Words for a stack: about ten of its lines. */
export const ORIGIN_WORDS = 256;

const placeOf = ({ layout, domain }: Site, slot: number): Address => debugAddress(recordAddress(layout, slot, domain));

/** A section begins here. Nothing where the arena was not made for debugging. */
export function storeOrigin(site: Site): void {
  if (site.layout.debugWords === 0) return;
  const stack = new Error().stack ?? "";
  // The caller's lines: not the message, which not every engine puts first, and not this library's own.
  const lines = stack.split("\n").filter((line) => /:\d+:\d+/.test(line));
  const callers = lines.filter((line) => !/[\\/]rcu[\\/](domain|section-origin)\.[jt]s/.test(line));
  storeText(site.memory, placeOf(site, site.slot), site.layout.debugWords, callers.join("\n"));
}

/** Where the slot's last section began; undefined when nobody wrote it down. */
export function loadOrigin(site: Site, slot: number): string | undefined {
  if (site.layout.debugWords === 0) return undefined;
  return loadText(site.memory, placeOf(site, slot), site.layout.debugWords) || undefined;
}
