import type { Clock } from '../../lib/clock.ts';

/** One of many that share this process: a watch of a client. */
export interface TurnTaker {
  /** Does a bounded amount of work; asks for another turn when there is more. */
  takeTurn(): void;
  /** Four times a second. */
  tick(nowMs: number): void;
}

/** What others wait for while watches are served, at most. */
const sliceMs = 8;
const tickMs = 250;

/**
 * Serves all watches of this process without holding up anything else: those that have news take turns, a slice of them
 * at a time. One ticker for all: a timer, a promise and their closures for each would cost more than the watch itself.
 */
export class WatchTurns {
  readonly #clock: Clock;
  readonly #all = new Set<TurnTaker>();
  readonly #due = new Set<TurnTaker>();
  #isScheduled = false;
  #cancelTick: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#all.size;
  }

  join(taker: TurnTaker): void {
    this.#all.add(taker);
    this.#cancelTick ??= this.#clock.after(tickMs, () => this.#tick());
  }

  leave(taker: TurnTaker): void {
    this.#all.delete(taker);
    this.#due.delete(taker);
    if (this.#all.size > 0) return;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  /** Its turn comes soon, once, however often it is asked for. */
  wake(taker: TurnTaker): void {
    this.#due.add(taker);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#serve());
  }

  #serve(): void {
    const endMs = this.#clock.monotonicMs() + sliceMs;
    // Who is woken meanwhile stands at the end, and waits for the next slice.
    const last = this.#due.size;
    let served = 0;
    for (const taker of this.#due) {
      if (served === last || this.#clock.monotonicMs() > endMs) break;
      served += 1;
      this.#due.delete(taker);
      taker.takeTurn();
    }
    this.#isScheduled = this.#due.size > 0;
    if (this.#isScheduled) setImmediate(() => this.#serve());
  }

  #tick(): void {
    this.#cancelTick = this.#all.size > 0 ? this.#clock.after(tickMs, () => this.#tick()) : undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const taker of this.#all) taker.tick(nowMs);
  }
}
