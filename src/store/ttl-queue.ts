import type { Clock } from '../lib/clock.ts';

const tickMs = 250;

export interface TtlQueueOptions {
  readonly clock: Clock;
  /** The newest put of `key` is older than its TTL. Never called early, at most a tick (250 ms) late. */
  readonly expire: (key: string, modRevision: number) => void;
}

/** When which key ends: one timer for all of them, on the monotonic clock. */
export class TtlQueue {
  readonly #options: TtlQueueOptions;
  readonly #keys = new Map<string, { readonly modRevision: number; readonly tick: number }>();
  readonly #ticks = new Map<number, Set<string>>();
  #timer: { readonly tick: number; readonly cancel: () => void } | undefined;

  constructor(options: TtlQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** Replaces what was known of the key. */
  set(key: string, modRevision: number, ttlSeconds: number): void {
    this.forget(key);
    const tick = Math.ceil((this.#options.clock.monotonicMs() + ttlSeconds * 1000) / tickMs);
    this.#keys.set(key, { modRevision, tick });
    const keys = this.#ticks.get(tick);
    if (keys) keys.add(key);
    else this.#ticks.set(tick, new Set([key]));
    if (!this.#timer || tick < this.#timer.tick) this.#arm(tick);
  }

  forget(key: string): void {
    const known = this.#keys.get(key);
    if (!known) return;
    this.#keys.delete(key);
    const keys = this.#ticks.get(known.tick);
    keys?.delete(key);
    if (keys?.size === 0) this.#ticks.delete(known.tick);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#keys.clear();
    this.#ticks.clear();
  }

  #arm(tick: number): void {
    this.#timer?.cancel();
    const waitMs = Math.max(0, tick * tickMs - this.#options.clock.monotonicMs());
    this.#timer = { tick, cancel: this.#options.clock.after(waitMs, () => this.#fire(tick)) };
  }

  #fire(tick: number): void {
    this.#timer = undefined;
    const due = [...this.#ticks.keys()].filter((one) => one <= tick).sort((a, b) => a - b);
    for (const one of due) {
      for (const key of this.#ticks.get(one) ?? []) {
        const modRevision = this.#keys.get(key)?.modRevision;
        this.#keys.delete(key);
        if (modRevision !== undefined) this.#options.expire(key, modRevision);
      }
      this.#ticks.delete(one);
    }
    let next: number | undefined;
    for (const one of this.#ticks.keys()) if (next === undefined || one < next) next = one;
    if (next !== undefined && !this.#timer) this.#arm(next);
  }
}
