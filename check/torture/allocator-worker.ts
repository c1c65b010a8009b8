/**
 * A thread of a torture of the allocators: turns of taking, exchanging and giving back, until the round ends, or it is killed: at a random instant, or
 * where it has its appointment, at a certain access to shared memory inside a call.
 */

import { workerData } from "node:worker_threads";
import type { Orders } from "../support/crew.js";
import { hand } from "../support/hand.js";
import { Random } from "../support/seed.js";
import { sleep } from "../support/watchdog.js";
import { type AllocatorJob, Allocators, type Appointment } from "./allocator-job.js";
import { LifeWords } from "./calls.js";
import { beforeAccesses } from "./deaths.js";
import { Holdings } from "./holdings.js";
import { Tally } from "./tally.js";

/** How long a turn works, in ms at most. */
const TURN = 5;
/** How long a thread waits to be killed, in ms: the run may be over meanwhile. */
const LONGEST_WAIT = 20_000;

const { job } = workerData as Orders<AllocatorJob>;
const life = new LifeWords(job.lives, job.life);

/** Sleep at the access of the appointment, before it is done, until this thread is killed. */
function keep({ calls, accesses }: Appointment): void {
  const before = life.counts.calls;
  let left = accesses;
  let due = calls === 0;
  beforeAccesses(() => {
    if (!life.inside) return;
    due ||= life.counts.calls - before >= calls;
    if (due && left-- === 0) life.dieHere(LONGEST_WAIT);
  });
}

if (job.appointment !== undefined) keep(job.appointment);

const self = life.in("attach", () => hand<AllocatorJob>());
const tally = new Tally(job.tally);
const allocators = new Allocators(self.shared, job.caches, job.pools);
const random = new Random(job.seed, job.life);
const holdings = new Holdings(allocators, job, life, random, (kind, what) => tally.fail(kind, `thread ${job.life}: ${what}`));

const graves = new Int32Array(job.graves);
let buried = 0;

function turn(): void {
  if (job.survives) for (const dead = Atomics.load(graves, 0); buried < dead; buried++) allocators.bury(graves[1 + buried] as number);
  for (const ends = performance.now() + TURN; performance.now() < ends; ) for (let i = 0; i < 10; i++) holdings.act();
  self.beat();
}

/** The one that survives leaves the processors to those that begin, most of the time. */
async function live(): Promise<void> {
  while (!self.stopping()) {
    turn();
    if (job.survives) await sleep(4 * TURN);
    else await new Promise(setImmediate);
  }
}

function end(): void {
  holdings.giveAll();
  life.in("detach", () => self.shared.close());
  self.result(true);
}

self.begun();
await live();
end();
