/** A Worker of node:worker_threads for liveness.test.ts. */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { type LivenessJob, live } from "./liveness-job.js";

process.removeAllListeners("warning"); // of the section left open over a turn, on purpose
live(workerData as LivenessJob, (thread) => (parentPort as MessagePort).postMessage(thread));
