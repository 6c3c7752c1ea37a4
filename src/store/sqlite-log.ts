import type { DatabaseSync } from 'node:sqlite';
import { futureRevision, prefixEnd } from './checks.ts';
import { type Condition, type Entry, StoreCompacted } from './port.ts';

/** Positions inside one commit; also etcd's limit of operations. */
const slots = 128;
/** No id of a revision is above this. */
const lastId = (revision: number) => revision * slots + slots - 1;
const revisionOfId = (id: number) => Math.floor(id / slots);

export interface LogOperation {
  readonly key: string;
  /** Undefined: delete. */
  readonly value: Uint8Array | undefined;
  /** 0: for ever. */
  readonly ttlSeconds: number;
}

export interface LogChange {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  readonly value: Uint8Array | undefined;
  readonly previous: Entry | undefined;
}

type Row = Readonly<Record<string, unknown>>;

/**
 * The history and the keys of an open file. Synchronous; knows nothing of transactions: its caller wraps calls in one and
 * calls `flush` before COMMIT, or `reload` after a ROLLBACK.
 */
export class SqliteLog {
  readonly #db: DatabaseSync;
  readonly #sql: ReturnType<typeof prepare>;
  #revision = 0;
  #compacted = 0;

  constructor(db: DatabaseSync) {
    this.#db = db;
    db.exec(indexKeys);
    this.#sql = prepare(db);
    this.reload();
  }

  get revision(): number {
    return this.#revision;
  }

  get compactRevision(): number {
    return this.#compacted;
  }

  reload(): void {
    this.#revision = Number(this.#sql.getMeta.get('revision')?.value);
    this.#compacted = Number(this.#sql.getMeta.get('compacted')?.value);
  }

  flush(): void {
    this.#sql.setMeta.run(this.#revision, 'revision');
    this.#sql.setMeta.run(this.#compacted, 'compacted');
  }

  /** What each operation found; undefined when a condition does not hold. */
  commit(conditions: readonly Condition[], operations: readonly LogOperation[]): (Entry | undefined)[] | undefined {
    for (const condition of conditions) {
      const id = this.#sql.currentId.get(condition.key)?.id;
      if ((id === undefined ? 0 : revisionOfId(Number(id))) !== condition.modRevision) return undefined;
    }
    const revision = this.#revision + 1;
    let changed = false;
    const found = operations.map(({ key, value, ttlSeconds }, slot) => {
      const id = this.#sql.currentId.get(key)?.id;
      const previous = id === undefined ? undefined : this.#entry(Number(id));
      if (value === undefined && !previous) return undefined;
      changed = true;
      const newId = revision * slots + slot;
      const prev = id === undefined ? null : Number(id);
      const created = previous?.createRevision ?? revision;
      this.#sql.append.run(newId, key, created, prev, ttlSeconds, value ?? null);
      if (value === undefined) this.#sql.dropCurrent.run(key);
      else this.#sql.setCurrent.run(key, newId, ttlSeconds);
      return previous;
    });
    if (changed) this.#revision = revision;
    return found;
  }

  get(key: string): Entry | undefined {
    const id = this.#sql.currentId.get(key)?.id;
    return id === undefined ? undefined : this.#entry(Number(id));
  }

