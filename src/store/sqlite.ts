import { statSync } from 'node:fs';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { FlotillaError } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/log.ts';
import type { Histogram, Metrics } from '../lib/metrics.ts';
import { checkCommit, storeClosed } from './checks.ts';
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
import { type Asked, SqliteLink } from './sqlite-link.ts';
import { type ByteReader, fromWireError, type Reply, type WireChange, type WirePrevious } from './sqlite-messages.ts';
import { TtlQueue } from './ttl-queue.ts';
import { feed, type Watcher, Watchers } from './watchers.ts';

export interface SqliteStoreOptions {
  /** The file; `-wal` appears beside it. Directories above are made. */
  readonly path: string;
  readonly metrics?: Metrics;
  readonly log?: Logger;
  readonly clock?: Clock;
  /** Revisions kept for lists and watches from the past. Default 10,000. */
  readonly historyRevisions?: number;
  /** How long a call waits for the disk. Default 30,000. */
  readonly timeoutMs?: number;
  /** Calls that may wait at once. Default 16,384. */
  readonly maxPending?: number;
  /** `OFF` loses acknowledged writes in a power cut: only for the test that shows it. Default FULL. */
  readonly synchronous?: 'FULL' | 'OFF';
  /** Size limit of the file in pages of 4 KiB, for tests of a full disk. */
  readonly maxPages?: number;
}

/** Entries asked of the worker at once; longer lists are put together here, at one revision. */
const pageEntries = 1000;
const closeTimeoutMs = 10_000;

