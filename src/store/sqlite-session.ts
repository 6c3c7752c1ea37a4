import type { DatabaseSync } from 'node:sqlite';
import { FlotillaError, messageOf } from '../lib/errors.ts';
import { type Entry, StoreCompacted } from './port.ts';
import { pragma } from './sqlite-file.ts';
import { type LogChange, SqliteLog } from './sqlite-log.ts';
import { type ByteReader, type Reply, type Request, toWireError, type WirePrevious } from './sqlite-messages.ts';

/** How much one answer of the worker carries at most beside its first entry; the main thread asks again for the rest. */
const maxReplyBytes = 4 * 1024 * 1024;
/** Revisions forgotten in one transaction: few, so that it takes some 10 ms; many, so that neighbours on a page go together. */
const compactSlice = 4096;

export interface SessionOptions {
  readonly historyRevisions: number;
}

/**
 * One transaction of the SQLite store: many requests in order, one COMMIT, then their replies. Compaction rides along, so
 * that it costs no fsync of its own.
 */
export class SqliteSession {
  readonly #db: DatabaseSync;
  readonly #log: SqliteLog;
  readonly #options: SessionOptions;
  /** Forget up to here, slice by slice. */
  #compactTo = 0;

  constructor(db: DatabaseSync, options: SessionOptions) {
    this.#db = db;
    this.#log = new SqliteLog(db);
    this.#options = options;
  }

  get log(): SqliteLog {
    return this.#log;
  }

  /** Throws what SQLite threw, after a ROLLBACK: nothing of it was written, no reply may be sent. */
  run(requests: readonly Request[], input: ByteReader): { replies: Reply[]; values: Uint8Array[] } {
    const values: Uint8Array[] = [];
    const writes = requests.some((request) => request.type === 'commit' || request.type === 'compact');
    if (!writes) return { replies: requests.map((request) => this.#reply(request, input, values)), values };
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const replies = requests.map((request) => this.#reply(request, input, values));
      this.#compactSlice(requests.length);
      this.#log.flush();
      this.#db.exec('COMMIT');
      return { replies, values };
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#log.reload();
      throw error;
    }
  }

  /** True while a compaction waits for its next slice. */
  get isCompacting(): boolean {
    return this.#compactTo > this.#log.compactRevision;
  }

  /** One more slice, in a transaction of its own: only when nothing else asks for one. */
  compactMore(): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      this.#compactSlice(compactSlice);
      this.#log.flush();
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#log.reload();
      throw error;
    }
  }

  #compactSlice(requests: number): void {
    const keepFrom = this.#log.revision - this.#options.historyRevisions;
    const due = Math.min(compactSlice / 2, this.#options.historyRevisions / 4);
    if (keepFrom - this.#log.compactRevision >= due) this.#compactTo = Math.max(this.#compactTo, keepFrom);
    if (!this.isCompacting) return;
    this.#log.compact(this.#compactTo, Math.max(compactSlice, 2 * requests));
    this.#shrink();
  }

  /** Freed pages are used again; what is left after a flood goes back to the file system, a few pages a transaction. */
  #shrink(): void {
    const free = pragma(this.#db, 'freelist_count');
    if (free > 1024 && free * 2 > pragma(this.#db, 'page_count')) this.#log.shrink(256);
  }

  #reply(request: Request, input: ByteReader, values: Uint8Array[]): Reply {
    if (request.type === 'commit') return this.#commit(request, input, values);
    const { id } = request;
    try {
      switch (request.type) {
        case 'get': {
          const entry = this.#log.get(request.key);
          return this.#entries(id, this.#log.revision, entry ? [entry] : [], false, values);
        }
        case 'list': {
          const listing = this.#log.list({ ...request, maxBytes: maxReplyBytes });
          return this.#entries(id, listing.revision, listing.entries, listing.more, values);
        }
        case 'history': {
          const { changes, upTo, done } = this.#log.history({ ...request, maxBytes: maxReplyBytes });
          return { id, type: 'history', upTo, done, changes: changes.map((change) => wireChange(change, values)) };
        }
        case 'compact':
          this.#log.compact(request.revision, Number.POSITIVE_INFINITY);
          return { id, type: 'done' };
        case 'close':
          return { id, type: 'done' };
      }
    } catch (error) {
      if (error instanceof StoreCompacted) return { id, type: 'compacted', compactRevision: error.compactRevision };
      if (error instanceof FlotillaError) return { id, type: 'failed', error: toWireError(error) };
      throw error;
    }
  }

  #commit(request: Request & { type: 'commit' }, input: ByteReader, values: Uint8Array[]): Reply {
    const operations = request.operations.map(({ key, valueBytes, ttlSeconds }) => ({
      key,
      ttlSeconds,
      value: valueBytes < 0 ? undefined : input.next(valueBytes),
    }));
    const found = this.#log.commit(request.conditions, operations);
    const { id } = request;
    const { revision } = this.#log;
    if (!found) return { id, type: 'conflict', revision };
    return { id, type: 'committed', revision, previous: found.map((entry) => wirePrevious(entry, values) ?? null) };
  }

  #entries(id: number, revision: number, entries: readonly Entry[], more: boolean, values: Uint8Array[]): Reply {
    const wire = entries.map(({ key, value, modRevision, createRevision }) => {
      values.push(value);
      return { key, modRevision, createRevision, valueBytes: value.byteLength };
    });
    return { id, type: 'entries', revision, entries: wire, more };
  }
}

function wirePrevious(entry: Entry | undefined, values: Uint8Array[]): WirePrevious | undefined {
  if (!entry) return undefined;
  values.push(entry.value);
  const { modRevision, createRevision } = entry;
  return { modRevision, createRevision, valueBytes: entry.value.byteLength };
}

function wireChange(change: LogChange, values: Uint8Array[]) {
  const { key, revision, createRevision, value } = change;
  if (value) values.push(value);
  const previous = wirePrevious(change.previous, values);
  return { key, revision, createRevision, valueBytes: value?.byteLength ?? -1, ...(previous ? { previous } : {}) };
}

/** For a request of a transaction that failed. */
export function failedReply(request: Request, error: unknown): Reply {
  const known = error instanceof FlotillaError ? error : new FlotillaError('StoreUnavailable', messageOf(error));
  return { id: request.id, type: 'failed', error: toWireError(known) };
}
