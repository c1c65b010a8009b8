/** What a scenario's setup and threads get beside their memory, while they are explored. */

import { Op } from "./operation.js";
import type { Tools } from "./scenario.js";
import type { ScheduledMemory } from "./scheduled-memory.js";
import { privileged, type Shadow } from "./shadow.js";

type Task = () => void;

/** Setup makes no accesses that any thread could race with: it only leaves words in their states. */
export function setupTools(shadow: Shadow | undefined, tasks: Task[]): Tools {
  return {
    thread: -1,
    annotate: {
      allocated: (address, words) => shadow?.setState(address, words, "fresh"),
      freed: (address, words) => shadow?.setState(address, words, "freed"),
      immutable: (address, words) => shadow?.setState(address, words, "immutable"),
      privileged: (body) => body(),
    },
    ...turns(tasks),
  };
}

/** What a thread says of words is an operation of its own, so that it can be taken back. */
export function threadTools(memory: ScheduledMemory, shadow: Shadow | undefined, tasks: Task[]): Tools {
  return {
    thread: memory.index,
    annotate: {
      allocated: (address, words) => void memory.operate(Op.allocated, address, words, 0),
      freed: (address, words) => void memory.operate(Op.freed, address, words, 0),
      immutable: (address, words) => void memory.operate(Op.immutable, address, words, 0),
      privileged: (body) => privileged(shadow, memory.index, body),
    },
    ...turns(tasks),
  };
}

function turns(tasks: Task[]): Pick<Tools, "defer" | "turn"> {
  return {
    defer: (task) => void tasks.push(task),
    turn: (body) => {
      const result = body();
      drain(tasks);
      return result;
    },
  };
}

/** Run the microtasks, and those that they leave. */
export function drain(tasks: Task[]): void {
  for (let i = 0; i < tasks.length; i++) (tasks[i] as Task)();
  tasks.length = 0;
}
