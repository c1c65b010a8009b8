/** Workers of vmalloc.test.ts and mempool.test.ts: touching pages that are swapped under them; taking turns with a mempool's few elements. */

import { hand } from "../../check/support/hand.js";
import { Random } from "../../check/support/seed.js";
import { LIMIT } from "../../check/support/watchdog.js";
import { type Address, field, PAGE_BYTES } from "../../src/memory/address.js";
import { Mempool } from "../../src/memory/mempool.js";
import { FileStore } from "../../src/memory/vmalloc/store.js";
import { type VirtualAddress, virtualField } from "../../src/memory/vmalloc/virtual.js";
import { Vmalloc } from "../../src/memory/vmalloc/vmalloc.js";
import { isWordOf, type Job, type PoolJob, type SwapJob, WORDS, wordOf } from "./vmalloc-job.js";

const self = hand<Job>();
const { heap, memory } = self.shared.domain.arena;

function touchAndSwap({ area, pages, path, index, of, seed }: SwapJob): void {
  const vm = new Vmalloc(heap, { store: new FileStore(path) });
  const random = new Random(seed, index);
  const rounds = new Map<number, number>();
  let touches = 0;
  const at = (page: number, word: number): VirtualAddress => virtualField(area as VirtualAddress, page * 1024 + word);
  const turn = (): void => {
    for (let i = 0; i < 50; i++, touches++) {
      const page = random.below(pages);
      if (page % of === index) {
        const round = rounds.get(page);
        for (const word of WORDS) {
          if (round !== undefined && vm.read(at(page, word)) !== wordOf(page, word, round)) throw new Error(`page ${page} lost its round ${round}`);
          vm.write(at(page, word), wordOf(page, word, (round ?? 0) + 1));
        }
        rounds.set(page, (round ?? 0) + 1);
      } else {
        // Of another's page a word that is never written: nobody races for it.
        if (vm.read(at(page, 100)) !== 0) throw new Error(`word 100 of page ${page} is not 0`);
      }
      if (random.below(200) === 0) {
        const own = vm.vmalloc(random.below(4) * PAGE_BYTES, { zero: true });
        if (own !== 0) {
          vm.write(own, index);
          if (vm.read(own) !== index) throw new Error("an area of its own is somebody else's");
          vm.vfree(own);
        }
      }
    }
    self.beat();
  };
  self.begun();
  self.loop(turn, () => {
    for (const [page, round] of rounds)
      for (const word of WORDS) if (!isWordOf(vm.read(at(page, word)), page, word)) throw new Error(`page ${page}, round ${round}`);
    self.shared.close();
    self.result({ touches, mine: rounds.size });
  });
}

function takeTurns({ pool: address, holders, index, seed }: PoolJob): void {
  const pool = new Mempool(heap, address as Address);
  const random = new Random(seed, index);
  let taken = 0;
  const me = index + 1;
  const hold = (element: Address): void => {
    const holder = field(holders as Address, memory.read(element));
    if (memory.compareExchange(holder, 0, me) !== 0) throw new Error(`element ${element} is held by ${memory.load(holder)} too`);
    for (let i = random.below(2000); i > 0; i--) memory.load(holder);
    memory.compareExchange(holder, me, 0);
    pool.free(element);
    taken++;
    self.beat();
  };
  self.begun();
  const next = async (): Promise<void> => {
    while (!self.stopping()) {
      if (random.below(2) === 0) hold(pool.allocSync({ tag: -me, timeout: LIMIT / 2 }));
      else hold(await pool.alloc({ tag: -me, timeout: LIMIT / 2 }));
      if (random.below(8) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    self.shared.close();
    self.result({ taken });
  };
  void next();
}

const { job } = self;
if (job.role === "swap") touchAndSwap(job);
else takeTurns(job);
