import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FlotillaError, messageOf } from '../lib/errors.ts';

/** Marks our files (`PRAGMA application_id`): "Flot". */
const applicationId = 0x466c6f74;

/**
 * Each brings the file from version `index` to `index + 1` (`PRAGMA user_version`). Never edit one that was released: append.
 *
 * `log` holds the newest put of each key, and every put and delete (value NULL) of the history; id = revision × 128 +
 * position in its commit; `prev` = id of the put it replaced; `ttl` in seconds, 0 = for ever.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE log (id INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER NOT NULL, prev INTEGER,
     ttl INTEGER NOT NULL, value BLOB);
   CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
   INSERT INTO meta VALUES ('revision', 1), ('compacted', 0);`,
];

export interface SqliteFileOptions {
  readonly path: string;
  /** `OFF` only in the test that shows what it would lose. Default FULL. */
  readonly synchronous?: 'FULL' | 'OFF';
  /** The file never grows beyond so many pages of 4 KiB; for tests of a full disk. */
  readonly maxPages?: number;
}

/** Opens or makes the file, takes it for this process alone, brings its schema up to date. Throws FlotillaError. */
export function openSqliteFile(options: SqliteFileOptions, steps: readonly string[] = migrations): DatabaseSync {
  const { path } = options;
  let db: DatabaseSync | undefined;
  try {
    const isNew = !existsSync(path);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    db = new DatabaseSync(path, { timeout: 0 });
    // Order matters: locking mode before the first access to a WAL, page format before the first table.
    db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL');
    db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=${options.synchronous ?? 'FULL'}`);
    // 16 MiB of WAL between checkpoints, cut back to that afterwards; 8 MiB of page cache.
    db.exec('PRAGMA wal_autocheckpoint=4096; PRAGMA journal_size_limit=16777216; PRAGMA cache_size=-8192');
    db.exec('PRAGMA temp_store=MEMORY');
    if (options.maxPages !== undefined) db.exec(`PRAGMA max_page_count=${options.maxPages}`);
    migrate(db, path, steps);
    if (isNew) syncDirectory(dirname(path));
    return db;
  } catch (error) {
    db?.close();
    throw storeError(error, path);
  }
}

function migrate(db: DatabaseSync, path: string, steps: readonly string[]): void {
  db.exec('BEGIN IMMEDIATE');
  const version = pragma(db, 'user_version');
  const tables = Number(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n);
  if (pragma(db, 'application_id') !== applicationId && (version !== 0 || tables > 0)) {
    throw new FlotillaError('StoreCorrupt', `${path} is an SQLite file, but not a store of Flotilla`, {
      hint: 'give the store a path of its own',
    });
  }
  if (version > steps.length) {
    throw new FlotillaError(
      'StoreTooNew',
      `store ${path} has schema version ${version}, this program knows versions up to ${steps.length}`,
      { hint: 'run the newer version of flotilla that wrote it, or restore a backup made by this one' },
    );
  }
  for (const step of steps.slice(version)) db.exec(step);
  db.exec(`PRAGMA application_id=${applicationId}; PRAGMA user_version=${steps.length}; COMMIT`);
}

/** A new file survives a power cut only when its name does. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

/** SQLite's result codes (sqlite.org/rescode.html) as errors a person can act on. */
export function storeError(error: unknown, path: string): FlotillaError {
  if (error instanceof FlotillaError) return error;
  const words = messageOf(error);
  const options = { cause: error };
  switch (sqliteCode(error)) {
    case 5:
    case 6:
      return new FlotillaError('StoreUnavailable', `store ${path} is in use by another process`, {
        ...options,
        hint: `stop the other server, or find it with: fuser ${path}`,
      });
    case 11:
    case 26:
      return new FlotillaError('StoreCorrupt', `store ${path} is damaged: ${words}`, {
        ...options,
        hint: 'move the file and its -wal away and restore a backup',
      });
    case 13:
      return new FlotillaError('StoreUnavailable', `cannot write to store ${path}: ${words}`, {
        ...options,
        retryable: true,
        hint: 'free space on its file system',
      });
    default:
      return new FlotillaError('StoreUnavailable', `store ${path} failed: ${words}`, {
        ...options,
        hint: 'check the file, its permissions and its disk, then start the server again',
      });
  }
}

/** The transaction was rolled back and the file is sound: the next one may succeed. */
export function isDiskFull(error: unknown): boolean {
  return sqliteCode(error) === 13;
}

function sqliteCode(error: unknown): number {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : -1;
}
