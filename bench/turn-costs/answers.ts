/** Cost B: how late a thread answers a message, and how long a grace period waits for it, by the length of its turns and sections. */

import type { BenchDomain } from "../rcu/flavors.js";
import { type Place, Readers } from "../rcu/readers.js";
import { cell, type Figure, quantile } from "../rounds.js";
import { manyShort, oneLong, sleep, without } from "./works.js";

const TABLE = "B: responsiveness";
const LENGTHS = [0.1, 1, 10, 100];
/** Parts of the time that each kind gets, by its length: long turns give few samples. */
const PARTS: Readonly<Record<number, number>> = { 100: 6, 10: 2 };
const MOST_ROUNDS = 3;

export async function answers(domain: BenchDomain, place: Place, seconds: number): Promise<Figure[]> {
  const kinds = LENGTHS.flatMap((milliseconds) =>
    [without(milliseconds), oneLong(milliseconds), manyShort(milliseconds)].map((kind) => ({
      ...kind,
      milliseconds,
      pings: [] as number[],
      periods: [] as number[],
    })),
  );
  const rounds = Math.max(1, Math.min(MOST_ROUNDS, Math.round(seconds / kinds.length)));
  const readers = await Readers.start(1, () => [place]);
  const each = Math.max(20, (seconds * 1000) / (kinds.length * rounds * 5));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const { work, milliseconds, pings, periods } of kinds) {
        await readers.begin([work]);
        const part = each * (PARTS[milliseconds] ?? 1);
        // Pauses of random length, finer than a timer's, so that the thread is anywhere in its turn.
        const repeat = async (measure: () => void | Promise<void>): Promise<void> => {
          for (const end = performance.now() + part; performance.now() < end; await measure()) {
            await sleep(Math.random() * milliseconds);
            for (const soon = performance.now() + Math.random(); performance.now() < soon; );
          }
        };
        await repeat(async () => void pings.push(await readers.ping(0)));
        await repeat(() => {
          const start = performance.now();
          domain.synchronizeSync();
          periods.push(performance.now() - start);
        });
        await readers.rest();
      }
    }
  } finally {
    await readers.end();
  }
  return kinds.flatMap(({ name, pings, periods }) => [
    cell(TABLE, name, "answer p50", quantile(pings, 0.5), "ms"),
    cell(TABLE, name, "answer p99", quantile(pings, 0.99), "ms"),
    cell(TABLE, name, "grace period p50", quantile(periods, 0.5), "ms"),
    cell(TABLE, name, "grace period p99", quantile(periods, 0.99), "ms"),
  ]);
}
