/** What the threads of the small rcutorture share: some pointers, each to an element whose words are all equal and never 0. */
export const POINTERS = 4;
export const ELEMENT_WORDS = 8;

export interface TortureJob {
  readonly role: "reader" | "writer";
  readonly index: number;
  /** Address of the pointers. */
  readonly pointers: number;
  readonly seed: number;
}
