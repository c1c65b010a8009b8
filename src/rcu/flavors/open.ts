/**
 * Making a domain, and opening it by the flavor it was made with.
 *
 * Law table: layout.ts (FLAVOR, FAN_OUT, GP_SEQ, COMPLETED)
 */

import { field } from "../../memory/address.js";
import { ArenaOptionsError, QuiesceError } from "../../memory/errors.js";
import type { ArenaOptions, Layout } from "../../memory/layout.js";
import type { Memory } from "../../memory/memory.js";
import { DOMAIN_WORDS, DomainWord, domainRoot } from "../layout.js";
import { FIRST_SEQUENCE } from "../sequence.js";
import { eventLoop } from "./event-loop.js";
import { FLAVORS, type Flavor, type FlavorName } from "./flavor.js";
import { phase } from "./phase.js";
import type { ReaderEvents, Site } from "./site.js";
import { tree } from "./tree.js";
import { MOST_FAN_OUT, treeWords } from "./tree-nodes.js";

/** How a domain is made. */
export interface DomainFormat {
  /** Default "event-loop". */
  readonly flavor?: FlavorName;
  /** Children of a node of the tree flavor, 2 to 16; default 16. */
  readonly fanOut?: number;
  /** About where its sequence begins, a whole number; for tests of the wrap. */
  readonly sequence?: number;
}

/**
 * Words that the grace-period domains of an arena take at the start of its root area.
 * @throws ArenaOptionsError for a flavor or a fan-out that there is not
 */
export function rcuWords({ slots = 32, domains = 4 }: ArenaOptions, { flavor = "event-loop", fanOut = MOST_FAN_OUT }: DomainFormat): number {
  if (!FLAVORS.includes(flavor)) throw new ArenaOptionsError(`the flavor is one of ${FLAVORS.join(", ")}; got ${String(flavor)}.`);
  if (!Number.isInteger(fanOut) || fanOut < 2 || fanOut > MOST_FAN_OUT) {
    throw new ArenaOptionsError(`fanOut must be a whole number from 2 to ${MOST_FAN_OUT}; got ${String(fanOut)}.`);
  }
  return domains * DOMAIN_WORDS + (flavor === "tree" ? treeWords(slots, fanOut) : 0);
}

/** As `rcuWords`, of an arena whose main domain was formatted. */
export function rcuWordsOf(memory: Memory, layout: Layout): number {
  const word = (offset: number): number => memory.load(field(domainRoot(layout, 0), offset));
  return rcuWords(layout, { flavor: FLAVORS[word(DomainWord.FLAVOR) - 1] as FlavorName, fanOut: word(DomainWord.FAN_OUT) });
}

/**
 * Set the words of a new domain. The tree flavor is for domain 0, where `rcuWords` left room for its nodes.
 * @throws ArenaOptionsError
 */
export function formatDomain(
  memory: Memory,
  layout: Layout,
  domain: number,
  { flavor = "event-loop", fanOut = MOST_FAN_OUT, sequence = FIRST_SEQUENCE }: DomainFormat = {},
): void {
  if (!Number.isInteger(domain) || domain < 0 || domain >= layout.domains)
    throw new ArenaOptionsError(`the arena has domains 0 to ${layout.domains - 1}; got ${String(domain)}.`);
  if (!FLAVORS.includes(flavor) || (flavor === "tree" && domain !== 0))
    throw new ArenaOptionsError(`the flavor is one of ${FLAVORS.join(", ")}, and tree for the main domain only; got ${String(flavor)}.`);
  if (!Number.isInteger(sequence)) throw new ArenaOptionsError(`the first sequence is a whole number; got ${String(sequence)}.`);
  const word = (offset: number): ReturnType<typeof field> => field(domainRoot(layout, domain), offset);
  // Where a sequence says more than a number: odd, since 0 means offline; idle.
  const first = { "event-loop": sequence | 1, phase: sequence, tree: (sequence & ~3) | 1 }[flavor];
  memory.store(word(DomainWord.GP_SEQ), first);
  memory.store(word(DomainWord.COMPLETED), first);
  memory.store(word(DomainWord.FAN_OUT), fanOut);
  memory.store(word(DomainWord.FLAVOR), FLAVORS.indexOf(flavor) + 1); // commit
}

/** Whether a domain was made. */
export const isFormatted = (memory: Memory, layout: Layout, domain: number): boolean => memory.load(field(domainRoot(layout, domain), DomainWord.FLAVOR)) !== 0;

/** Take a domain back that nobody has opened. */
export function unformatDomain(memory: Memory, layout: Layout, domain: number): void {
  memory.store(field(domainRoot(layout, domain), DomainWord.FLAVOR), 0);
}

/**
 * This thread's part in a domain.
 * @throws QuiesceError (ERR_DOMAIN) when nobody has made it
 */
export function openFlavor(site: Site, events: ReaderEvents): Flavor {
  const { memory, layout, domain } = site;
  if (!Number.isInteger(domain) || domain < 0 || domain >= layout.domains || !isFormatted(memory, layout, domain))
    throw new QuiesceError("ERR_DOMAIN", `the arena has no domain ${String(domain)}: format it first, or use phaseDomain(name).`);
  const word = (offset: number): number => memory.load(site.word(offset));
  const flavor = FLAVORS[word(DomainWord.FLAVOR) - 1];
  if (flavor === "phase") return phase(site);
  return flavor === "tree" ? tree(site, events, word(DomainWord.FAN_OUT)) : eventLoop(site, events);
}
