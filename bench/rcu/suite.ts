/** The suite `rcu`: sections, grace periods, and how both grow, for each flavor of this build, with liburcu in the same run. */

import type { Report, SuiteOptions } from "../suite.js";
import { FLAVORS, flavorsHere } from "./flavors.js";
import { gracePeriods } from "./grace-periods.js";
import { Liburcu } from "./liburcu.js";
import { sections } from "./sections.js";
import { slots } from "./slots.js";

export async function rcu({ seconds }: SuiteOptions): Promise<Report> {
  const flavors = flavorsHere();
  const notes: string[] = [];
  const missing = FLAVORS.filter((flavor) => !flavors.includes(flavor));
  if (missing.length > 0) notes.push(`this build has no flavor ${missing.join(", ")}.`);
  const built = Liburcu.build();
  const liburcu = typeof built === "string" ? undefined : built;
  if (typeof built === "string") notes.push(built);
  try {
    const ofSections = await sections(flavors, liburcu, seconds * 0.2);
    const ofPeriods = await gracePeriods(flavors, liburcu, seconds * 0.65);
    const ofSlots = await slots(flavors, seconds * 0.15);
    notes.push(...ofSlots.notes);
    return { figures: [...ofSections, ...ofPeriods, ...ofSlots.figures], notes };
  } finally {
    liburcu?.remove();
  }
}
