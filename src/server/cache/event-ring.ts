import { type CacheEvent, forgetTexts } from './cached-object.ts';

/** How much of the past watchers may resume from. The younger than `maxAgeMs` stay up to `maxEvents`, `minEvents` always. */
export interface HistoryBounds {
  readonly minEvents: number;
  readonly maxEvents: number;
  readonly maxAgeMs: number;
}

export const defaultHistoryBounds: HistoryBounds = { minEvents: 256, maxEvents: 4_096, maxAgeMs: 300_000 };

/** So long watchers that are nearly up to date share the texts of an event; for a later one they are made again. */
const keepTextsMs = 5_000;

/**
 * The newest events in order. Watchers hold a position in it, not a queue of their own: one that is so slow that its
 * position falls off the end is dropped, and costs nothing until then.
 */
export class EventRing {
  readonly #bounds: HistoryBounds;
  readonly #wakers = new Set<() => void>();
  #events: CacheEvent[] = [];
  /** Position of `#events[0]`; positions count from the beginning of time. */
  #first = 0;
  #floor: number;
  /** Position of the first event that may have texts. */
  #texts = 0;

  constructor(floor: number, bounds: HistoryBounds = defaultHistoryBounds) {
    this.#floor = floor;
    this.#bounds = bounds;
  }

  /** All events with a greater revision are here. */
  get floor(): number {
    return this.#floor;
  }

  get end(): number {
    return this.#first + this.#events.length;
  }

  get size(): number {
    return this.#events.length;
  }

  get hasWatchers(): boolean {
    return this.#wakers.size > 0;
  }

  append(event: CacheEvent): void {
    this.#events.push(event);
    this.trim(event.receivedMs);
    for (const wake of this.#wakers) wake();
  }

  /** Forgets what is old or too much. */
  trim(nowMs: number): void {
    const { minEvents, maxEvents, maxAgeMs } = this.#bounds;
    this.#forgetTexts(nowMs - keepTextsMs);
    // A chunk at a time: dropping the head of an array one by one would copy it each time.
    if (this.#events.length <= minEvents + 64) return;
    let drop = Math.max(0, this.#events.length - maxEvents);
    while (this.#events.length - drop > minEvents && this.#events[drop]!.receivedMs < nowMs - maxAgeMs) drop++;
    if (drop >= 64) this.#drop(drop);
  }

  #forgetTexts(beforeMs: number): void {
    for (let index = Math.max(0, this.#texts - this.#first); ; index++) {
      const event = this.#events[index];
      if (event !== undefined && event.receivedMs < beforeMs) forgetTexts(event);
      else {
        this.#texts = this.#first + index;
        return;
      }
    }
  }

  /** Forgets everything up to `revision`. */
  dropThrough(revision: number): void {
    const kept = this.#events.findIndex((event) => event.revision > revision);
    const drop = kept < 0 ? this.#events.length : kept;
    if (drop > 0) this.#drop(drop);
    this.raiseFloor(revision);
  }

  #drop(count: number): void {
    this.#floor = Math.max(this.#floor, this.#events[count - 1]!.revision);
    this.#events = this.#events.slice(count);
    this.#first += count;
  }

  /** Who resumes by a revision from before this one is told that it is too old; who has a position goes on. */
  raiseFloor(revision: number): void {
    this.#floor = Math.max(this.#floor, revision);
  }

  /** Position of the first event after `revision`; undefined: too old. */
  positionAfter(revision: number): number | undefined {
    if (revision < this.#floor) return undefined;
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#first + low;
  }

  /** Undefined: `position` fell off the end. */
  from(position: number, limit: number): readonly CacheEvent[] | undefined {
    if (position < this.#first) return undefined;
    const start = position - this.#first;
    return this.#events.slice(start, start + limit);
  }

  /** Newest first, down to (not including) `revision`. */
  *backTo(revision: number): Iterable<CacheEvent> {
    for (let index = this.#events.length - 1; index >= 0; index--) {
      const event = this.#events[index]!;
      if (event.revision <= revision) return;
      yield event;
    }
  }

  /** Calls `wake` after each append; returns its end. */
  onAppend(wake: () => void): () => void {
    this.#wakers.add(wake);
    return () => void this.#wakers.delete(wake);
  }
}
