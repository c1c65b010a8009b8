/** The suite `allocators`: this build's allocators beside glibc's malloc, mimalloc and @thi.ng/malloc, in one run. */

import type { Report, SuiteOptions } from "../suite.js";
import { goals } from "./goals.js";
import { type Subject, Threads } from "./jobs.js";
import { ALLOCATORS, NATIVE, THING } from "./names.js";
import { Native } from "./native.js";
import { residentMemory } from "./rss.js";
import { speed } from "./speed.js";
import { Thing } from "./thing.js";
import { traces } from "./traces.js";

export async function allocators({ seconds }: SuiteOptions): Promise<Report> {
  const notes: string[] = [];
  const subjects: Subject[] = [];
  try {
    for (const name of ALLOCATORS) subjects.push(new Threads(name));
    for (const name of NATIVE) {
      const built = Native.build(name);
      if (typeof built === "string") notes.push(built);
      else subjects.push(built);
    }
    if ((await Thing.open(4096)) === undefined) notes.push(`${THING} is not beside these figures: \`npm install --no-save ${THING}\`.`);
    else subjects.push(new Threads(THING));
    const ofSpeed = await speed(subjects, seconds * 0.6);
    const ofTraces = await traces(subjects, seconds * 0.3);
    const ofResident = residentMemory();
    const figures = [...ofSpeed.figures, ...ofTraces.figures, ...ofResident.figures];
    return { figures: [...goals(figures), ...figures], notes: [...notes, ...ofSpeed.notes, ...ofTraces.notes, ...ofResident.notes] };
  } finally {
    for (const subject of subjects) await subject.end();
  }
}
