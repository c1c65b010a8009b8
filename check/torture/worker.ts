/**
 * A thread of a torture run: turns of reading and, in some seats, updating, with now and then a storm, a flood, or a pause of all; until the run
 * ends or it is killed.
 */

import { workerData } from "node:worker_threads";
import type { Layout } from "../../src/memory/layout.js";
import type { Orders } from "../support/crew.js";
import { hand } from "../support/hand.js";
import { Random } from "../support/seed.js";
import { LIMIT, sleep } from "../support/watchdog.js";
import { workOnCells } from "./cells.js";
import { Death } from "./deaths.js";
import { bustGracePeriods, injectDelays } from "./disturb.js";
import { buryElements, ElementReader, ElementUpdater } from "./elements.js";
import { workOnHashMaps } from "./hash-maps.js";
import { workOnIntervalMaps } from "./interval-maps.js";
import { type Structure, type TortureJob, updates } from "./job.js";
import { Ledger } from "./ledger.js";
import { workOnLists } from "./lists.js";
import { mainPlace, sidePlace } from "./place.js";
import { workOnQueues } from "./queues.js";
import { workOnRculists } from "./rculists.js";
import { Tally } from "./tally.js";
import { Step, Thread } from "./thread.js";
import type { Work } from "./work.js";

/** How long a turn works, in ms at most. */
const TURN = 5;
/** How long callbacks may take to come at the end, in ms: less than main waits for this thread's end. */
const CALLBACKS_LATE = LIMIT / 2;

const { job } = workerData as Orders<TortureJob>;
let layout: Layout | undefined;
// Before anything of the library has run, so that its code is compiled with them. Some threads run it as it is.
const delaySoon = job.life % 4 === 0 ? () => {} : injectDelays(new Random(job.seed, -job.life), () => layout);
if (job.busted) bustGracePeriods();
const death = job.appointment === undefined ? undefined : new Death(job.appointment, job.deaths, job.seat, job.life);
process.removeAllListeners("warning"); // of sections left open over a turn, on purpose

const self = hand<TortureJob>();
const tally = new Tally(job.tally);
const thread = new Thread(self, tally, new Ledger(job.ledger));
layout = thread.domain.arena.layout;
if (death !== undefined) {
  thread.mayDieIn = (update) => death.during(update);
  thread.mayNotDieIn = (part) => death.notDuring(part);
}

const places = { main: mainPlace(thread), side: sidePlace(thread) };

function elements(): Work {
  const [main, side] = [new ElementReader(thread, places.main), new ElementReader(thread, places.side)];
  const [updater, sideUpdater] = [new ElementUpdater(thread, places.main), new ElementUpdater(thread, places.side)];
  return {
    begin: () => buryElements(thread, [places.main, places.side]),
    read: () => (thread.oneIn(10) ? side : main).read(),
    updates: updates(job.seat),
    choosesDeaths: false,
    update: () => (thread.oneIn(10) ? sideUpdater : updater).update(),
    specialTurns: 40,
    special: () => {
      const kind = thread.random.below(4);
      if (kind === 0) return side.readOverTurns();
      return kind === 1 ? side.readWhile(places.main) : main.readOverTurns();
    },
    end: async () => {
      await updater.end();
      await sideUpdater.end();
    },
  };
}

const works: Readonly<Record<Structure, (thread: Thread) => Work>> = {
  rcu: elements,
  intervalMap: workOnIntervalMaps,
  map: workOnHashMaps,
  cell: workOnCells,
  list: workOnLists,
  rculist: workOnRculists,
  queues: workOnQueues,
};
const work = works[job.structure](thread);

function update(): void {
  delaySoon();
  if (work.choosesDeaths) work.update();
  else thread.mayDieIn(() => work.update());
}

function turn(): void {
  const { random } = thread;
  const ends = performance.now() + TURN;
  const updatesOnly = work.updates && thread.oneIn(3);
  do {
    for (let i = random.from(1, 40); i > 0 && !updatesOnly; i--) work.read();
    if (work.updates) for (let i = random.from(1, 8); i > 0; i--) update();
    if (thread.oneIn(200)) thread.notifyForNothing();
  } while (performance.now() < ends && !thread.oneIn(50));
}

async function pauseOfAll(): Promise<void> {
  self.step(Step.PAUSE);
  while (tally.stuttering && !self.stopping()) {
    if (thread.oneIn(2)) await sleep(10);
    else thread.domain.offline(() => tally.waitForStart(20));
  }
}

async function live(): Promise<void> {
  while (!self.stopping()) {
    if (tally.stuttering) await pauseOfAll();
    self.step(Step.TURN);
    turn();
    if (thread.oneIn(work.specialTurns)) await work.special();
    if (thread.oneIn(100)) await thread.storm(thread.random.pick([1, 1, 4, 16]));
    const place = thread.oneIn(5) ? places.side : places.main;
    if (thread.oneIn(100)) thread.flood(place);
    if (thread.oneIn(100)) thread.retireFlood(place);
    if (thread.oneIn(150)) await thread.barrier(place);
    tally.take(thread.counts);
    self.beat();
    if (thread.oneIn(20))
      await sleep(thread.random.below(4)); // an idle thread, whose callbacks have to come by themselves
    else await new Promise(setImmediate);
  }
}

async function end(): Promise<void> {
  self.step(Step.DRAIN);
  await work.end();
  for (const place of [places.main, places.side]) await thread.barrier(place); // hurries those that may be late
  const late = performance.now() + CALLBACKS_LATE;
  while (thread.outstanding > 0 && performance.now() < late) await sleep(1);
  if (thread.outstanding > 0) thread.fail("callback lost", `${thread.outstanding} callbacks did not come in ${CALLBACKS_LATE} ms`);
  tally.take(thread.counts);
  thread.shared.close();
  self.result(true);
}

work.begin();
self.begun();
await live();
await end();
