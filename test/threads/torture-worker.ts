/**
 * A small rcutorture (kernel/rcu/rcutorture.c): the writer takes an element off its pointer, waits for a grace period, and wipes it at once; a
 * reader that holds it still would see the wiped words. Readers hold elements for up to some ms.
 */

import { hand } from "../../check/support/hand.js";
import { u32Map } from "../../check/support/maps.js";
import { Random } from "../../check/support/seed.js";
import { type Address, field } from "../../src/memory/address.js";
import { ELEMENT_WORDS, POINTERS, type TortureJob } from "./torture-job.js";

const TURN = 8;

const self = hand<TortureJob>();
const { role, index, pointers, seed } = self.job;
const { shared } = self;
const { domain } = shared;
const { memory, heap } = domain.arena;
const random = new Random(seed, index + (role === "reader" ? 0 : 1000));
const map = u32Map(shared, "map");
let done = 0;
let outstanding = 0;
let generation = 1;

const pointer = (): Address => field(pointers as Address, random.below(POINTERS));

function read(): void {
  const holdFor = random.below(6) === 0 ? random.below(4) : 0;
  domain.read(() => {
    const element = domain.dereference(pointer());
    const first = memory.load(element);
    const ends = holdFor === 0 ? 0 : performance.now() + holdFor;
    do {
      for (let word = 0; word < ELEMENT_WORDS; word++) {
        const now = memory.load(field(element, word));
        if (now !== first || now === 0)
          throw new Error(`an element was ${first} at first, and its word ${word} ${now} later in the same section: it was freed too early`);
      }
      // Neither may count as a quiescent state in here.
      map.get(1);
      domain.quiescent();
    } while (performance.now() < ends);
  });
}

function swap(): Address {
  const at = pointer();
  const element = heap.kmalloc(ELEMENT_WORDS * 4, index + 1);
  if (element === 0) throw new Error("no memory");
  wipe(element); // also what was retired and is used again
  generation++;
  for (let word = 0; word < ELEMENT_WORDS; word++) memory.store(field(element, word), generation);
  const old = memory.load(at) as Address;
  domain.assignPointer(at, element);
  return old;
}

function wipe(element: Address): void {
  for (let word = 0; word < ELEMENT_WORDS; word++) memory.store(field(element, word), 0);
}

function free(element: Address): void {
  wipe(element);
  heap.kfree(element);
}

const methods: readonly (() => void)[] = [
  () => {
    const old = swap();
    domain.synchronizeSync();
    free(old);
  },
  () => {
    const old = swap();
    outstanding++;
    void domain.synchronize().then(() => {
      free(old);
      outstanding--;
    });
  },
  () => {
    const old = swap();
    outstanding++;
    domain.call(() => {
      free(old);
      outstanding--;
    });
  },
  () => domain.retire(swap()),
];

function end(): void {
  if (outstanding > 0) {
    setTimeout(end, 1);
    return;
  }
  shared.close();
  self.result(done);
}

self.begun();
self.loop(() => {
  const ends = performance.now() + TURN;
  do {
    const method = random.below(methods.length);
    self.step(method);
    if (role === "reader") read();
    else if (outstanding < 50) (methods[method] as () => void)();
    done++;
    self.beat();
  } while (performance.now() < ends);
}, end);
