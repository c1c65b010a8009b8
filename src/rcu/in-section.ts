/**
 * A read-side section around a function, for structures.
 *
 * Law table: this file owns no word.
 */

import type { Reader } from "./flavors/flavor.js";

/** Run `fn` in a section that ends with it. `fn` may run a user's code (a codec's), and throw. */
export function inSection<R>(reader: Reader, fn: () => R): R {
  const nesting = reader.begin(); // and not `enter`: what runs inside may do anything
  try {
    return fn();
  } finally {
    reader.endTo(nesting);
  }
}
