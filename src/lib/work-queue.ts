import { type BackoffOptions, backoffMs } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';

export interface WorkQueueOptions {
  /** Called with one key at a time per key; up to `concurrency` keys at once. A throw means: again, after back-off. */
  readonly work: (key: string, signal: AbortSignal) => Promise<WorkResult>;
  /** Default 1. */
  readonly concurrency?: number;
  /** Default 50 ms to 30 s. */
  readonly backoff?: BackoffOptions;
  readonly onError?: (key: string, error: unknown, failures: number) => void;
  readonly clock?: Clock;
}

/** `again` asks for one more call with the same key after so many milliseconds. */
// biome-ignore lint/suspicious/noConfusingVoidType: a reconciler that has nothing to say returns nothing
export type WorkResult = { readonly againAfterMs?: number } | void;

/**
 * Keys, not events: adding a key that waits is a no-op; adding one that is being worked on makes it run once more
 * afterwards. One flight a key. What was learned from controller-runtime's queue, with back-off inside.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #clock: Clock;
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #delayed = new Map<string, { dueMs: number; cancel: () => void }>();
  readonly #abort = new AbortController();
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Number of keys that wait or run. */
  get size(): number {
    return this.#ready.size + this.#running.size;
  }

  add(key: string): void {
    if (this.#abort.signal.aborted) return;
    this.#cancelDelayed(key);
    if (this.#running.has(key)) this.#again.add(key);
    else this.#ready.add(key);
    this.#pump();
  }

  /** Keeps the earlier of two times for one key. */
  addAfter(key: string, ms: number): void {
    if (this.#abort.signal.aborted) return;
    const dueMs = this.#clock.monotonicMs() + ms;
    const waiting = this.#delayed.get(key);
    if (waiting && waiting.dueMs <= dueMs) return;
    waiting?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  /** Aborts what runs and resolves when it has ended. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('work queue stopped'));
    for (const waiting of this.#delayed.values()) waiting.cancel();
    this.#delayed.clear();
    this.#ready.clear();
    this.#again.clear();
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    while (this.#running.size < (this.#options.concurrency ?? 1)) {
      const next = this.#ready.values().next();
      if (next.done) return;
      this.#ready.delete(next.value);
      this.#running.add(next.value);
      void this.#run(next.value);
    }
  }

  async #run(key: string): Promise<void> {
    try {
      const result = await this.#options.work(key, this.#abort.signal);
      this.#failures.delete(key);
      if (result?.againAfterMs !== undefined) this.addAfter(key, result.againAfterMs);
    } catch (error) {
      if (!this.#abort.signal.aborted) {
        const failures = (this.#failures.get(key) ?? 0) + 1;
        this.#failures.set(key, failures);
        this.#options.onError?.(key, error, failures);
        this.addAfter(key, backoffMs(failures, this.#options.backoff ?? { initialMs: 50, maxMs: 30_000 }));
      }
    }
    this.#running.delete(key);
    if (this.#again.delete(key)) this.add(key);
    this.#pump();
    if (this.#running.size === 0) {
      for (const resolve of this.#idle) resolve();
      this.#idle = [];
    }
  }

  #cancelDelayed(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }
}