/**
 * The embedded store: one file, one process. Throws StoreUnavailable when another process has the file, StoreTooNew when a
 * newer version wrote it, StoreCorrupt when it cannot be read.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const store = new SqliteStore(options);
  await store.open();
  return store;
}

class SqliteStore implements Store {
  readonly #options: SqliteStoreOptions;
  readonly #log: Logger;
  readonly #link: SqliteLink;
  readonly #watchers = new Watchers();
  readonly #ttls: TtlQueue;
  readonly #commitSeconds: Histogram | undefined;
  /** Newest revision whose changes went to the watches. */
  #revision = 0;
  #closing: Promise<void> | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#link = new SqliteLink({
      file: {
        path: options.path,
        synchronous: options.synchronous ?? 'FULL',
        ...(options.maxPages === undefined ? {} : { maxPages: options.maxPages }),
      },
      session: { historyRevisions: options.historyRevisions ?? 10_000 },
      maxPending: options.maxPending ?? 16_384,
      maxPendingBytes: 64 * 1024 * 1024,
      timeoutMs: options.timeoutMs ?? 30_000,
      onDead: (error) => this.#onDead(error),
    });
    const clock = options.clock ?? systemClock;
    this.#ttls = new TtlQueue({ clock, expire: (key, modRevision) => void this.#expire(key, modRevision) });
    this.#commitSeconds = this.#register(options.metrics);
  }

  async open(): Promise<void> {
    const { revision, ttls } = await this.#link.opened;
    this.#revision = revision;
    for (const { key, modRevision, ttlSeconds } of ttls) this.#ttls.set(key, modRevision, ttlSeconds);
  }

  async get(key: string): Promise<Entry | undefined> {
    const { entries } = await this.#read({ type: 'get', key });
    return entries[0];
  }

  async list(prefix: string, options: ListOptions = {}): Promise<Listing> {
    const wanted = options.limit || Number.POSITIVE_INFINITY;
    const entries: Entry[] = [];
    let { atRevision, startAfter } = options;
    for (;;) {
      const page = await this.#read({
        type: 'list',
        prefix,
        limit: Math.min(pageEntries, wanted - entries.length),
        ...(atRevision === undefined ? {} : { atRevision }),
        ...(startAfter === undefined ? {} : { startAfter }),
      });
      for (const entry of page.entries) entries.push(entry);
      if (!page.more || entries.length >= wanted) return { revision: page.revision, entries, more: page.more };
      atRevision = page.revision;
      startAfter = entries.at(-1)?.key;
    }
  }

  async commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult> {
    this.#assertOpen();
    checkCommit(conditions, operations);
    const startMs = performance.now();
    const values: Uint8Array[] = [];
    for (const operation of operations) if (operation.type === 'put') values.push(operation.value);
    const asked: Asked = {
      type: 'commit',
      conditions,
      operations: operations.map((operation) => ({
        key: operation.key,
        valueBytes: operation.type === 'put' ? operation.value.byteLength : -1,
        ttlSeconds: (operation.type === 'put' && operation.ttlSeconds) || 0,
      })),
    };
    const result = await this.#ask<CommitResult>(asked, values, (reply, bytes) => {
      if (reply.type === 'conflict') return { committed: false, revision: reply.revision };
      if (reply.type !== 'committed') throw failure(reply);
      this.#announce(operations, reply, bytes);
      return { committed: true, revision: reply.revision };
    });
    this.#commitSeconds?.observe((performance.now() - startMs) / 1000);
    return result;
  }

  watch(prefix: string, options: WatchOptions): void {
    const watcher = this.#watchers.add(prefix, options);
    queueMicrotask(() => {
      if (this.#closing) return this.#watchers.end(watcher, storeClosed());
      this.#catchUp(watcher, options.afterRevision);
    });
  }

  async head(): Promise<number> {
    this.#assertOpen();
    // Every acknowledged commit passed through here first: nobody else has the file.
    return this.#revision;
  }

  async compact(revision: number): Promise<void> {
    this.#assertOpen();
    await this.#ask({ type: 'compact', revision }, [], (reply) => {
      if (reply.type !== 'done') throw failure(reply);
    });
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#ttls.stop();
    this.#watchers.endAll(storeClosed());
    const { promise, resolve } = Promise.withResolvers<void>();
    try {
      this.#link.send({ type: 'close' }, [], { onReply: () => resolve(), onError: () => resolve() });
      const cancel = systemClock.after(closeTimeoutMs, resolve);
      await promise;
      cancel();
    } catch {
      // It has ended already.
    }
    await this.#link.terminate();
  }

  /** Reads history until nothing is newer than what the live watches have seen. Replies come in the order of commits. */
  #catchUp(watcher: Watcher, afterRevision: number): void {
    if (watcher.ended) return;
    if (afterRevision >= this.#revision) {
      watcher.live = true;
      return;
    }
    const onError = (error: Error) => this.#watchers.end(watcher, error);
    const asked: Asked = { type: 'history', prefix: watcher.prefix, afterRevision, limit: pageEntries };
    const onReply = (reply: Reply, bytes: ByteReader) => {
      if (reply.type !== 'history') return onError(failure(reply));
      const changes = reply.changes.map((change) => toChange(change, bytes));
      if (reply.done) watcher.live = true;
      feed(watcher, changes);
      if (!reply.done) this.#catchUp(watcher, reply.upTo);
    };
    try {
      this.#link.send(asked, [], { onReply, onError });
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #announce(operations: readonly Operation[], reply: Reply & { type: 'committed' }, bytes: ByteReader): void {
    const { revision } = reply;
    const changes: Change[] = [];
    for (const [index, operation] of operations.entries()) {
      const { key } = operation;
      const found = reply.previous[index];
      const previous = found ? toEntry(key, found, bytes) : undefined;
      if (operation.type === 'put') {
        const createRevision = previous?.createRevision ?? revision;
        const entry = { key, value: operation.value, modRevision: revision, createRevision };
        changes.push({ type: 'put', entry, ...(previous ? { previous } : {}) });
        if (operation.ttlSeconds === undefined) this.#ttls.forget(key);
        else this.#ttls.set(key, revision, operation.ttlSeconds);
      } else if (previous) {
        changes.push({ type: 'delete', key, revision, previous });
        this.#ttls.forget(key);
      }
    }
    this.#revision = revision;
    if (changes.length > 0) this.#watchers.deliver(changes);
  }

  async #expire(key: string, modRevision: number): Promise<void> {
    try {
      await this.commit([{ key, modRevision }], [{ type: 'delete', key }]);
    } catch (error) {
      if (this.#closing) return;
      this.#log.warn('store: cannot delete an expired key, trying again', { key, error });
      this.#ttls.set(key, modRevision, 1);
    }
  }

  async #read(asked: Asked): Promise<Listing> {
    this.#assertOpen();
    return this.#ask(asked, [], (reply, bytes) => {
      if (reply.type !== 'entries') throw failure(reply);
      const entries = reply.entries.map((entry) => toEntry(entry.key, entry, bytes));
      return { revision: reply.revision, entries, more: reply.more };
    });
  }

  #ask<Result>(
    asked: Asked,
    values: readonly Uint8Array[],
    read: (reply: Reply, bytes: ByteReader) => Result,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const onReply = (reply: Reply, bytes: ByteReader) => {
        try {
          resolve(read(reply, bytes));
        } catch (error) {
          reject(error);
        }
      };
      this.#link.send(asked, values, { onReply, onError: reject });
    });
  }

  #onDead(error: FlotillaError): void {
    if (this.#closing) return;
    this.#log.error('store: stopped', { path: this.#options.path, error });
    this.#ttls.stop();
    this.#watchers.endAll(error);
  }

  #assertOpen(): void {
    if (this.#closing) throw storeClosed();
  }

  #register(metrics: Metrics | undefined): Histogram | undefined {
    if (!metrics) return undefined;
    metrics.gauge('flotilla_store_pending_requests', 'Requests that wait for the store.', () => this.#link.pending);
    metrics.gauge('flotilla_store_revision', 'Newest revision of the store.', () => this.#revision);
    metrics.gauge('flotilla_store_watches', 'Watches on the store.', () => this.#watchers.size);
    metrics.gauge('flotilla_store_file_bytes', 'Size of the store file without its WAL.', () => {
      return statSync(this.#options.path, { throwIfNoEntry: false })?.size ?? 0;
    });
    return metrics.histogram('flotilla_store_commit_seconds', 'From the call of commit to its durable end.');
  }
}

function failure(reply: Reply): Error {
  if (reply.type === 'compacted') return new StoreCompacted(reply.compactRevision);
  if (reply.type === 'failed') return fromWireError(reply.error);
  return new Error(`store: unexpected reply ${reply.type}`);
}

function toEntry(key: string, wire: WirePrevious, bytes: ByteReader): Entry {
  const { modRevision, createRevision } = wire;
  return { key, value: bytes.next(wire.valueBytes), modRevision, createRevision };
}

function toChange(wire: WireChange, bytes: ByteReader): Change {
  const { key, revision, createRevision } = wire;
  const value = wire.valueBytes < 0 ? undefined : bytes.next(wire.valueBytes);
  const previous = wire.previous && toEntry(key, wire.previous, bytes);
  if (value) {
    const entry = { key, value, modRevision: revision, createRevision };
    return { type: 'put', entry, ...(previous ? { previous } : {}) };
  }
  if (!previous) throw new Error(`store: delete of ${key} at revision ${revision} without what it removed`);
  return { type: 'delete', key, revision, previous };
}
