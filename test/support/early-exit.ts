/** Whether `exit` comes before the thread's end: then the worker still tells its number (Deno 2.9.6, of terminate()). */

import { Worker } from "node:worker_threads";

export function exitComesEarly(): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
    worker.on("error", reject);
    worker.on("exit", () => resolve(worker.threadId >= 0));
    worker.on("online", () => void worker.terminate());
  });
}
