import { backoffMs } from '../lib/backoff.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { FlotillaError } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/log.ts';
import type { Kind } from '../resources/kind.ts';
import type { ApiObject } from '../resources/object.ts';
import { ApiError } from './api-error.ts';
import type { Client, WatchEvent } from './client.ts';
import { InformerStore } from './informer-store.ts';

export { objectKey as keyOf } from './paths.ts';

export interface InformerOptions<T extends ApiObject> {
  readonly client: Client;
  readonly kind: Kind<T>;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly onAdd?: (object: T) => void;
  readonly onUpdate?: (object: T, old: T) => void;
  readonly onDelete?: (object: T) => void;
  /** Called besides the three above. `object` undefined: gone. `old` undefined: new. */
  readonly onChange?: (key: string, object: T | undefined, old: T | undefined) => void;
  /** Nothing has changed, and the content is true for a later revision. */
  readonly onBookmark?: () => void;
  /** Called when contact is lost and when it is back. */
  readonly onConnection?: (isConnected: boolean) => void;
  /** Under which values an object is found by `byIndex`. */
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
  /** Every so often onUpdate/onChange are called with each object (old = object). Default: never. */
  readonly resyncMs?: number;
  /** Longest wait between two tries. Default 5,000. */
  readonly maxBackoffMs?: number;
  readonly log?: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** A local copy of all objects of one kind (or a selection), kept up to date by a watch. Objects are shared: never change one. */
export interface Informer<T extends ApiObject> {
  /** By `namespace/name`, or `name` for cluster-wide kinds. Keeps its content while the server is away. */
  readonly store: ReadonlyMap<string, T>;
  get(key: string): T | undefined;
  list(): Iterable<T>;
  /** Objects that the index of that name files under `value`. */
  byIndex(name: string, value: string): T[];
  readonly size: number;
  /** Resolves after the first list was handed to the handlers; never rejects. */
  readonly synced: Promise<void>;
  readonly isSynced: boolean;
  /** Up to which the content is true; undefined before the first list. Moves on after the handlers of a change have been called. */
  readonly resourceVersion: string | undefined;
  /** Since which the content is what it is: of the last list or change. */
  readonly changedVersion: string | undefined;
  /** A watch is open now. */
  readonly isConnected: boolean;
  /** Resolves when no handler will be called any more. */
  stop(): Promise<void>;
}

/** A watch that the server ends sooner than this, with no event, counts as a failure: it must not become a busy loop. */
const shortWatchMs = 1_000;

/**
 * Lists at revision R, watches from R, lists again on 410, tries again after anything else: within 500 ms at first, never
 * more than `maxBackoffMs` apart. Works with any Client. Handlers are called in order, one at a time, after the store changed.
 */
export function startInformer<T extends ApiObject>(options: InformerOptions<T>): Informer<T> {
  const clock = options.clock ?? systemClock;
  const log = (options.log ?? silentLogger).with({ informer: options.kind.plural });
  const abort = new AbortController();
  const store = new InformerStore<T>(options, log);
  const synced = Promise.withResolvers<void>();
  let isSynced = false;
  let isConnected = false;
  let failures = 0;
  let version: string | undefined;
  let contentVersion: string | undefined;
  let changedVersion: string | undefined;

  const setConnected = (value: boolean): void => {
    if (isConnected === value) return;
    isConnected = value;
    options.onConnection?.(value);
  };
  const selection = {
    namespace: options.namespace,
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
    signal: abort.signal,
  };

  async function list(): Promise<string> {
    const answer = await options.client.list(options.kind, selection);
    if (abort.signal.aborted) return answer.resourceVersion;
    store.replace(answer.items);
    changedVersion = answer.resourceVersion;
    if (!isSynced) {
      isSynced = true;
      synced.resolve();
    }
    return answer.resourceVersion;
  }

  /** Resolves when the server ended the watch; says whether it was of any use. */
  async function watch(from: string): Promise<boolean> {
    const startMs = clock.monotonicMs();
    let events = 0;
    setConnected(true);
    for await (const event of options.client.watch(options.kind, { ...selection, resourceVersion: from })) {
      if (abort.signal.aborted) return true;
      events += 1;
      failures = 0;
      version = apply(event);
      contentVersion = version;
      if (event.type === 'BOOKMARK') options.onBookmark?.();
      else changedVersion = version;
    }
    return events > 0 || clock.monotonicMs() - startMs >= shortWatchMs;
  }

  function apply(event: WatchEvent<T>): string | undefined {
    if (event.type === 'BOOKMARK') return event.resourceVersion;
    if (event.type === 'DELETED') store.delete(event.object);
    else store.set(event.object);
    return event.object.metadata.resourceVersion ?? version;
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        version ??= await list();
        contentVersion = version;
        if (await watch(version)) failures = 0;
        else failures += 1;
      } catch (error) {
        if (abort.signal.aborted) return;
        if (isExpired(error) && version !== undefined) {
          version = undefined; // the history is gone: list again
        } else {
          setConnected(false);
          log.warn('watch failed', { failures, error });
        }
        failures += 1;
      }
      const waitMs = backoffMs(
        failures,
        { initialMs: 100, maxMs: options.maxBackoffMs ?? 5_000, jitter: 0.5 },
        options.random,
      );
      if (waitMs > 0) await clock.sleep(waitMs, abort.signal).catch(() => {});
    }
  }

  let cancelResync = () => {};
  const scheduleResync = (ms: number): void => {
    cancelResync = clock.after(ms, () => {
      store.resync();
      scheduleResync(ms);
    });
  };
  if (options.resyncMs !== undefined) scheduleResync(options.resyncMs);
  const running = run();

  return {
    store: store.objects,
    get: (key) => store.objects.get(key),
    list: () => store.objects.values(),
    get size() {
      return store.objects.size;
    },
    byIndex: (name, value) => store.byIndex(name, value),
    synced: synced.promise,
    get isSynced() {
      return isSynced;
    },
    get resourceVersion() {
      return contentVersion;
    },
    get changedVersion() {
      return changedVersion;
    },
    get isConnected() {
      return isConnected;
    },
    stop: async () => {
      abort.abort(new FlotillaError('Canceled', `informer of ${options.kind.plural} stopped`));
      cancelResync();
      isConnected = false;
      await running;
    },
  };
}

function isExpired(error: unknown): boolean {
  return error instanceof ApiError && (error.status.code === 410 || error.status.reason === 'Expired');
}
