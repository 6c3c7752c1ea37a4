import type { Clock } from '../../lib/clock.ts';
import type { Histogram } from '../../lib/metrics.ts';
import { ApiError } from '../../resources/api-error.ts';
import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import { statusOf } from '../../tunnel/status.ts';
import { watchLine } from '../cache/cached-object.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import type { WatchTurns } from '../cache/watch-turns.ts';
import type { Seen, Watcher } from '../cache/watcher.ts';
import { type Exchange, writableOf, writeHead } from './exchange.ts';
import { partialOf, tableOf, tableOptions } from './list.ts';
import type { ListOptions } from './list-options.ts';
import { negotiate } from './negotiate.ts';
import { catchUp } from './read-page.ts';
import { WatchStream } from './watch-stream.ts';

export interface WatchDependencies {
  readonly cache: WatchCache;
  readonly clock: Clock;
  readonly deliverySeconds: Histogram;
  readonly turns: WatchTurns;
}

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
    ? (revision: number, isEnd: boolean) => bookmark(exchange, kind, cache.versions.format(revision), isEnd)
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
    const { timeoutSeconds, sendsInitialEvents } = options;
    const stream = new WatchStream({
      ...dependencies,
      response: writableOf(exchange.response),
      signal: exchange.context.signal,
      watcher,
      render,
      renderError: errorLine,
      bookmark: bookmarks,
      revision: () => cache.revision,
      lastsMs: timeoutSeconds ? timeoutSeconds * 1000 : defaultMs * (1 + Math.random()),
      wantsInitialEnd: sendsInitialEvents === true,
    });
    await stream.run();
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

/** In the form of the events beside it. */
function bookmark(exchange: Exchange, kind: Kind, resourceVersion: string, isInitialEnd: boolean): string {
  const answer = negotiate(`${exchange.request.headers.accept ?? ''}`);
  const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  const metadata = { resourceVersion, creationTimestamp: null, ...annotations };
  const isPlain = answer.form === 'Object';
  const type = isPlain
    ? { kind: kind.kind, apiVersion: apiVersionOf(kind) }
    : { kind: answer.form, apiVersion: `meta.k8s.io/${answer.version}` };
  const table = answer.form === 'Table' ? { columnDefinitions: null, rows: [] } : {};
  return watchLine('BOOKMARK', JSON.stringify({ ...type, metadata, ...table }));
}

function errorLine(error: ApiError): string {
  return watchLine('ERROR', JSON.stringify(statusOf(error)));
}
