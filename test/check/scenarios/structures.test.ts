/** Explored completely: interval maps, lists, queues, cells and the directory. */

import { exploreGroup } from "../../support/explored.js";

exploreGroup("structures");
