/** Names of an arena's words, for reports and printed schedules. */

import { PAGE_SHIFT, PAGE_WORDS } from "../src/memory/address.js";
import { CACHE_WORDS, Header, type Layout, MAGAZINE_WORDS, PAGE_ENTRY_WORDS, SLOT_HEAD_WORDS } from "../src/memory/layout.js";
import { SlotWord } from "../src/memory/slot.js";
import { DOMAIN_WORDS, DomainWord } from "../src/rcu/layout.js";
import { DIRECTORY_WORDS } from "../src/shared/directory.js";

function named(words: Readonly<Record<string, number>>, offset: number): string {
  let best = "";
  let from = -1;
  for (const [name, word] of Object.entries(words)) {
    if (word > offset || word <= from) continue;
    best = name;
    from = word;
  }
  return from === offset ? best : `${best}+${offset - from}`;
}

function inSlot(offset: number): string {
  if (offset < SLOT_HEAD_WORDS) return named(SlotWord, offset);
  const magazine = offset - SLOT_HEAD_WORDS;
  return `magazine ${Math.floor(magazine / MAGAZINE_WORDS)}[${magazine % MAGAZINE_WORDS}]`;
}

/** The name of a word, as `slot 1.SEEN`; what the root area has beyond domain and directory is `user`. */
export function nameOfWord(layout: Layout, address: number): string {
  const { root, cacheTable, slotTable, slotWords, slots, pageTable, pages, firstPage } = layout;
  const directory = root + DOMAIN_WORDS;
  const user = directory + DIRECTORY_WORDS;
  if (address < root) return named(Header, address);
  if (address < directory) return named(DomainWord, address - root);
  if (address < user) return `directory+${address - directory}`;
  if (address < cacheTable) return `user ${address - user}`;
  if (address < slotTable) return `cache ${Math.floor((address - cacheTable) / CACHE_WORDS)}+${(address - cacheTable) % CACHE_WORDS}`;
  const slot = Math.floor((address - slotTable) / slotWords);
  if (slot < slots) return `slot ${slot}.${inSlot((address - slotTable) % slotWords)}`;
  if (address >= pageTable && address < pageTable + pages * PAGE_ENTRY_WORDS) {
    const offset = address - pageTable;
    return `page ${Math.floor(offset / PAGE_ENTRY_WORDS)}.${["STATE", "OWNER", "NEXT", "PREV"][offset % PAGE_ENTRY_WORDS]}`;
  }
  return address >= firstPage * PAGE_WORDS ? `page ${address >>> PAGE_SHIFT}+${address % PAGE_WORDS}` : `word ${address}`;
}
