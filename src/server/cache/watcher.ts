import type { Clock } from '../../lib/clock.ts';
import type { ApiError } from '../../resources/api-error.ts';
import { expired } from '../registry/api-errors.ts';
import type { ResourceVersions } from '../registry/resource-version.ts';
import { type CachedObject, type CacheEvent, lineOf, type WatchType, watchLine } from './cached-object.ts';
import type { EventRing } from './event-ring.ts';
import { type KindCache, type Selection, seenAs } from './kind-cache.ts';

/** What a watcher is told. `line` is the serialised event, the same bytes for everybody. */
export interface Seen {
  readonly type: WatchType;
  readonly item: CachedObject;
  /** The version of the event, which for DELETED is newer than that of the object's last change. */
  readonly resourceVersion: string;
  readonly receivedMs: number;
  line(): Buffer | string;
}

export interface WatcherOptions {
  readonly cache: KindCache;
  readonly selection: Selection;
  /** The newest revision that this kind's cache has seen everything of. */
  readonly revision: () => number;
  /** Events after this revision; absent: everything there is as ADDED, then live. */
  readonly afterRevision?: number | undefined;
  readonly versions: ResourceVersions;
  readonly clock: Clock;
}

/** So many objects of a first list are asked by a selector in one turn. */
const askedAtOnce = 1_024;

/** One watch: a position in the shared history. Pull `take`, then `wait` when it gave nothing. */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #ring: EventRing;
  readonly #stopListening: () => void;
  /** Revision at which the initial objects were listed. */
  readonly initialRevision: number;
  #initial: readonly CachedObject[];
  #initialNext = 0;
  #position: number;
  /** Of the newest event that was taken. */
  #lastRevision: number;
  #wake: (() => void) | undefined;

  /** Throws ApiError 410 Expired when the history does not reach back to `afterRevision`. */
  constructor(options: WatcherOptions) {
    this.#options = options;
    const { cache, selection, afterRevision } = options;
    this.#ring = cache.ringFor(selection);
    this.initialRevision = options.revision();
    this.#lastRevision = afterRevision ?? this.initialRevision;
    if (afterRevision === undefined) {
      // Objects are never changed: a selector is asked when its turn comes, and answers as it would have at this moment.
      const { matches: _, ...where } = selection;
      this.#initial = cache.at(this.initialRevision, where) ?? [];
      this.#position = this.#ring.end;
    } else {
      this.#initial = [];
      const position = this.#ring.positionAfter(afterRevision);
      if (position === undefined) throw this.#expired(afterRevision);
      this.#position = position;
    }
    this.#stopListening = this.#ring.onAppend(() => this.#wake?.());
  }

  /** The initial objects have all been taken. */
  get isInitialDone(): boolean {
    return this.#initialNext >= this.#initial.length;
  }

  /** Everything that the cache has seen has been taken. */
  get isDrained(): boolean {
    return this.isInitialDone && this.#position === this.#ring.end;
  }

  /**
   * The next events, at most about `limit`; empty: nothing yet, or, while `hasNews`, nothing among those that were looked
   * at. Throws ApiError 410 Expired when too slow.
   */
  take(limit = 256): Seen[] {
    if (!this.isInitialDone) return this.#takeInitial(limit);
    const seen: Seen[] = [];
    while (seen.length === 0) {
      const events = this.#ring.from(this.#position, limit);
      if (!events) throw this.#expired(this.#lastRevision);
      if (events.length === 0) break;
      this.#position += events.length;
      this.#lastRevision = events.at(-1)!.revision;
      for (const event of events) {
        const what = seenAs(event, this.#options.selection);
        if (what) seen.push(live(event, what.type, what.item));
      }
    }
    return seen;
  }

  #takeInitial(limit: number): Seen[] {
    const { matches } = this.#options.selection;
    const seen: Seen[] = [];
    const end = Math.min(this.#initial.length, this.#initialNext + askedAtOnce);
    while (this.#initialNext < end && seen.length < limit) {
      const item = this.#initial[this.#initialNext++]!;
      if (matches?.(item) !== false) seen.push(initial(item));
    }
    if (!this.isInitialDone) return seen;
    this.#initial = [];
    this.#initialNext = 0;
    return seen;
  }

  /** There may be something to take. */
  get hasNews(): boolean {
    return !this.isInitialDone || this.#ring.end > this.#position;
  }

  /** Calls `wake` whenever something may have come; instead of `wait`. */
  onNews(wake: () => void): void {
    this.#wake = wake;
  }

  /** Resolves true when there may be something to take, false after `timeoutMs`; rejects when `signal` aborts. */
  wait(signal: AbortSignal, timeoutMs?: number): Promise<boolean> {
    if (this.#ring.end > this.#position || !this.isInitialDone) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      let cancelTimer: (() => void) | undefined;
      const settle = (run: () => void) => {
        this.#wake = undefined;
        cancelTimer?.();
        signal.removeEventListener('abort', onAbort);
        run();
      };
      const onAbort = () => settle(() => reject(signal.reason));
      signal.addEventListener('abort', onAbort);
      this.#wake = () => settle(() => resolve(true));
      if (timeoutMs !== undefined)
        cancelTimer = this.#options.clock.after(timeoutMs, () => settle(() => resolve(false)));
    });
  }

  #expired(revision: number): ApiError {
    const { versions } = this.#options;
    return expired(versions.format(revision), versions.format(this.#ring.floor));
  }

  close(): void {
    this.#stopListening();
    this.#options.cache.release(this.#options.selection);
  }
}

function initial(item: CachedObject): Seen {
  return {
    type: 'ADDED',
    item,
    resourceVersion: item.object.metadata.resourceVersion ?? '',
    receivedMs: -1,
    // Not kept: a line for every object of the cluster would double its size in memory.
    line: () => watchLine('ADDED', item.json),
  };
}

function live(event: CacheEvent, type: WatchType, item: CachedObject): Seen {
  const { resourceVersion, receivedMs } = event;
  return { type, item, resourceVersion, receivedMs, line: () => lineOf(event, type, item) };
}
