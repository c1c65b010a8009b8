/**
 * The suite `turn-costs`: what it costs that "the task switch is the sign" (source B2), in the three respects that the source names,
 * in a JavaScript thread's terms:
 *
 *   A  scheduling delay: are turns or timers later for the sections in them?          delay.ts
 *   B  responsiveness: how late does a thread answer, and a grace period end, by the length of sections?   answers.ts
 *   C  balance: does one thread's long section keep others from the cores?            balance.ts
 *
 * Each is measured against the same turns without any section.
 */

import type { Shared } from "../../src/shared/shared.js";
import { newBlock } from "../rcu/block.js";
import { domainOf, sharedOf } from "../rcu/flavors.js";
import type { Report, SuiteOptions } from "../suite.js";
import { answers } from "./answers.js";
import { balance } from "./balance.js";
import { delay } from "./delay.js";

export async function turnCosts({ seconds }: SuiteOptions): Promise<Report> {
  const shared = sharedOf("event-loop") as Shared;
  const domain = domainOf(shared);
  const place = { handle: shared.handle, pointer: newBlock(domain), attach: true };
  const figures = [
    ...(await delay(domain, place, seconds * 0.25)),
    ...(await answers(domain, place, seconds * 0.5)),
    ...(await balance(domain, place, seconds * 0.25)),
  ];
  return { figures, notes: [] };
}
