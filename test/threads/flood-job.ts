export interface FloodJob {
  /** How long a section lasts, in ms. */
  readonly milliseconds: number;
}
