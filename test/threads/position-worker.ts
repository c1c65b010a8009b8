/**
 * A thread that gets into a position and stays there until it is let go: for telling which positions hold up a grace period.
 *
 *   gate   ARRIVED LET_GO LEFT
 */

import { setTimeout as sleep } from "node:timers/promises";
import { hand } from "../../check/support/hand.js";
import { u32Map } from "../../check/support/maps.js";
import { LIMIT } from "../../check/support/watchdog.js";
import type { Address } from "../../src/memory/address.js";
import { RobustMutex } from "../../src/memory/robust-mutex.js";
import { ARRIVED, LEFT, LET_GO, type PositionJob } from "./position-job.js";

const self = hand<PositionJob>();
const { position, lock } = self.job;
const gate = new Int32Array(self.job.gate);
const { shared } = self;
const { domain } = shared;
const map = u32Map(shared, "map");
const mutex = (): RobustMutex => new RobustMutex(domain.arena.memory, lock as Address, domain.arena.heap.slot);

const arrive = (): void => {
  Atomics.store(gate, ARRIVED, 1);
};
const mayGo = (): boolean => Atomics.load(gate, LET_GO) === 1;
const block = (): void => {
  Atomics.wait(gate, LET_GO, 0);
};

const positions: Record<PositionJob["position"], () => Promise<void> | void> = {
  async idle() {
    map.get(1);
    arrive();
    while (!mayGo()) await sleep(5);
  },
  offline() {
    map.get(1);
    domain.offline(() => {
      arrive();
      block();
    });
  },
  lookups() {
    // One turn, without an end of its own.
    map.get(1);
    arrive();
    while (!mayGo()) map.get(1);
  },
  views() {
    map.get(1);
    arrive();
    while (!mayGo()) map.at(1, (view) => view.value.version);
  },
  section() {
    domain.read(() => {
      arrive();
      // Lookups are quiescent states elsewhere, in a section they are not.
      while (!mayGo()) {
        map.get(1);
        domain.quiescent();
      }
    });
  },
  "section in at"() {
    map.at(1, () => {
      arrive();
      block();
    });
  },
  holder() {
    const held = mutex();
    held.lock();
    domain.offline(() => {
      arrive();
      block();
    });
    held.unlock();
  },
  "waiting for a lock"() {
    map.get(1); // online
    arrive();
    const wanted = mutex();
    wanted.lock(LIMIT / 2);
    wanted.unlock();
  },
};

await positions[position]();
Atomics.store(gate, LEFT, 1);
shared.close();
self.result(position);
