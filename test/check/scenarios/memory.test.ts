/** Explored completely: the allocators, vmalloc, mempools and the locks. */

import { exploreGroup } from "../../support/explored.js";

exploreGroup("memory");
