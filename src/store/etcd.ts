import type { Etcd3, ICompare, IRangeRequest, IRangeResponse, IRequestOp } from 'etcd3';
import { systemClock } from '../lib/clock.ts';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/log.ts';
import type { Histogram, Metrics } from '../lib/metrics.ts';
import { checkCommit, futureRevision, storeClosed } from './checks.ts';
import { etcdError, isCompactedError, isFutureError } from './etcd-faults.ts';
import { type AskOptions, EtcdMembers, type EtcdTry, noFaultHandling } from './etcd-members.ts';
import { compareReceipt, EtcdReceipts, onConflict, putReceipt, verdictOf } from './etcd-receipts.ts';
import { EtcdWatch } from './etcd-watch.ts';
import { EtcdKeys } from './etcd-wire.ts';
import {
  type CommitResult,
  type Condition,
  type Entry,
  type Listing,
  type ListOptions,
  type Operation,
  type Store,
  StoreCompacted,
  storeLimits,
  type WatchOptions,
} from './port.ts';

/** PEM. */
export interface EtcdTls {
  readonly ca: Buffer;
  /** Both or none: what this client shows. */
  readonly key?: Buffer;
  readonly cert?: Buffer;
}

export interface EtcdStoreOptions {
  /** Such as `https://10.0.0.1:2379`; all `http://` or all `https://`. */
  readonly endpoints: readonly string[];
  /** What all our keys start with, so that an etcd can be shared. Default `/flotilla`. */
  readonly prefix?: string;
  readonly tls?: EtcdTls;
  readonly auth?: { readonly username: string; readonly password: string };
  readonly metrics?: Metrics;
  readonly log?: Logger;
  /** Of each call, with all its tries at other members. Default 5,000. */
  readonly timeoutMs?: number;
  /** This process compacts the etcd as often, to what was the head that long ago. Default: never, somebody else does. */
  readonly compactEveryMs?: number;
}

const pageEntries = 1000;
/** How often watches are asked how far they are: one that stays behind has lost its majority. */
const probeEveryMs = 1_000;
/** A member that says nothing for so long is left aside. A commit costs the disks of a majority, a read does not. */
const readHedgeMs = 500;
const commitHedgeMs = 1_500;

