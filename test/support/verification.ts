/** The page that lists what is explored, forbidden and broken on purpose; tests hold it to be so. */

import { readFileSync } from "node:fs";

export const VERIFICATION = readFileSync(new URL("../../../docs/verification.md", import.meta.url), "utf8");
