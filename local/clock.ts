/** The one clock of a local runtime. It runs with the machine's, ahead by what tests and the story have moved it. */
export class Clock {
  private readonly waiting = new Set<{ readonly at: number; readonly wake: () => void }>();
  private timer: NodeJS.Timeout | undefined;

  /** @param ahead milliseconds that it was moved before, when a runtime is started again. */
  public constructor(private ahead = 0) {}

  public get aheadMs(): number { return this.ahead; }

  public now(): number { return Date.now() + this.ahead; }

  /** Calls `wake` once it is `at`. Returns what cancels it. */
  public at(at: number, wake: () => void): () => void {
    const entry = { at, wake };
    this.waiting.add(entry);
    this.arm();
    return () => { this.waiting.delete(entry); };
  }

  /** Moves the clock forward and wakes what is due. A clock that goes back would let what is over begin again. */
  public advance(ms: number): void {
    if (!(ms >= 0)) throw new Error(`the clock moves forward only, got ${ms} ms`);
    this.ahead += ms;
    this.wakeDue();
  }

  public stop(): void {
    clearTimeout(this.timer);
    this.waiting.clear();
  }

  private wakeDue(): void {
    const now = this.now();
    for (const entry of [...this.waiting].sort((a, b) => a.at - b.at)) {
      if (entry.at <= now && this.waiting.delete(entry)) entry.wake();
    }
    this.arm();
  }

  private arm(): void {
    clearTimeout(this.timer);
    const next = Math.min(...[...this.waiting].map(({ at }) => at));
    if (next === Infinity) return;
    // setTimeout overflows at 2^31 ms; a longer wait is armed again.
    this.timer = setTimeout(() => this.wakeDue(), Math.min(Math.max(next - this.now(), 0), 2 ** 30));
    this.timer.unref();
  }
}
