import type { Look } from './look';

/** What a reverse needs of a write, and what must still be there for it to be safe. */
export interface Image {
  readonly parameters: unknown;
  /** What `before` saw before the write, and what it saw after. */
  readonly before: unknown;
  readonly after?: Look;
  readonly result: unknown;
}
