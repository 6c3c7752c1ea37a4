// Keeps the caches equal to the store: load once with a little history, then follow one watch, for ever.
import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Kind } from '../../resources/kind.ts';
import { type Change, type Entry, type Store, StoreCompacted } from '../../store/port.ts';
import type { ObjectCodec } from '../registry/object-codec.ts';
import { objectPrefix, parseObjectKey } from '../registry/object-key.ts';
import { CachedObject } from './cached-object.ts';
import type { KindCache } from './kind-cache.ts';

export interface FeedOptions {
  readonly store: Store;
  readonly kinds: readonly Kind[];
  readonly codec: ObjectCodec;
  readonly log: Logger;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly cacheOf: (grid: string, kind: Kind) => KindCache;
  readonly caches: () => Iterable<KindCache>;
  /** History before this revision is not known; called at the first load and after each gap. */
  readonly onFloor: (revision: number) => void;
  readonly onRevision: (revision: number) => void;
  readonly onFollowing: (following: boolean) => void;
}

/** So many revisions before the head the first load begins, so that clients of a restarted server resume. */
const replayRevisions = 500;
const pageEntries = 1_000;
const retry = { initialMs: 20, maxMs: 2_000 };

/** Resolves when loaded; `ended` resolves after `signal` aborted. */
export async function followStore(options: FeedOptions): Promise<{ ended: Promise<void> }> {
  const feed = new StoreFeed(options);
  await feed.load();
  return { ended: feed.follow() };
}

