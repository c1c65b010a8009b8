/** The Map of the language: of one thread, so each has a copy. */

import type { Held } from "../held.js";

export async function openNativeMap(): Promise<Held> {
  return { map: new Map(), handle: undefined, bytes: () => 0, close: async () => {} };
}
