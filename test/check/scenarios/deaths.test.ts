/** Explored completely: reaping, and threads that are killed. */

import { exploreGroup } from "../../support/explored.js";

exploreGroup("deaths");
