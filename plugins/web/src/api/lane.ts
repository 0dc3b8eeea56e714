/** Lets only so many questions run at once: a page of twelve panels must not take every place that the server has. */

export class Lane {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly most: number) {}

  /** Runs `task` when there is room; one that was given up while it waited never begins. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    while (this.running >= this.most) await new Promise<void>((go) => this.waiting.push(go));
    if (signal?.aborted) {
      this.waiting.shift()?.();
      throw new DOMException("given up", "AbortError");
    }
    this.running += 1;
    try {
      return await task();
    } finally {
      this.running -= 1;
      this.waiting.shift()?.();
    }
  }
}
