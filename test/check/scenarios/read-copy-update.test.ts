/** Explored completely: read-copy-update: sections, grace periods, what is retired and called, who comes and goes. */

import { exploreGroup } from "../../support/explored.js";

exploreGroup("read-copy-update");
