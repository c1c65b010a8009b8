/** Explored completely: maps whose threads are killed. */

import { exploreGroup } from "../../support/explored.js";

exploreGroup("map-deaths");
