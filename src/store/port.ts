/**
 * The store remembers: one ordered history of key changes under one revision counter. What etcd promises, for every
 * implementation; `contract.ts` holds the suite that each of them passes.
 *
 * Keys are non-empty ASCII strings that start with `/`, at most 1,024 bytes, ordered bytewise. A `prefix` is a plain
 * string prefix: pass one that ends with `/`. Values are bytes; an implementation neither copies nor changes them.
 */
export interface Store {
  /** Undefined when the key does not exist. Linearizable. */
  get(key: string): Promise<Entry | undefined>;

  /**
   * All entries under a prefix in key order, as they were at `atRevision` (default: now).
   * `limit` bounds the answer, `startAfter` continues it. Throws StoreCompacted when `atRevision` was compacted away.
   */
  list(prefix: string, options?: ListOptions): Promise<Listing>;

  /**
   * All or nothing. Resolves only when the change would survive a power cut. Throws FlotillaError StoreLimit beyond
   * `storeLimits`, StoreUnavailable (retryable) when the outcome is unknown or nothing could be written.
   * A commit holds at most one *watched object*, that is, one put or delete under `/o/`.
   */
  commit(conditions: readonly Condition[], operations: readonly Operation[]): Promise<CommitResult>;

  /**
   * Calls `onChanges` with every change under `prefix` whose revision is > `afterRevision`, in revision order, each once.
   * All changes of one revision come in one call. Returns at once; ends by `signal`, or by `onEnd` exactly once:
   * with StoreCompacted (list again, then watch), or with StoreUnavailable (retryable: watch again from the last revision).
   */
  watch(prefix: string, options: WatchOptions): void;

  /** The newest committed revision. Linearizable: not older than any commit acknowledged before the call, anywhere. */
  head(): Promise<number>;

  /** Forgets the history up to `revision`: lists at and watches from before it fail with StoreCompacted. */
  compact(revision: number): Promise<void>;

  close(): Promise<void>;
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Revision of the put that wrote this value. */
  readonly modRevision: number;
  /** Revision of the put that made the key exist. */
  readonly createRevision: number;
}

export interface ListOptions {
  readonly atRevision?: number;
  readonly limit?: number;
  readonly startAfter?: string;
}

export interface Listing {
  /** The revision at which the list is true; watch from here. */
  readonly revision: number;
  readonly entries: readonly Entry[];
  /** More entries follow the last one. */
  readonly more: boolean;
}

/** `modRevision` 0 means: the key does not exist. */
export interface Condition {
  readonly key: string;
  readonly modRevision: number;
}

export type Operation =
  /** `ttlSeconds`: the key is deleted by the store so long after the newest put; after downtime it runs anew in full. */
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array; readonly ttlSeconds?: number }
  | { readonly type: 'delete'; readonly key: string };

export type CommitResult =
  | { readonly committed: true; readonly revision: number }
  /** A condition did not hold; nothing was written. */
  | { readonly committed: false; readonly revision: number };

export interface WatchOptions {
  readonly afterRevision: number;
  readonly signal: AbortSignal;
  readonly onChanges: (changes: readonly Change[]) => void;
  readonly onEnd: (reason: Error) => void;
}

export type Change =
  | { readonly type: 'put'; readonly entry: Entry; readonly previous?: Entry }
  /** `previous` is what the delete (or the end of a TTL) removed. */
  | { readonly type: 'delete'; readonly key: string; readonly revision: number; readonly previous: Entry };

/** etcd's default limits, held by every implementation. */
export const storeLimits = { operationsPerCommit: 128, commitBytes: 1_572_864, keyBytes: 1_024 } as const;

/** The asked-for revision is no longer in the history. */
export class StoreCompacted extends Error {
  readonly compactRevision: number;
  constructor(compactRevision: number) {
    super(`history before revision ${compactRevision} has been compacted`);
    this.name = 'StoreCompacted';
    this.compactRevision = compactRevision;
  }
}
