import { type Clock, systemClock } from '../lib/clock.ts';
import { checkCommit, futureRevision, storeClosed } from './checks.ts';
import {
  type Change,
  type CommitResult,
  type Condition,
  type Entry,
  type Listing,
  type ListOptions,
  type Operation,
  type Store,
  StoreCompacted,
  type WatchOptions,
} from './port.ts';
import { TtlQueue } from './ttl-queue.ts';
import { feed, keyOf, revisionOf, Watchers } from './watchers.ts';

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  /** How many revisions of history are kept for lists and watches. Default 10,000. */
  readonly historyRevisions?: number;
}

/** A store that forgets everything with its process: for tests. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options);
}

class MemoryStore implements Store {
  readonly #historyRevisions: number;
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Watchers();
  readonly #ttls: TtlQueue;
  /** Everything after `#compactRevision`, in order. */
  #history: Change[] = [];
  #revision = 1; // as in a new etcd
  #compactRevision = 0;
  #closed = false;

  constructor(options: MemoryStoreOptions) {
    this.#historyRevisions = options.historyRevisions ?? 10_000;
    this.#ttls = new TtlQueue({
      clock: options.clock ?? systemClock,
      expire: (key, modRevision) => void this.commit([{ key, modRevision }], [{ type: 'delete', key }]),
    });
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#assertOpen();
    return this.#entries.get(key);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<Listing> {
    this.#assertOpen();
    const revision = options.atRevision ?? this.#revision;
    if (revision > this.#revision) throw futureRevision(revision, this.#revision);
    if (revision < this.#compactRevision) throw new StoreCompacted(this.#compactRevision);
    const found = [...this.#entriesAt(revision).values()]
      .filter((entry) => entry.key.startsWith(prefix) && entry.key > (options.startAfter ?? ''))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const limit = options.limit || found.length;
    return { revision, entries: found.slice(0, limit), more: found.length > limit };
  }

  async commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult> {
    this.#assertOpen();
    checkCommit(conditions, operations);
    const holds = conditions.every((one) => (this.#entries.get(one.key)?.modRevision ?? 0) === one.modRevision);
    if (!holds) return { committed: false, revision: this.#revision };
    const changes = operations.flatMap((operation) => this.#apply(operation, this.#revision + 1));
    if (changes.length > 0) this.#revision++;
    this.#history.push(...changes);
    if (this.#revision - this.#compactRevision > this.#historyRevisions * 1.25) {
      this.#forget(this.#revision - this.#historyRevisions);
    }
    const revision = this.#revision;
    this.#watchers.deliver(changes);
    return { committed: true, revision };
  }

  watch(prefix: string, options: WatchOptions): void {
    const watcher = this.#watchers.add(prefix, options);
    // Answers never come before the call returns.
    queueMicrotask(() => {
      if (this.#closed) return this.#watchers.end(watcher, storeClosed());
      if (options.afterRevision < this.#compactRevision) {
        return this.#watchers.end(watcher, new StoreCompacted(this.#compactRevision));
      }
      watcher.live = true;
      feed(watcher, this.#history);
    });
  }

  async head(): Promise<number> {
    this.#assertOpen();
    return this.#revision;
  }

  async compact(revision: number): Promise<void> {
    this.#assertOpen();
    if (revision > this.#revision) throw futureRevision(revision, this.#revision);
    this.#forget(revision);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ttls.stop();
    this.#watchers.endAll(storeClosed());
  }

  #apply(operation: Operation, revision: number): Change[] {
    const { key } = operation;
    const previous = this.#entries.get(key);
    this.#ttls.forget(key);
    if (operation.type === 'delete') {
      if (!previous) return [];
      this.#entries.delete(key);
      return [{ type: 'delete', key, revision, previous }];
    }
    const createRevision = previous?.createRevision ?? revision;
    const entry: Entry = { key, value: operation.value, modRevision: revision, createRevision };
    this.#entries.set(key, entry);
    if (operation.ttlSeconds !== undefined) this.#ttls.set(key, revision, operation.ttlSeconds);
    return [{ type: 'put', entry, ...(previous ? { previous } : {}) }];
  }

  /** Takes the newest changes back, last first. */
  #entriesAt(revision: number): ReadonlyMap<string, Entry> {
    if (revision === this.#revision) return this.#entries;
    const entries = new Map(this.#entries);
    for (let index = this.#history.length - 1; index >= 0; index--) {
      const change = this.#history[index];
      if (!change || revisionOf(change) <= revision) break;
      if (change.previous) entries.set(keyOf(change), change.previous);
      else entries.delete(keyOf(change));
    }
    return entries;
  }

  #forget(revision: number): void {
    if (revision <= this.#compactRevision) return;
    this.#compactRevision = revision;
    const kept = this.#history.findIndex((change) => revisionOf(change) > revision);
    this.#history = kept < 0 ? [] : this.#history.slice(kept);
  }

  #assertOpen(): void {
    if (this.#closed) throw storeClosed();
  }
}
