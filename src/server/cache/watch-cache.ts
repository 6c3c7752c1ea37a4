// One watch on the store feeds all caches. Lists, watches and index look-ups are answered from memory; what must be
// fresh first waits until the cache has seen the store's head. Time only goes forward: after an interruption the
// difference is applied as events.
import { type Clock, systemClock } from '../../lib/clock.ts';
import { type Logger, silentLogger } from '../../lib/log.ts';
import type { Kind } from '../../resources/kind.ts';
import type { Pod } from '../../resources/kinds.ts';
import type { Store } from '../../store/port.ts';
import { laggingCache } from '../registry/api-errors.ts';
import type { ObjectCodec } from '../registry/object-codec.ts';
import { kindPrefix, objectKey } from '../registry/object-key.ts';
import type { ResourceVersions } from '../registry/resource-version.ts';
import type { PodIndex } from '../request.ts';
import type { CachedObject } from './cached-object.ts';
import { defaultHistoryBounds, type HistoryBounds } from './event-ring.ts';
import { FreshHead } from './fresh-head.ts';
import { type CachedPage, KindCache, type PageOptions, type Selection } from './kind-cache.ts';
import { followStore } from './store-feed.ts';
import { Watcher } from './watcher.ts';

export interface WatchCacheOptions {
  readonly store: Store;
  readonly kinds: readonly Kind[];
  readonly codec: ObjectCodec;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly history?: HistoryBounds;
  /** How long a fresh read waits for the cache to catch up. Default 5 s. */
  readonly catchUpTimeoutMs?: number;
}

export interface WatchCache extends PodIndex {
  readonly versions: ResourceVersions;
  /** Everything up to this store revision has been seen. */
  readonly revision: number;
  /** The feed from the store runs. */
  readonly isFollowing: boolean;
  /** The store has not answered for so long: what is here may be as old. Undefined: it does. */
  readonly silentMs: number | undefined;
  /** Resolves when `revision` has been seen; throws ApiError 504 after the catch-up time. */
  waitFor(revision: number): Promise<void>;
  /** Resolves when the cache is not older than any commit acknowledged before the call, by whatever server. */
  fresh(): Promise<void>;
  get(grid: string, kind: Kind, namespace: string | undefined, name: string): CachedObject | undefined;
  /** In key order, as it was at `revision` (default: newest); undefined: the history does not reach back so far. */
  list(grid: string, kind: Kind, selection: Selection, revision?: number): readonly CachedObject[] | undefined;
  /** A part of such a list. */
  page(grid: string, kind: Kind, selection: Selection, revision: number, page: PageOptions): CachedPage | undefined;
  /** `afterRevision` absent: starts with what there is. Throws ApiError 410 Expired. */
  watch(grid: string, kind: Kind, selection: Selection, afterRevision?: number): Watcher;
  stop(): Promise<void>;
}

/** A head that is not seen after so long was moved by a key that the watch does not show. */
const barrierAfterMs = 300;

/** Resolves when the cache holds everything. Rejects when the store cannot be read at all. */
export async function startWatchCache(options: WatchCacheOptions): Promise<WatchCache> {
  const cache = new StoreWatchCache(options);
  await cache.start();
  return cache;
}

class StoreWatchCache implements WatchCache {
  readonly versions: ResourceVersions;
  readonly #options: WatchCacheOptions;
  readonly #clock: Clock;
  readonly #caches = new Map<string, KindCache>();
  readonly #abort = new AbortController();
  #waiting: { revision: number; resolve: () => void }[] = [];
  #revision = 0;
  /** Revision of the first load: history begins here for kinds that are first seen later. */
  #floor = 0;
  #following = false;
  #trimDueMs = 0;
  readonly #head: FreshHead;
  #stopped: Promise<void> = Promise.resolve();

  constructor(options: WatchCacheOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.versions = options.codec.versions;
    this.#head = new FreshHead(options.store, this.#clock);
  }

