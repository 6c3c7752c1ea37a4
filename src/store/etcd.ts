import type { Etcd3, IRangeRequest, IRangeResponse } from 'etcd3';
import { systemClock } from '../lib/clock.ts';
import { FlotillaError, hasCode } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/log.ts';
import type { Histogram, Metrics } from '../lib/metrics.ts';
import { checkCommit, futureRevision, storeClosed } from './checks.ts';
import { EtcdWatch } from './etcd-watch.ts';
import { EtcdKeys, etcdError, faultHandling, isCompactedError, isFutureError } from './etcd-wire.ts';
import {
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

export interface EtcdStoreOptions {
  /** Such as `https://10.0.0.1:2379`; all `http://` or all `https://`. */
  readonly endpoints: readonly string[];
  /** What all our keys start with, so that an etcd can be shared. Default `/flotilla`. */
  readonly prefix?: string;
  /** PEM. */
  readonly tls?: { readonly ca: Buffer; readonly key?: Buffer; readonly cert?: Buffer };
  readonly auth?: { readonly username: string; readonly password: string };
  readonly metrics?: Metrics;
  readonly log?: Logger;
  /** Of each call. Default 5,000. */
  readonly timeoutMs?: number;
  /** This process compacts the etcd as often, to what was the head that long ago. Default: never, somebody else does. */
  readonly compactEveryMs?: number;
}

const pageEntries = 1000;
/** How often watches are asked how far they are; one that is behind for so long has lost its majority. */
const probeEveryMs = 5_000;

/** The store on etcd ≥ 3.4, which several servers may share. Throws StoreUnavailable when no endpoint answers. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const { Etcd3 } = await import('etcd3');
  const client = new Etcd3({
    hosts: [...options.endpoints],
    faultHandling: faultHandling(options.endpoints),
    grpcOptions: {
      'grpc.max_receive_message_length': -1,
      // A peer that vanished without a word is noticed by both calls and watches.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.max_reconnect_backoff_ms': 1_000,
      'grpc.initial_reconnect_backoff_ms': 100,
    },
    ...(options.auth ? { auth: options.auth } : {}),
    ...(options.tls ? { credentials: credentialsOf(options.tls) } : {}),
  });
  const store = new EtcdStore(client, options);
  try {
    await store.head();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class EtcdStore implements Store {
  readonly #client: Etcd3;
  readonly #keys: EtcdKeys;
  readonly #options: EtcdStoreOptions;
  readonly #timeoutMs: number;
  readonly #log: Logger;
  readonly #watches = new Set<EtcdWatch>();
  readonly #commitSeconds: Histogram | undefined;
  readonly #stopping = new AbortController();
  #closed = false;

  constructor(client: Etcd3, options: EtcdStoreOptions) {
    this.#client = client;
    this.#options = options;
    this.#keys = new EtcdKeys(options.prefix ?? '/flotilla');
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#log = options.log ?? silentLogger;
    this.#commitSeconds = this.#register(options.metrics);
    void this.#probeForever();
    if (options.compactEveryMs !== undefined) void this.#compactForever(options.compactEveryMs);
  }

  async get(key: string): Promise<Entry | undefined> {
    const { kvs } = await this.#range({ key: this.#keys.of(key) });
    return kvs[0] && this.#keys.toEntry(kvs[0]);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<Listing> {
    const wanted = options.limit || Number.POSITIVE_INFINITY;
    const entries: Entry[] = [];
    let { atRevision, startAfter } = options;
    for (;;) {
      const limit = Math.min(pageEntries, wanted - entries.length);
      const page = await this.#page(prefix, limit, atRevision, startAfter);
      for (const kv of page.kvs) entries.push(this.#keys.toEntry(kv));
      atRevision ??= Number(page.header.revision);
      startAfter = entries.at(-1)?.key;
      if (!page.more || entries.length >= wanted) return { revision: atRevision, entries, more: page.more };
    }
  }

  async commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult> {
    this.#assertOpen();
    checkCommit(conditions, operations);
    const startMs = performance.now();
    const success = await Promise.all(
      operations.map(async (operation) => this.#keys.toRequest(operation, await this.#leaseOf(operation))),
    );
    const compare = conditions.map((condition) => this.#keys.toCompare(condition));
    const done = await this.#call(() => this.#client.kv.txn({ compare, success, failure: [] }, this.#deadline()));
    this.#commitSeconds?.observe((performance.now() - startMs) / 1000);
    return { committed: done.succeeded, revision: Number(done.header.revision) };
  }

  watch(prefix: string, options: WatchOptions): void {
    if (options.signal.aborted) return;
    if (this.#closed) {
      queueMicrotask(() => options.onEnd(storeClosed()));
      return;
    }
    const watch = new EtcdWatch({
      client: this.#client,
      keys: this.#keys,
      endpoints: this.#options.endpoints,
      timeoutMs: this.#timeoutMs,
      prefix,
      options,
      onEnd: () => this.#watches.delete(watch),
    });
    this.#watches.add(watch);
    void watch.run();
  }

  async head(): Promise<number> {
    // Linearizable: etcd asks its majority before it answers. A key that nobody has.
    const key = this.#keys.of('/head');
    const range = await this.#range({ key, keys_only: true });
    return Number(range.header.revision);
  }

  async compact(revision: number): Promise<void> {
    try {
      await this.#call(() => this.#client.kv.compact({ revision }, this.#deadline()));
    } catch (error) {
      if (error instanceof StoreCompacted) return; // somebody was faster
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopping.abort();
    for (const watch of [...this.#watches]) watch.end(storeClosed());
    this.#client.close();
  }

  #page(prefix: string, limit: number, atRevision = 0, startAfter = ''): Promise<IRangeResponse> {
    const isInside = startAfter >= prefix;
    const key = isInside ? Buffer.concat([this.#keys.of(startAfter), Buffer.of(0)]) : this.#keys.of(prefix);
    const range_end = this.#keys.after(prefix);
    return this.#range({ key, range_end, limit, revision: atRevision });
  }

  /** A read may be tried again at another member. */
  async #range(request: IRangeRequest): Promise<IRangeResponse> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#call(() => this.#client.kv.range(request, this.#deadline()), Number(request.revision ?? 0));
      } catch (error) {
        const isPassing = hasCode(error, 'StoreUnavailable') && error.retryable && !this.#closed;
        if (!isPassing || tries > this.#options.endpoints.length) throw error;
      }
    }
  }

  /**
   * A lease for each put: keys that share one would end under one revision, and a revision has at most one watched object.
   * A lease that lost its key (put again, or conflict) ends by itself.
   */
  async #leaseOf(operation: Operation): Promise<string | undefined> {
    if (operation.type === 'delete' || operation.ttlSeconds === undefined) return undefined;
    const { ttlSeconds } = operation;
    const lease = await this.#call(() => this.#client.leaseClient.leaseGrant({ TTL: ttlSeconds }, this.#deadline()));
    return lease.ID;
  }

  async #call<Result>(run: () => Promise<Result>, atRevision = 0): Promise<Result> {
    this.#assertOpen();
    try {
      return await run();
    } catch (error) {
      if (this.#closed) throw storeClosed();
      // The number is not in the error: what was asked for is the only bound known.
      if (isCompactedError(error)) throw new StoreCompacted(atRevision + 1);
      if (isFutureError(error))
        throw atRevision > 0 ? futureRevision(atRevision, await this.head()) : futureCompaction();
      throw etcdError(error, this.#options.endpoints);
    }
  }

  #deadline() {
    return { deadline: Date.now() + this.#timeoutMs };
  }

  async #compactForever(everyMs: number): Promise<void> {
    const { signal } = this.#stopping;
    let before: number | undefined;
    while (!signal.aborted) {
      try {
        const now = await this.head();
        if (before !== undefined) await this.compact(before);
        before = now;
      } catch (error) {
        if (!signal.aborted) this.#log.warn('store: cannot compact etcd, trying again', { error });
      }
      await systemClock.sleep(everyMs, signal).catch(() => {});
    }
  }

  /** A member cut off from the others keeps its watches open and silent; what the majority knows tells it. */
  async #probeForever(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await systemClock.sleep(probeEveryMs, signal).catch(() => {});
      if (this.#watches.size === 0 || signal.aborted) continue;
      const head = await this.head().catch(() => undefined);
      if (head !== undefined) for (const watch of [...this.#watches]) watch.probe(head);
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw storeClosed();
  }

  #register(metrics: Metrics | undefined): Histogram | undefined {
    if (!metrics) return undefined;
    metrics.gauge('flotilla_store_watches', 'Watches on the store.', () => this.#watches.size);
    return metrics.histogram('flotilla_store_commit_seconds', 'From the call of commit to its durable end.');
  }
}

function futureCompaction(): FlotillaError {
  return new FlotillaError('Invalid', 'cannot compact up to a revision that is in the future');
}

function credentialsOf(tls: NonNullable<EtcdStoreOptions['tls']>) {
  return {
    rootCertificate: tls.ca,
    ...(tls.key ? { privateKey: tls.key } : {}),
    ...(tls.cert ? { certChain: tls.cert } : {}),
  };
}
