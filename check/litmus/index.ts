/** Every litmus test, on each flavor that has what it needs (reference: the kernel's, perfbook's and paulmckrcu/litmus). */

import { gracePeriod } from "./grace-period.js";
import { idioms } from "./idioms.js";
import type { Litmus } from "./litmus.js";
import { online } from "./online.js";
import { publish } from "./publish.js";
import { srcu } from "./srcu.js";

export const litmusTests: readonly Litmus[] = [publish, gracePeriod, online, srcu, idioms].flat();
