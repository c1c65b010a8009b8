/**
 * Every way there is to wait for a grace period, to be picked at random (rcutorture's gp_normal, gp_exp, gp_cond, gp_poll ...): each is given a batch and calls `over` once its
 * grace period is over.
 */

import type { Address } from "../../src/memory/address.js";
import { DoubleCallError } from "../../src/rcu/errors.js";
import type { Cookie } from "../../src/rcu/sequence.js";
import type { Place } from "./place.js";
import { Step, type Thread } from "./thread.js";

/** Looks at a polled cookie, at most, before it is waited for. */
const MOST_POLLS = 200;

interface Polled {
  readonly cookie: Cookie;
  readonly over: () => void;
  left: number;
}

/** One thread's waits in one domain. */
export class Waits {
  readonly #t: Thread;
  readonly #place: Place;
  #polled: Polled[] = [];

  constructor(thread: Thread, place: Place) {
    this.#t = thread;
    this.#place = place;
  }

  /**
   * Wait for one grace period, somehow.
   * @param heads heads of the batch's objects, none of which waits for a callback
   */
  somehow(heads: readonly Address[], over: () => void): void {
    const t = this.#t;
    const { domain } = this.#place;
    const { random } = t;
    const expedited = t.oneIn(3);
    switch (random.below(12)) {
      case 0:
      case 1:
        this.#blocking(() => domain.synchronizeSync({ expedited }), over);
        break;
      case 2:
      case 3:
        this.#promised(expedited && t.oneIn(2) ? domain.synchronizeExpedited() : domain.synchronize({ expedited }), over);
        break;
      case 4: {
        const cookie = t.oneIn(2) ? domain.getState() : domain.startPoll();
        if (t.oneIn(2)) this.#blocking(() => domain.condSynchronizeSync(cookie, { expedited }), over);
        else this.#promised(domain.condSynchronize(cookie, { expedited }), over);
        break;
      }
      case 5:
        this.#polled.push({ cookie: domain.getState(), over, left: random.below(MOST_POLLS) });
        break;
      case 6:
        this.#polled.push({ cookie: domain.startPoll(), over, left: random.below(MOST_POLLS) });
        break;
      case 7:
        t.call(this.#place, over, { lazy: true });
        break;
      case 8:
        t.call(this.#place, over, { hurry: true });
        break;
      case 9:
      case 10:
        this.#heads(heads, over);
        break;
      default:
        t.call(this.#place, over);
    }
  }

  #blocking(wait: () => void, over: () => void): void {
    this.#t.self.step(Step.SYNC);
    wait();
    this.#t.self.step(Step.TURN);
    over();
  }

  #promised(wait: Promise<void>, over: () => void): void {
    const t = this.#t;
    t.outstanding++;
    void wait.then(() => {
      t.outstanding--;
      over();
    });
  }

  /** By the heads that the objects embed: the last one's callback is the batch's, since callbacks run in their order. */
  #heads(heads: readonly Address[], over: () => void): void {
    const t = this.#t;
    const { random } = t;
    let left = heads.length;
    for (const head of heads) {
      const options = { lazy: t.oneIn(4), hurry: t.oneIn(4) };
      t.callHead(this.#place, head, () => --left === 0 && over(), options);
    }
    if (!t.oneIn(8)) return;
    try {
      this.#place.domain.callHead(random.pick(heads), () => {});
      t.fail("callback early", "a head was given to callHead twice, and not refused");
    } catch (error) {
      if (!(error instanceof DoubleCallError)) throw error;
    }
  }

  /** Look at what is polled for; wait for what was looked at often enough. */
  poll(): void {
    const { domain } = this.#place;
    const polled = this.#polled;
    this.#polled = [];
    for (const one of polled) {
      if (domain.pollState(one.cookie)) one.over();
      else if (one.left-- > 0) this.#polled.push(one);
      else this.#promised(domain.condSynchronize(one.cookie), one.over);
    }
  }
}
