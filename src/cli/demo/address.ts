/**
 * Addresses as people write them, to and from words.
 */

import { isIP } from "node:net";
import { CliError } from "../failure.js";

/** An address that somebody asked for. */
export interface Address {
  /** As it was given. */
  readonly text: string;
  /** One word for IPv4, four for IPv6, most significant first. */
  readonly words: Uint32Array;
}

const ACCEPTED =
  "an IPv4 address as four decimal numbers (8.8.8.8) or an IPv6 address (2001:4860:4860::8888), with no prefix length, port, brackets or zone id";

/** Parse addresses with ipaddr.js, an optional peer. An IPv4-mapped IPv6 address is an IPv4 one. */
export async function parseAddresses(texts: readonly string[]): Promise<Address[]> {
  // isIP is stricter than ipaddr.js (which takes 010.1 and 0x8.8), but lets zone ids through.
  for (const text of texts) {
    if (isIP(text) === 0 || text.includes("%")) throw new CliError(`--lookup: ${JSON.stringify(text)} is not an address; give ${ACCEPTED}`);
  }
  const ipaddr = await loadParser();
  return texts.map((text) => {
    const bytes = ipaddr.process(text).toByteArray();
    const words = new Uint32Array(bytes.length / 4);
    for (const [index, byte] of bytes.entries()) words[index >> 2] = ((words[index >> 2] as number) << 8) | byte;
    return { text, words };
  });
}

async function loadParser(): Promise<typeof import("ipaddr.js")> {
  try {
    return (await import("ipaddr.js")).default;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new CliError("--lookup needs the package ipaddr.js to read addresses; run: npm install ipaddr.js");
  }
}

/** One word as 8.8.8.8, four as RFC 5952 has it. */
export function formatAddress(words: Uint32Array): string {
  const bytes = Array.from(words).flatMap((word) => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]);
  if (words.length === 1) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) => (((bytes[2 * index] as number) << 8) | (bytes[2 * index + 1] as number)).toString(16));
  // The first longest run of two or more zero groups becomes "::".
  let best = { at: 0, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === "0") length++;
    if (length > best.length) best = { at, length };
  }
  if (best.length < 2) return groups.join(":");
  return `${groups.slice(0, best.at).join(":")}::${groups.slice(best.at + best.length).join(":")}`;
}
