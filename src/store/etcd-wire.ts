import type { IEvent, IKeyValue, IOptions, IRequestOp } from 'etcd3';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { prefixEnd } from './checks.ts';
import { type Change, type Condition, type Entry, type Operation, StoreCompacted } from './port.ts';

/** Our keys in an etcd that others may use too: each starts with `root`. */
export class EtcdKeys {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  of(key: string): Buffer {
    return Buffer.from(this.#root + key, 'latin1');
  }

  /** First key after everything that starts with `prefix`. */
  after(prefix: string): Buffer {
    return Buffer.from(prefixEnd(this.#root + prefix), 'latin1');
  }

  toEntry(kv: IKeyValue): Entry {
    return {
      key: kv.key.toString('latin1', this.#root.length),
      value: kv.value,
      modRevision: Number(kv.mod_revision),
      createRevision: Number(kv.create_revision),
    };
  }

  toCompare(condition: Condition) {
    const { key, modRevision } = condition;
    return { key: this.of(key), target: 'Mod', result: 'Equal', mod_revision: modRevision } as const;
  }

  toRequest(operation: Operation, lease: string | undefined): IRequestOp {
    const key = this.of(operation.key);
    if (operation.type === 'delete') return { request_delete_range: { key } };
    const { buffer, byteOffset, byteLength } = operation.value;
    const value = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
    return { request_put: { key, value, ...(lease === undefined ? {} : { lease }) } };
  }

  /** Throws StoreCompacted when etcd could not tell the previous value: its history was compacted under the watch. */
  toChange(event: IEvent): Change {
    const entry = this.toEntry(event.kv);
    const previous = event.prev_kv ? this.toEntry(event.prev_kv) : undefined;
    const isNew = event.type === 'Put' && event.kv.version === '1';
    if (!previous && !isNew) throw new StoreCompacted(entry.modRevision);
    if (event.type === 'Put' || !previous) return { type: 'put', entry, ...(previous ? { previous } : {}) };
    return { type: 'delete', key: entry.key, revision: entry.modRevision, previous };
  }
}

/** What etcd3 throws, as an error a person can act on. Every failure of the way there may pass. */
export function etcdError(error: unknown, endpoints: readonly string[]): Error {
  if (error instanceof FlotillaError || error instanceof StoreCompacted) return error;
  const words = messageOf(error);
  if (/request is too large|too many operations/.test(words)) {
    return new FlotillaError('StoreLimit', `etcd refuses the commit: ${words}`, {
      cause: error,
      hint: 'make the object smaller',
    });
  }
  if (/duplicate key|invalid/.test(words)) return new Error(`etcd refuses the request: ${words}`, { cause: error });
  return new FlotillaError('StoreUnavailable', `etcd at ${endpoints.join(', ')} failed: ${words}`, {
    cause: error,
    retryable: true,
    hint: /database space exceeded/.test(words)
      ? 'compact and defragment etcd, then: etcdctl alarm disarm'
      : 'check that etcd runs and has a majority: etcdctl endpoint status',
  });
}

export function isCompactedError(error: unknown): boolean {
  return /required revision has been compacted/.test(messageOf(error));
}

export function isFutureError(error: unknown): boolean {
  return /required revision is a future revision/.test(messageOf(error));
}

/**
 * One try a call: a repeated transaction could answer "conflict" to a change that the first try made. Of several members
 * one that fails is left out for 5 s (the breaker etcd3 has by default); the only one is asked each time.
 */
export function faultHandling(endpoints: readonly string[]): NonNullable<IOptions['faultHandling']> {
  return { global: oneTry, ...(endpoints.length === 1 ? { host: () => oneTry } : {}) };
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

const never = () => ({ dispose: () => {} });
const oneTry: Policy = {
  _altReturn: undefined as never, // a phantom of its types
  onSuccess: never,
  onFailure: never,
  execute: async (run) => run({ signal: new AbortController().signal }),
};
