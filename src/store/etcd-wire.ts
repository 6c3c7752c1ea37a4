import type { ICompare, IEvent, IKeyValue, IRequestOp } from 'etcd3';
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

  toCompare({ key, modRevision }: Condition): ICompare {
    // The protocol's 64-bit numbers are text in its types; these are far from where a number loses digits.
    return { key: this.of(key), target: 'Mod', result: 'Equal', mod_revision: String(modRevision) };
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
