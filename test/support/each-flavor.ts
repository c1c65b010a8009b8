/** A test on each flavor, with a world of its own whose threads are seen out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMIT } from "../../check/support/watchdog.js";
import { ClosedError } from "../../src/memory/errors.js";
import type { ArenaOptions } from "../../src/memory/layout.js";
import type { Memory } from "../../src/memory/memory.js";
import type { Domain, DomainOptions } from "../../src/rcu/domain.js";
import { FLAVORS, type FlavorName, type ReadIndex } from "../../src/rcu/flavors/flavor.js";
import { audit } from "./audit.js";
import { turn, World } from "./world.js";

/** What a test is given. */
export interface Setting {
  readonly flavor: FlavorName;
  readonly world: World;
  /** Attach one more "thread": they are 1, 2, 3 ... */
  attach(options?: DomainOptions, memory?: Memory): Domain;
}

export interface EachOptions {
  readonly flavors?: readonly FlavorName[];
  readonly arena?: ArenaOptions;
  /** About where the sequence begins. */
  readonly sequence?: number;
}

/** Register `name` on each flavor. Whoever has not left by the end of it leaves then; the arena must be whole. */
export function onEach(name: string, run: (setting: Setting) => void | Promise<void>, { flavors = FLAVORS, arena = {}, sequence }: EachOptions = {}): void {
  for (const flavor of flavors) {
    test(`${flavor}: ${name}`, async () => {
      const world = new World(16, arena, { flavor, ...(sequence !== undefined && { sequence }) });
      const domains: Domain[] = [];
      const attach = (options: DomainOptions = {}, memory: Memory = world.memory): Domain => {
        const domain = world.domain(domains.length + 1, memory, options);
        domains.push(domain);
        return domain;
      };
      await run({ flavor, world, attach });
      for (const domain of domains) leave(domain);
      audit(world);
    });
  }
}

function leave(domain: Domain): void {
  try {
    domain.detach();
  } catch (error) {
    if (!(error instanceof ClosedError)) throw error;
  }
}

/** End the section, and the turn as far as this domain goes: the other "threads" of a test have no turns of their own. */
export function end(domain: Domain, index: ReadIndex): void {
  domain.readUnlock(index);
  domain.reader.goOffline();
}

const now = performance.now.bind(performance);

/** Until `holds`; or it is said to hang. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (const limit = now() + LIMIT; !holds(); await turn()) assert.ok(now() < limit, `hung: ${what}`);
}

/** Run with a clock that hardly goes on: what only the clock brings about does not come about, however long the machine takes for the rest. */
export async function withSlowClock(run: () => Promise<void>): Promise<void> {
  const began = now();
  performance.now = () => began + (now() - began) / 1000;
  try {
    await run();
  } finally {
    performance.now = now;
  }
}

/** Let everything that can happen by itself happen. */
export async function settle(milliseconds = 60): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}
