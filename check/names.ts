/** Names of an arena's words, for reports and printed schedules. */

import { PAGE_SHIFT, PAGE_WORDS } from "../src/memory/address.js";
import { CACHE_SLOT_WORDS, CACHE_WORDS, Header, type Layout, PAGE_ENTRY_WORDS, PAGE_LIST_WORDS, SLOT_HEAD_WORDS } from "../src/memory/layout.js";
import { RecordWord, SlotWord } from "../src/memory/slot.js";
import { DOMAIN_WORDS, DomainWord, ReaderWord } from "../src/rcu/layout.js";
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

function inSlot({ domains, recordWords, caches }: Layout, offset: number): string {
  if (offset < SLOT_HEAD_WORDS) return named(SlotWord, offset);
  const domain = Math.floor((offset - SLOT_HEAD_WORDS) / recordWords);
  const inRecord = (offset - SLOT_HEAD_WORDS) % recordWords;
  const prefix = domain === 0 ? "" : `domain ${domain}.`;
  if (domain < domains) return `${prefix}${inRecord < RecordWord.LIMBO ? named(ReaderWord, inRecord) : named(RecordWord, inRecord)}`;
  const inList = offset - SLOT_HEAD_WORDS - domains * recordWords;
  if (inList < PAGE_LIST_WORDS) return `pages[${inList}]`;
  const inCaches = inList - PAGE_LIST_WORDS;
  if (inCaches < caches * CACHE_SLOT_WORDS) return `cache ${Math.floor(inCaches / CACHE_SLOT_WORDS)}[${inCaches % CACHE_SLOT_WORDS}]`;
  const open = inCaches - caches * CACHE_SLOT_WORDS;
  return `domain ${Math.floor(open / caches)}.open sheaf ${open % caches}`;
}

/**
 * The name of a word, as `slot 1.SEEN`; what the root area has beyond domains, tree and directory is `user`.
 * @param treeWords words of the main domain's tree
 */
export function nameOfWord(layout: Layout, address: number, treeWords = 0): string {
  const { root, cacheTable, slotTable, slotWords, slots, pageTable, pages, firstPage, domains } = layout;
  const tree = root + domains * DOMAIN_WORDS;
  const directory = tree + treeWords;
  const user = directory + DIRECTORY_WORDS;
  if (address < root) return named(Header, address);
  if (address < root + DOMAIN_WORDS) return named(DomainWord, address - root);
  if (address < tree) return `domain ${Math.floor((address - root) / DOMAIN_WORDS)}.${named(DomainWord, (address - root) % DOMAIN_WORDS)}`;
  if (address < directory) return `tree node ${(address - tree) / 32}`;
  if (address < user) return `directory+${address - directory}`;
  if (address < cacheTable) return `user ${address - user}`;
  if (address < slotTable) return `cache ${Math.floor((address - cacheTable) / CACHE_WORDS)}+${(address - cacheTable) % CACHE_WORDS}`;
  const slot = Math.floor((address - slotTable) / slotWords);
  if (slot < slots) return `slot ${slot}.${inSlot(layout, (address - slotTable) % slotWords)}`;
  if (address >= pageTable && address < pageTable + pages * PAGE_ENTRY_WORDS) {
    const offset = address - pageTable;
    return `page ${Math.floor(offset / PAGE_ENTRY_WORDS)}.${["STATE", "OWNER", "NEXT", "PREV"][offset % PAGE_ENTRY_WORDS]}`;
  }
  return address >= firstPage * PAGE_WORDS ? `page ${address >>> PAGE_SHIFT}+${address % PAGE_WORDS}` : `word ${address}`;
}