  /** At most `limit` entries and one call's worth of bytes. */
  list(options: { prefix: string; atRevision?: number; startAfter?: string; limit: number; maxBytes: number }) {
    const revision = options.atRevision ?? this.#revision;
    if (revision > this.#revision) throw futureRevision(revision, this.#revision);
    if (revision < this.#compacted) throw new StoreCompacted(this.#compacted);
    const { prefix, limit } = options;
    const after = options.startAfter !== undefined && options.startAfter > prefix ? options.startAfter : '';
    const range = [prefix, prefixEnd(prefix), after] as const;
    let ids = this.#sql.currentIds.all(...range, lastId(revision), limit + 1).map(keyAndId);
    if (revision < this.#revision) {
      // What a key that changed since then held before the first of its changes.
      const replaced = this.#sql.firstChanges.all(lastId(revision), ...range);
      ids = ids.concat(replaced.filter((row) => row.prev !== null).map((row) => [String(row.key), Number(row.prev)]));
      ids.sort(([a], [b]) => (a < b ? -1 : 1));
    }
    const entries: Entry[] = [];
    let bytes = 0;
    for (const [, id] of ids.slice(0, limit)) {
      const entry = this.#entry(id);
      entries.push(entry);
      bytes += entry.value.byteLength;
      if (bytes > options.maxBytes) break;
    }
    return { revision, entries, more: ids.length > entries.length };
  }

  /** Changes after a revision, whole revisions only. */
  history(options: { prefix: string; afterRevision: number; limit: number; maxBytes: number }) {
    if (options.afterRevision < this.#compacted) throw new StoreCompacted(this.#compacted);
    const changes: LogChange[] = [];
    let bytes = 0;
    const from = lastId(options.afterRevision);
    for (const row of this.#sql.changes.iterate(from, options.prefix, prefixEnd(options.prefix))) {
      const revision = revisionOfId(Number(row.id));
      const isFull = changes.length >= options.limit || bytes > options.maxBytes;
      const last = changes.at(-1)?.revision;
      if (isFull && last !== undefined && last !== revision) return { changes, upTo: last, done: false };
      const previous = row.prev === null ? undefined : this.#entry(Number(row.prev));
      const value = row.value === null ? undefined : bytesOf(row);
      changes.push({ key: String(row.key), revision, createRevision: Number(row.created), value, previous });
      bytes += (value?.byteLength ?? 0) + (previous?.value.byteLength ?? 0);
    }
    return { changes, upTo: this.#revision, done: true };
  }

  /** Forgets what was replaced or deleted up to `revision`, for at most `maxRevisions` of them. True: all done. */
  compact(revision: number, maxRevisions: number): boolean {
    if (revision > this.#revision) throw futureRevision(revision, this.#revision);
    if (revision <= this.#compacted) return true;
    const upTo = Math.min(revision, this.#compacted + maxRevisions);
    const range = [lastId(this.#compacted), lastId(upTo)] as const;
    this.#sql.dropReplaced.run(...range);
    this.#sql.dropDeletes.run(...range);
    this.#compacted = upTo;
    return upTo === revision;
  }

  /** Gives free pages back to the file system, a few at a time. */
  shrink(pages: number): void {
    this.#db.exec(`PRAGMA incremental_vacuum(${pages})`);
  }

  ttls(): { key: string; modRevision: number; ttlSeconds: number }[] {
    return this.#sql.ttls.all().map((row) => ({
      key: String(row.key),
      modRevision: revisionOfId(Number(row.id)),
      ttlSeconds: Number(row.ttl),
    }));
  }

  #entry(id: number): Entry {
    const row = this.#sql.logRow.get(id);
    if (!row) throw new Error(`store: history has no entry ${id}`);
    return {
      key: String(row.key),
      value: bytesOf(row),
      modRevision: revisionOfId(id),
      createRevision: Number(row.created),
    };
  }
}

/**
 * The keys that exist now, in memory: on disk they would be two thirds of what each commit writes. Read from the log at
 * start, puts in order and then what was deleted; typeof() looks at no value (a long one lies on pages of its own).
 */
const indexKeys = `
  CREATE TEMP TABLE cur (key TEXT PRIMARY KEY, id INTEGER NOT NULL, ttl INTEGER NOT NULL) WITHOUT ROWID;
  INSERT OR REPLACE INTO cur SELECT key, id, ttl FROM log WHERE typeof(value) <> 'null' ORDER BY id;
  DELETE FROM cur WHERE id IN (SELECT prev FROM log WHERE typeof(value) = 'null');`;

function prepare(db: DatabaseSync) {
  return {
    getMeta: db.prepare('SELECT value FROM meta WHERE name = ?'),
    setMeta: db.prepare('UPDATE meta SET value = ? WHERE name = ?'),
    currentId: db.prepare('SELECT id FROM cur WHERE key = ?'),
    logRow: db.prepare('SELECT key, created, value FROM log WHERE id = ?'),
    append: db.prepare('INSERT INTO log (id, key, created, prev, ttl, value) VALUES (?, ?, ?, ?, ?, ?)'),
    setCurrent: db.prepare('INSERT OR REPLACE INTO cur (key, id, ttl) VALUES (?, ?, ?)'),
    dropCurrent: db.prepare('DELETE FROM cur WHERE key = ?'),
    currentIds: db.prepare(
      'SELECT key, id FROM cur WHERE key >= ? AND key < ? AND key > ? AND id <= ? ORDER BY key LIMIT ?',
    ),
    // With min(), SQLite takes the other columns from the row of the minimum (sqlite.org/lang_select.html §2.5).
    firstChanges: db.prepare(
      'SELECT key, min(id), prev FROM log WHERE id > ? AND key >= ? AND key < ? AND key > ? GROUP BY key',
    ),
    changes: db.prepare(
      'SELECT id, key, created, prev, value FROM log WHERE id > ? AND key >= ? AND key < ? ORDER BY id',
    ),
    dropReplaced: db.prepare(
      'DELETE FROM log WHERE id IN (SELECT prev FROM log WHERE id > ? AND id <= ? AND prev IS NOT NULL)',
    ),
    dropDeletes: db.prepare('DELETE FROM log WHERE id > ? AND id <= ? AND value IS NULL'),
    ttls: db.prepare('SELECT key, id, ttl FROM cur WHERE ttl > 0'),
  };
}

function keyAndId(row: Row): [string, number] {
  return [String(row.key), Number(row.id)];
}

function bytesOf(row: Row): Uint8Array {
  if (row.value instanceof Uint8Array) return row.value;
  throw new Error(`store: value of ${String(row.key)} is not bytes`);
}
