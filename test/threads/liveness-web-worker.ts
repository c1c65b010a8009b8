/** A web Worker for liveness.test.ts: Deno, Bun, browsers. */

import { type LivenessJob, live } from "./liveness-job.js";

const scope = globalThis as unknown as { onmessage: (event: { data: LivenessJob }) => void; postMessage(message: unknown): void };

scope.onmessage = ({ data }) => live(data, (thread) => scope.postMessage(thread));
