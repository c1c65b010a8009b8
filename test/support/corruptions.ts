/** What check() must tell of, one damage at a time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Arena } from "../../src/memory/arena.js";

export interface Corruption<S> {
  readonly name: string;
  readonly says: RegExp;
  corrupt(sound: S): void;
}

/** A test for each: a sound arena is damaged, and check() says so. */
export function tellsOf<S extends { readonly arena: Arena }>(sound: () => S, corruptions: readonly Corruption<S>[]): void {
  for (const { name, says, corrupt } of corruptions) {
    test(`check() tells of a wrong ${name}`, () => {
      const s = sound();
      corrupt(s);
      const violations = s.arena.check();
      assert.ok(
        violations.some((violation) => says.test(violation)),
        JSON.stringify(violations),
      );
    });
  }
}