  get revision(): number {
    return this.#revision;
  }

  get isFollowing(): boolean {
    return this.#following;
  }

  async start(): Promise<void> {
    const { store, kinds, codec, log = silentLogger } = this.#options;
    const feed = await followStore({
      store,
      kinds,
      codec,
      log,
      clock: this.#clock,
      signal: this.#abort.signal,
      cacheOf: (grid, kind) => this.#cacheOf(grid, kind),
      caches: () => this.#caches.values(),
      onFloor: (revision) => {
        this.#floor = revision;
        for (const cache of this.#caches.values()) cache.raiseFloor(revision);
      },
      onRevision: (revision) => this.#advance(revision),
      onFollowing: (following) => {
        this.#following = following;
      },
    });
    this.#stopped = feed.ended;
  }

  async waitFor(revision: number): Promise<void> {
    if (revision <= this.#revision) return;
    await new Promise<void>((resolve, reject) => {
      const waiting = {
        revision,
        resolve: () => {
          cancel();
          resolve();
        },
      };
      const cancel = this.#clock.after(this.#options.catchUpTimeoutMs ?? 5_000, () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(laggingCache(this.versions.format(revision), this.versions.format(this.#revision)));
      });
      this.#waiting.push(waiting);
    });
  }

  async fresh(): Promise<void> {
    const head = await this.#head.ask();
    if (head <= this.#revision) return;
    const cancel = this.#clock.after(barrierAfterMs, () => void this.#head.barrier());
    await this.waitFor(head).finally(cancel);
  }

  get silentMs(): number | undefined {
    return this.#head.silentMs;
  }

  get(grid: string, kind: Kind, namespace: string | undefined, name: string): CachedObject | undefined {
    return this.#cacheOf(grid, kind).get(objectKey(grid, kind, namespace, name));
  }

  list(grid: string, kind: Kind, selection: Selection, revision = this.#revision): readonly CachedObject[] | undefined {
    return this.#cacheOf(grid, kind).at(revision, selection);
  }

  page(grid: string, kind: Kind, selection: Selection, revision: number, page: PageOptions): CachedPage | undefined {
    return this.#cacheOf(grid, kind).page(revision, selection, page);
  }

  watch(grid: string, kind: Kind, selection: Selection, afterRevision?: number): Watcher {
    const cache = this.#cacheOf(grid, kind);
    return new Watcher({
      cache,
      selection,
      afterRevision,
      revision: () => this.#revision,
      versions: this.versions,
      clock: this.#clock,
    });
  }

  *podsOnNode(grid: string, nodeName: string): Iterable<Pod> {
    for (const item of this.#pods(grid)?.onNode(nodeName) ?? []) yield item.object as Pod;
  }

  pod(grid: string, namespace: string, name: string): Pod | undefined {
    const pods = this.#pods(grid);
    return pods?.get(objectKey(grid, pods.kind, namespace, name))?.object as Pod | undefined;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the watch cache stops'));
    await this.#stopped;
  }

  #pods(grid: string): KindCache | undefined {
    const kind = this.#options.kinds.find((one) => one.group === '' && one.plural === 'pods');
    return kind && this.#cacheOf(grid, kind);
  }

  #cacheOf(grid: string, kind: Kind): KindCache {
    const prefix = kindPrefix(grid, kind);
    let cache = this.#caches.get(prefix);
    if (!cache) {
      cache = new KindCache(kind, grid, prefix, this.#floor, this.#options.history ?? defaultHistoryBounds);
      this.#caches.set(prefix, cache);
    }
    return cache;
  }

  #advance(revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#trim();
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter((one) => one.revision <= revision);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => one.revision > revision);
    for (const one of due) one.resolve();
  }

  /** Kinds in which nothing happens any more forget their history, too. */
  #trim(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#trimDueMs) return;
    this.#trimDueMs = nowMs + 60_000;
    for (const cache of this.#caches.values()) cache.trim(nowMs);
  }
}
