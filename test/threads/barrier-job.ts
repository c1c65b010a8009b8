export interface BarrierJob {
  readonly callbacks: number;
  /** Counts what ran, at the thread's own index. */
  readonly ran: SharedArrayBuffer;
  readonly index: number;
}
