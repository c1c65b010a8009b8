/** Explored completely: maps: operations, and moves to other tables. */

import { exploreGroup } from "../../support/explored.js";

exploreGroup("map");
