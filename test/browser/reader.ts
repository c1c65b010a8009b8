/** A web worker of page.ts: reads, turn by turn, and opens a section when it is told to. */

import { Shared, type SharedHandle, u32 } from "../../src/index.js";

const scope = globalThis as unknown as { onmessage: (event: { data: SharedHandle | "section" }) => void; postMessage(message: unknown): void };

function read(shared: Shared): void {
  const map = shared.intervalMap("map", { bounds: "u32", value: u32 });
  let reads = 0;
  const turn = (): void => {
    for (let i = 0; i < 100; i++) {
      const value = map.get(i);
      if (value === undefined || value % 7 !== 0) throw new Error(`${i} is ${value}`);
    }
    if (++reads === 10) scope.postMessage("reads");
    setTimeout(turn, 0);
  };
  turn();
}

let shared: Shared | undefined;
scope.onmessage = ({ data }) => {
  if (data === "section") {
    shared?.domain.readLock();
    scope.postMessage("in section");
    return;
  }
  shared = Shared.attach(data);
  scope.postMessage(shared.domain.arena.heap.slot.thread);
  read(shared);
};
