import type { Clock } from '../../lib/clock.ts';
import type { Histogram } from '../../lib/metrics.ts';
import { ApiError } from '../../resources/api-error.ts';
import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import { statusOf } from '../../tunnel/status.ts';
import { watchLine } from '../cache/cached-object.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import type { Seen, Watcher } from '../cache/watcher.ts';
import { drained, type Exchange, writableOf, writeHead } from './exchange.ts';
import { catchUp, partialOf, tableOf, tableOptions } from './list.ts';
import type { ListOptions } from './list-options.ts';
import { negotiate } from './negotiate.ts';

export interface WatchDependencies {
  readonly cache: WatchCache;
  readonly clock: Clock;
  readonly deliverySeconds: Histogram;
}

/** So often a client that wants them is told how far it has seen. */
const bookmarkMs = 60_000;
/** Without a wish of the client a watch ends after 30 to 60 minutes: connections spread anew over the servers. */
const defaultMs = 1_800_000;

/** Answers with events until the client goes, the time is over, or the history has overtaken it. */
export async function sendWatch(
  exchange: Exchange,
  dependencies: WatchDependencies,
  kind: Kind,
  options: ListOptions,
): Promise<void> {
  const { cache } = dependencies;
  const render = renderer(exchange, kind);
  await catchUp(cache, options.revision);
  const bookmarks = options.hasBookmarks
    ? (revision: number, isEnd: boolean) => bookmark(kind, cache, revision, isEnd)
    : undefined;
  let watcher: Watcher;
  try {
    watcher = openWatcher(cache, exchange.context.grid, kind, options);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    begin(exchange);
    writableOf(exchange.response).end(errorLine(error));
    return;
  }
  try {
    begin(exchange);
    await new WatchStream(exchange, dependencies, watcher, render, bookmarks).run(options);
  } finally {
    watcher.close();
  }
}

function openWatcher(cache: WatchCache, grid: string, kind: Kind, options: ListOptions): Watcher {
  const { revision = 0, sendsInitialEvents, selection } = options;
  if (sendsInitialEvents === true) return cache.watch(grid, kind, selection);
  if (revision !== 0) return cache.watch(grid, kind, selection, revision);
  return sendsInitialEvents === false
    ? cache.watch(grid, kind, selection, cache.revision)
    : cache.watch(grid, kind, selection);
}

/** Headers go out at once: the client knows that the watch stands before anything happens. */
function begin(exchange: Exchange): void {
  const response = writableOf(exchange.response);
  writeHead(exchange, { headers: { 'cache-control': 'no-cache, private' } });
  response.flushHeaders();
}

type Bookmark = (revision: number, isInitialEnd: boolean) => string;

class WatchStream {
  readonly #exchange: Exchange;
  readonly #dependencies: WatchDependencies;
  readonly #watcher: Watcher;
  readonly #render: (seen: Seen) => Buffer | string;
  readonly #bookmark: Bookmark | undefined;

  constructor(
    exchange: Exchange,
    dependencies: WatchDependencies,
    watcher: Watcher,
    render: (seen: Seen) => Buffer | string,
    bookmarks: Bookmark | undefined,
  ) {
    this.#exchange = exchange;
    this.#dependencies = dependencies;
    this.#watcher = watcher;
    this.#render = render;
    this.#bookmark = bookmarks;
  }

  async run(options: ListOptions): Promise<void> {
    const response = writableOf(this.#exchange.response);
    const { clock } = this.#dependencies;
    const lastsMs = options.timeoutSeconds ? options.timeoutSeconds * 1000 : defaultMs * (1 + Math.random());
    const endMs = clock.monotonicMs() + lastsMs;
    const ended = new AbortController();
    const onClose = () => ended.abort();
    response.on('close', onClose);
    this.#exchange.context.signal.addEventListener('abort', onClose);
    try {
      await this.#follow(ended.signal, endMs, options.sendsInitialEvents === true);
      if (!response.destroyed) response.write(this.#progress());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      response.write(errorLine(error));
    } finally {
      this.#exchange.context.signal.removeEventListener('abort', onClose);
      response.off('close', onClose);
      response.end();
    }
  }

  async #follow(signal: AbortSignal, endMs: number, wantsInitialEnd: boolean): Promise<void> {
    const { clock } = this.#dependencies;
    let owesInitialEnd = wantsInitialEnd;
    let bookmarkDueMs = clock.monotonicMs() + bookmarkMs;
    while (!signal.aborted) {
      await this.#writeAll(this.#watcher.take(), signal);
      if (owesInitialEnd && this.#watcher.isInitialDone) {
        owesInitialEnd = false;
        await this.#write(this.#bookmark?.(this.#watcher.initialRevision, true) ?? '', signal);
      }
      const nowMs = clock.monotonicMs();
      if (nowMs >= endMs) return;
      const untilMs = Math.min(endMs, this.#bookmark ? bookmarkDueMs : endMs);
      const hasNews = await this.#watcher.wait(signal, Math.max(1, untilMs - nowMs)).catch(() => true);
      if (hasNews || !this.#bookmark || clock.monotonicMs() < bookmarkDueMs) continue;
      bookmarkDueMs = clock.monotonicMs() + bookmarkMs;
      await this.#write(this.#progress(), signal);
    }
  }

  /** Nothing when an event is on its way that a client who resumes from here would miss. */
  #progress(): string {
    if (!this.#bookmark || !this.#watcher.isDrained) return '';
    return this.#bookmark(this.#dependencies.cache.revision, false);
  }

  async #writeAll(events: readonly Seen[], signal: AbortSignal): Promise<void> {
    for (const seen of events) {
      if (signal.aborted) return;
      await this.#write(this.#render(seen), signal);
      if (seen.receivedMs < 0) continue;
      const seconds = (this.#dependencies.clock.monotonicMs() - seen.receivedMs) / 1000;
      this.#dependencies.deliverySeconds.observe(seconds);
    }
  }

  /** Waits for a slow reader here, alone: the history goes on without it, and drops it in the end. */
  async #write(data: Buffer | string, signal: AbortSignal): Promise<void> {
    const response = writableOf(this.#exchange.response);
    if (data.length > 0 && !response.write(data)) await drained(response, signal, response);
  }
}

/** An event as the client wants it: the shared line, or a table or metadata of its own. */
function renderer(exchange: Exchange, kind: Kind): (seen: Seen) => Buffer | string {
  const answer = negotiate(`${exchange.request.headers.accept ?? ''}`);
  if (answer.form === 'Object') return (seen) => seen.line();
  if (answer.form === 'PartialObjectMetadata') {
    return ({ type, item }) => watchLine(type, JSON.stringify(partialOf(item.object, answer)));
  }
  const options = tableOptions(exchange);
  let hasColumnDefinitions = true;
  return ({ type, item, resourceVersion }) => {
    const more = { ...options, nowMs: Date.now(), resourceVersion, hasColumnDefinitions };
    hasColumnDefinitions = false;
    return watchLine(type, JSON.stringify(tableOf(kind, [item.object], answer, more)));
  };
}

function bookmark(kind: Kind, cache: WatchCache, revision: number, isInitialEnd: boolean): string {
  const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  const metadata = { resourceVersion: cache.versions.format(revision), creationTimestamp: null, ...annotations };
  return watchLine('BOOKMARK', JSON.stringify({ kind: kind.kind, apiVersion: apiVersionOf(kind), metadata }));
}

function errorLine(error: ApiError): string {
  return watchLine('ERROR', JSON.stringify(statusOf(error)));
}