class StoreFeed {
  readonly #options: FeedOptions;
  readonly #kinds: ReadonlyMap<string, Kind>;
  #revision = 0;
  #reportedKeys = new Set<string>();

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#kinds = new Map(options.kinds.map((kind) => [`${kind.group}/${kind.plural}`, kind]));
  }

  async load(): Promise<void> {
    const { store, onFloor } = this.#options;
    const head = await store.head();
    const listing = await this.#list(Math.max(1, head - replayRevisions)).catch((error: unknown) => {
      if (error instanceof StoreCompacted) return this.#list();
      throw error;
    });
    onFloor(listing.revision);
    for (const entry of listing.entries) this.#load(entry);
    this.#reached(listing.revision);
    if (head > listing.revision) await this.#catchUp(head);
  }

  async follow(): Promise<void> {
    const { signal, log, clock, onFollowing } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      const startedMs = clock.monotonicMs();
      onFollowing(true);
      const reason = await this.#watch(signal);
      if (signal.aborted) break;
      failures = clock.monotonicMs() - startedMs > 10_000 ? 1 : failures + 1;
      onFollowing(false);
      log.warn('the watch on the store ended', { error: messageOf(reason), revision: this.#revision });
      await clock.sleep(backoffMs(failures, retry), signal).catch(() => {});
      if (reason instanceof StoreCompacted) await this.#resync().catch((error) => this.#resyncFailed(error));
    }
    onFollowing(false);
  }

  /** Follows the watch until `head` is seen: the replayed history of the first load. */
  async #catchUp(head: number): Promise<void> {
    const caughtUp = new AbortController();
    const signal = AbortSignal.any([caughtUp.signal, this.#options.signal]);
    const reason = await this.#watch(signal, (revision) => {
      if (revision >= head) caughtUp.abort();
    });
    if (reason instanceof StoreCompacted) await this.#resync();
    else if (!signal.aborted) throw reason;
  }

  /** Ends by `signal` (undefined) or with the store's reason. */
  #watch(signal: AbortSignal, onBatch?: (revision: number) => void): Promise<Error | undefined> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(undefined);
      const settle = (reason: Error | undefined) => {
        signal.removeEventListener('abort', onAbort);
        resolve(reason);
      };
      const onAbort = () => settle(undefined);
      signal.addEventListener('abort', onAbort);
      // All of the store, not only its objects: a head that a neighbour's key moved must be seen too.
      this.#options.store.watch('/', {
        afterRevision: this.#revision,
        signal,
        onChanges: (changes) => {
          for (const change of changes) this.#apply(change);
          const last = changes.at(-1);
          if (!last) return;
          const revision = revisionOf(last);
          this.#reached(revision);
          onBatch?.(revision);
        },
        onEnd: settle,
      });
    });
  }

  /** The history was compacted while we did not look: apply the difference. Deletions carry the listing's revision. */
  async #resync(): Promise<void> {
    const listing = await this.#list();
    if (listing.revision < this.#revision) {
      throw new Error(`the store went back from revision ${this.#revision} to ${listing.revision}`);
    }
    const alive = new Set(listing.entries.map((entry) => entry.key));
    const changed = listing.entries.filter((entry) => entry.modRevision > this.#revision);
    for (const entry of changed.sort((a, b) => a.modRevision - b.modRevision)) this.#put(entry);
    for (const cache of this.#options.caches()) {
      const gone = [...cache.values()].filter((item) => !alive.has(item.key));
      for (const item of gone) this.#delete(item.key, listing.revision);
    }
    // Who resumes from inside the gap must list again; who has a place in the history goes on.
    this.#options.onFloor(listing.revision);
    this.#reached(listing.revision);
  }

  #resyncFailed(error: unknown): void {
    this.#options.log.error('cannot list the store again', { error });
  }

  /** All objects, in pages at one revision. */
  async #list(atRevision?: number): Promise<{ revision: number; entries: Entry[] }> {
    const entries: Entry[] = [];
    for (let at = atRevision, startAfter: string | undefined; ; ) {
      const page = await this.#options.store.list(objectPrefix, {
        limit: pageEntries,
        ...(at === undefined ? {} : { atRevision: at }),
        ...(startAfter === undefined ? {} : { startAfter }),
      });
      entries.push(...page.entries);
      if (!page.more) return { revision: atRevision ?? at ?? page.revision, entries };
      at ??= page.revision;
      startAfter = page.entries.at(-1)?.key;
    }
  }

  #apply(change: Change): void {
    if (change.type === 'put') this.#put(change.entry);
    else this.#delete(change.key, change.revision);
  }

  /** A first load is a state, not history. */
  #load(entry: Entry): void {
    const place = this.#place(entry.key);
    const item = place && this.#decode(place.kind, entry);
    if (item) place.cache.load(item);
  }

  #put(entry: Entry): void {
    const place = this.#place(entry.key);
    if (!place) return;
    const previous = place.cache.get(entry.key);
    const item = this.#decode(place.kind, entry);
    if (!item) {
      this.#delete(entry.key, entry.modRevision);
      return;
    }
    if (entry.modRevision <= (previous?.revision ?? 0)) return;
    place.cache.apply({ ...this.#event(entry.modRevision), item, previous });
  }

  #delete(key: string, revision: number): void {
    const cache = this.#place(key)?.cache;
    const previous = cache?.get(key);
    if (cache && previous) cache.apply({ ...this.#event(revision), item: undefined, previous });
  }

  #event(revision: number) {
    const resourceVersion = this.#options.codec.versions.format(revision);
    return { revision, resourceVersion, receivedMs: this.#options.clock.monotonicMs(), shared: { lines: {} } };
  }

  #place(key: string): { cache: KindCache; kind: Kind } | undefined {
    const parsed = parseObjectKey(key);
    if (!parsed) return undefined;
    const kind = this.#kinds.get(`${parsed.group}/${parsed.plural}`);
    if (!kind)
      return this.#reportOnce(`${parsed.group}/${parsed.plural}`, 'the store holds objects of an unknown kind');
    return { kind, cache: this.#options.cacheOf(parsed.grid, kind) };
  }

  /** An object that cannot be read is treated as absent, and told: one bad value must not stop the cluster. */
  #decode(kind: Kind, entry: Entry): CachedObject | undefined {
    try {
      const object = this.#options.codec.decode(kind, entry.key, entry.value, entry.modRevision);
      return new CachedObject(entry.key, object, entry.modRevision);
    } catch (error) {
      this.#options.log.error('cannot read an object from the store', { key: entry.key, error });
      return undefined;
    }
  }

  #reportOnce(what: string, message: string): undefined {
    if (this.#reportedKeys.has(what)) return;
    this.#reportedKeys.add(what);
    this.#options.log.warn(message, { what });
  }

  #reached(revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#options.onRevision(revision);
  }
}

function revisionOf(change: Change): number {
  return change.type === 'put' ? change.entry.modRevision : change.revision;
}
