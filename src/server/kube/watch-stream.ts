import type { ServerResponse } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import type { Histogram } from '../../lib/metrics.ts';
import { ApiError } from '../../resources/api-error.ts';
import type { TurnTaker, WatchTurns } from '../cache/watch-turns.ts';
import type { Seen, Watcher } from '../cache/watcher.ts';

export interface WatchStreamOptions {
  readonly response: ServerResponse;
  /** Aborted when the client went away or the server stops. */
  readonly signal: AbortSignal;
  readonly watcher: Watcher;
  readonly turns: WatchTurns;
  readonly clock: Clock;
  readonly deliverySeconds: Histogram;
  readonly render: (seen: Seen) => Buffer | string;
  readonly renderError: (error: ApiError) => string;
  /** Absent: the client does not want them. */
  readonly bookmark: ((revision: number, isInitialEnd: boolean) => string) | undefined;
  /** The newest revision of the cache. */
  readonly revision: () => number;
  readonly lastsMs: number;
  readonly wantsInitialEnd: boolean;
}

/** So often a client that wants them is told how far it has seen. */
const bookmarkMs = 60_000;
/** A reader that takes nothing for so long is cut off: what waits for it is not kept for ever. */
const stalledMs = 60_000;
/** Events a turn, so that a long list does not hold up the other watches. */
const eventsPerTurn = 128;

/**
 * One answer that never ends by itself. Woken by news, not by a loop of its own: an idle watch is a few small objects. A
 * slow reader is waited for here, alone: the history goes on without it, and drops it in the end.
 */
export class WatchStream implements TurnTaker {
  readonly #options: WatchStreamOptions;
  readonly #endMs: number;
  #bookmarkDueMs: number;
  /** Since when the client has not read; undefined: it reads. */
  #blockedMs: number | undefined;
  #owesInitialEnd: boolean;
  #finished: (() => void) | undefined;

  constructor(options: WatchStreamOptions) {
    this.#options = options;
    const nowMs = options.clock.monotonicMs();
    this.#endMs = nowMs + options.lastsMs;
    this.#bookmarkDueMs = nowMs + bookmarkMs;
    this.#owesInitialEnd = options.wantsInitialEnd;
  }

  /** Resolves when the answer has ended. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      const { signal, watcher, turns } = this.#options;
      this.#finished = resolve;
      turns.join(this);
      signal.addEventListener('abort', this.#onAbort);
      watcher.onNews(() => turns.wake(this));
      if (signal.aborted) this.#onAbort();
      else turns.wake(this);
    });
  }

  takeTurn(): void {
    if (!this.#finished || this.#blockedMs !== undefined) return;
    const { watcher, turns } = this.#options;
    try {
      const seen = watcher.take(eventsPerTurn);
      if (seen.length > 0) this.#send(seen);
      if (this.#owesInitialEnd && watcher.isInitialDone) {
        this.#owesInitialEnd = false;
        this.#write(this.#options.bookmark?.(watcher.initialRevision, true) ?? '');
      }
      if (this.#blockedMs === undefined && watcher.hasNews) turns.wake(this);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#end(this.#options.renderError(error));
    }
  }

  tick(nowMs: number): void {
    if (this.#blockedMs !== undefined) {
      if (nowMs - this.#blockedMs >= stalledMs) this.#options.response.destroy();
      return;
    }
    if (nowMs >= this.#endMs) this.#end(this.#progress());
    else if (this.#options.bookmark && nowMs >= this.#bookmarkDueMs) {
      this.#bookmarkDueMs = nowMs + bookmarkMs;
      this.#write(this.#progress());
    }
  }

  /** Nothing when an event is on its way that a client who resumes from here would miss. */
  #progress(): string {
    const { bookmark, watcher, revision } = this.#options;
    return bookmark && watcher.isDrained && this.#blockedMs === undefined ? bookmark(revision(), false) : '';
  }

  #send(seen: readonly Seen[]): void {
    const { render, clock, deliverySeconds } = this.#options;
    if (seen.length === 1) this.#write(render(seen[0]!));
    else this.#write(Buffer.concat(seen.map((one) => bytesOf(render(one)))));
    const nowMs = clock.monotonicMs();
    for (const { receivedMs } of seen) if (receivedMs >= 0) deliverySeconds.observe((nowMs - receivedMs) / 1000);
  }

  #write(data: Buffer | string): void {
    const { response, clock, turns } = this.#options;
    if (data.length === 0 || response.write(data)) return;
    this.#blockedMs = clock.monotonicMs();
    response.once('drain', () => {
      this.#blockedMs = undefined;
      if (this.#finished) turns.wake(this);
    });
  }

  /** The client has gone, or the server stops: then the answer ends as it should, and the client resumes elsewhere. */
  readonly #onAbort = (): void => this.#end(this.#progress());

  #end(last: string): void {
    const finished = this.#finished;
    if (!finished) return;
    this.#finished = undefined;
    const { response, signal, turns } = this.#options;
    turns.leave(this);
    signal.removeEventListener('abort', this.#onAbort);
    if (!response.destroyed) response.end(last);
    finished();
  }
}

function bytesOf(data: Buffer | string): Buffer {
  return typeof data === 'string' ? Buffer.from(data) : data;
}