/** The store on etcd ≥ 3.4, which several servers may share. Throws StoreUnavailable when no endpoint answers. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const { Etcd3 } = await import('etcd3');
  const open = (endpoint: string) =>
    new Etcd3({
      hosts: endpoint,
      faultHandling: noFaultHandling,
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
  const store = new EtcdStore(open, options);
  try {
    await store.head();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class EtcdStore implements Store {
  readonly #members: EtcdMembers;
  readonly #keys: EtcdKeys;
  readonly #receipts: EtcdReceipts;
  readonly #options: EtcdStoreOptions;
  readonly #timeoutMs: number;
  readonly #log: Logger;
  readonly #watches = new Set<EtcdWatch>();
  readonly #commitSeconds: Histogram | undefined;
  readonly #stopping = new AbortController();
  #closed = false;

  constructor(open: (endpoint: string) => Etcd3, options: EtcdStoreOptions) {
    const root = options.prefix ?? '/flotilla';
    this.#options = options;
    this.#keys = new EtcdKeys(root);
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#members = new EtcdMembers({
      endpoints: options.endpoints,
      open,
      timeoutMs: this.#timeoutMs,
      probe: ({ client, call }) => client.kv.range(this.#headRange(), call),
    });
    this.#receipts = new EtcdReceipts({ root: `${root}#`, grantLease: (ttlSeconds) => this.#grant(ttlSeconds) });
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
    const result = hasReceipt(conditions, operations)
      ? await this.#commitOnce(compare, success)
      : await this.#commitPlain(compare, success);
    this.#commitSeconds?.observe((performance.now() - startMs) / 1000);
    return result;
  }

  watch(prefix: string, options: WatchOptions): void {
    if (options.signal.aborted) return;
    if (this.#closed) {
      queueMicrotask(() => options.onEnd(storeClosed()));
      return;
    }
    const watch = new EtcdWatch({
      ...this.#members.openBest(),
      keys: this.#keys,
      timeoutMs: this.#timeoutMs,
      prefix,
      options,
      onEnd: () => this.#watches.delete(watch),
    });
    this.#watches.add(watch);
    void watch.run();
  }

  async head(): Promise<number> {
    // Linearizable: etcd asks its majority before it answers.
    const range = await this.#range(this.#headRange());
    return Number(range.header.revision);
  }

  async compact(revision: number): Promise<void> {
    try {
      await this.#ask(({ client, call }) => client.kv.compact({ revision }, call), { hedgeMs: readHedgeMs });
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
    this.#members.close();
  }

  #page(prefix: string, limit: number, atRevision = 0, startAfter = ''): Promise<IRangeResponse> {
    const isInside = startAfter >= prefix;
    const key = isInside ? Buffer.concat([this.#keys.of(startAfter), Buffer.of(0)]) : this.#keys.of(prefix);
    const range_end = this.#keys.after(prefix);
    return this.#range({ key, range_end, limit, revision: atRevision });
  }

  #headRange(): IRangeRequest {
    return { key: this.#keys.of('/head'), keys_only: true }; // nobody has it
  }

  #range(request: IRangeRequest): Promise<IRangeResponse> {
    const atRevision = Number(request.revision ?? 0);
    return this.#ask(({ client, call }) => client.kv.range(request, call), { hedgeMs: readHedgeMs, atRevision });
  }

  /** What takes no revision, or has no room for a receipt: made at most once, and its outcome unknown when no answer comes. */
  async #commitPlain(compare: ICompare[], success: IRequestOp[]): Promise<CommitResult> {
    const hedgeMs = success.length === 0 ? readHedgeMs : undefined;
    const txn = { compare, success, failure: [] };
    const done = await this.#ask(({ client, call }) => client.kv.txn(txn, call), { hedgeMs });
    return { committed: done.succeeded, revision: Number(done.header.revision) };
  }

  /** Asked for at several members if need be, made once, and its outcome known as soon as one of them answers. */
  async #commitOnce(compare: ICompare[], success: IRequestOp[]): Promise<CommitResult> {
    const receipt = await this.#receipts.take();
    const whole = { compare: [compareReceipt(receipt), ...compare], success: [...success, putReceipt(receipt)] };
    let tries = 0;
    const ask = () =>
      this.#ask(
        ({ client, call }) => {
          tries += 1;
          return client.kv.txn({ ...whole, failure: [onConflict(receipt, tries)] }, call);
        },
        { hedgeMs: commitHedgeMs },
      );
    for (;;) {
      const answer = await ask();
      const verdict = verdictOf(receipt, answer);
      const revision = Number(answer.header.revision);
      if (verdict.type === 'unknown') throw lostReceipt(this.#options.endpoints);
      if (verdict.type === 'made') {
        if (tries === 1) this.#receipts.give(receipt, verdict.revision);
        return { committed: true, revision: verdict.revision };
      }
      if (tries === 1) this.#receipts.give(receipt, receipt.modRevision);
      if (tries === 1 || verdict.isFinal) return { committed: false, revision };
    }
  }

  /**
   * A lease for each put: keys that share one would end under one revision, and a revision has at most one watched object.
   * A lease that lost its key (put again, or conflict) ends by itself.
   */
  async #leaseOf(operation: Operation): Promise<string | undefined> {
    if (operation.type === 'delete' || operation.ttlSeconds === undefined) return undefined;
    return await this.#grant(operation.ttlSeconds);
  }

  async #grant(ttlSeconds: number): Promise<string> {
    const request = { TTL: ttlSeconds };
    const { ID } = await this.#ask(({ client, call }) => client.leaseClient.leaseGrant(request, call), {
      hedgeMs: commitHedgeMs,
    });
    return ID;
  }

  async #ask<Result>(
    run: (one: EtcdTry) => Promise<Result>,
    { hedgeMs, atRevision = 0 }: AskOptions & { readonly atRevision?: number },
  ): Promise<Result> {
    this.#assertOpen();
    try {
      return await this.#members.ask(run, { hedgeMs });
    } catch (error) {
      if (this.#closed) throw storeClosed();
      // The number is not in the error: what was asked for is the only bound known.
      if (isCompactedError(error)) throw new StoreCompacted(atRevision + 1);
      if (isFutureError(error))
        throw atRevision > 0 ? futureRevision(atRevision, await this.head()) : futureCompaction();
      if (/lease not found/.test(messageOf(error))) this.#receipts.forgetLease();
      throw etcdError(error, this.#options.endpoints);
    }
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

/** A change that takes a revision in any case can leave one; etcd takes no more conditions or operations than this. */
function hasReceipt(conditions: readonly Condition[], operations: readonly Operation[]): boolean {
  if (Math.max(conditions.length, operations.length) >= storeLimits.operationsPerCommit) return false;
  return operations.some(({ type, key }) => type === 'put' || conditions.some((one) => one.key === key));
}

function lostReceipt(endpoints: readonly string[]): FlotillaError {
  const message = `etcd at ${endpoints.join(', ')} no longer knows whether a change was made: this process stood still for too long`;
  return new FlotillaError('StoreUnavailable', message, { retryable: true, hint: 'look before you try again' });
}

function futureCompaction(): FlotillaError {
  return new FlotillaError('Invalid', 'cannot compact up to a revision that is in the future');
}

function credentialsOf(tls: EtcdTls) {
  return {
    rootCertificate: tls.ca,
    ...(tls.key ? { privateKey: tls.key } : {}),
    ...(tls.cert ? { certChain: tls.cert } : {}),
  };
}
