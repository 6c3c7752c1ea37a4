import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import { hasCode } from '../lib/errors.ts';
import { Metrics } from '../lib/metrics.ts';
import { storeContract } from './contract.ts';
import { type Change, type Store, StoreCompacted } from './port.ts';
import { openSqliteStore } from './sqlite.ts';
import { migrations, openSqliteFile, pragma } from './sqlite-file.ts';
import { revisionOf } from './watchers.ts';

storeContract('sqlite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-store-'));
  const clock = new ManualClock();
  const store = await openSqliteStore({ path: join(folder, 'store.db'), clock });
  return {
    store,
    pass: (seconds) => clock.advance(seconds * 1000),
    cleanup: async () => rmSync(folder, { recursive: true }),
  };
});

describe('sqlite store', () => {
  let folder: string;
  let path: string;
  const opened: Store[] = [];
  const open = async (options: Partial<Parameters<typeof openSqliteStore>[0]> = {}) => {
    const store = await openSqliteStore({ path, ...options });
    opened.push(store);
    return store;
  };
  const put = (store: Store, key: string, value = key, ttlSeconds?: number) =>
    store.commit(
      [],
      [{ type: 'put', key, value: Buffer.from(value), ...(ttlSeconds === undefined ? {} : { ttlSeconds }) }],
    );

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'flotilla-store-'));
    path = join(folder, 'data', 'store.db');
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
    rmSync(folder, { recursive: true });
  });

  it('keeps entries, revisions and history over a restart', async () => {
    const first = await open();
    await put(first, '/o/a', 'one');
    const { revision } = await put(first, '/o/a', 'two');
    await first.close();
    const second = await open();
    assert.equal(await second.head(), revision);
    assert.equal((await second.get('/o/a'))?.modRevision, revision);
    assert.deepEqual((await changesAfter(second, 1, 2)).map(revisionOf), [revision - 1, revision]);
    assert.equal((await put(second, '/o/b')).revision, revision + 1);
  });

  it('runs a TTL anew in full after a restart', async () => {
    const clock = new ManualClock();
    const first = await open({ clock });
    await put(first, '/o/a', 'x', 10);
    await clock.advance(8_000);
    await first.close();
    const second = await open({ clock });
    await clock.advance(8_000);
    assert.ok(await second.get('/o/a'));
    await clock.advance(2_500);
    assert.equal(await second.get('/o/a'), undefined);
  });

  it('compacts by itself', async () => {
    const store = await open({ historyRevisions: 100 });
    for (let i = 0; i < 10; i++)
      await Promise.all(Array.from({ length: 50 }, (_, j) => put(store, '/o/a', `${i} ${j}`)));
    await assert.rejects(store.list('/o/', { atRevision: 100 }), StoreCompacted);
    assert.equal((await store.list('/o/', { atRevision: (await store.head()) - 100 })).entries.length, 1);
  });

  it('lists thousands of entries at one revision while others write', async () => {
    const store = await open();
    await Promise.all(Array.from({ length: 2500 }, (_, i) => put(store, `/o/${String(i).padStart(5, '0')}`)));
    const listing = store.list('/o/');
    await Promise.all(Array.from({ length: 300 }, (_, i) => put(store, `/o/${String(i * 8).padStart(5, '0')}`, 'new')));
    const { entries, revision, more } = await listing;
    assert.deepEqual([entries.length, more], [2500, false]);
    assert.ok(entries.every((entry) => entry.modRevision <= revision));
  });

  it('refuses a second opener by the name of the file', async () => {
    await open();
    await assert.rejects(
      open(),
      (error) => hasCode(error, 'StoreUnavailable') && /in use/.test(error.message) && error.message.includes(path),
    );
  });

  it('bounds what waits', async () => {
    const store = await open({ maxPending: 2 });
    const calls = await Promise.allSettled([put(store, '/o/a'), put(store, '/o/b'), put(store, '/o/c')]);
    assert.deepEqual(
      calls.map((call) => call.status),
      ['fulfilled', 'fulfilled', 'rejected'],
    );
    const refused = calls[2]?.status === 'rejected' ? calls[2].reason : undefined;
    assert.ok(hasCode(refused, 'StoreUnavailable') && refused.retryable);
    await put(store, '/o/c');
  });

  it('says that the disk is full, loses nothing, and goes on when there is room', async () => {
    const store = await open({ maxPages: 40, historyRevisions: 1 });
    const value = 'x'.repeat(8000);
    let written = 0;
    const full = await (async () => {
      for (; ; written++) {
        const error: unknown = await put(store, `/o/${written}`, value).then(
          () => undefined,
          (thrown) => thrown,
        );
        if (error) return error;
      }
    })();
    assert.ok(hasCode(full, 'StoreUnavailable') && full.retryable && /full/.test(full.message), String(full));
    assert.match(full.hint ?? '', /free space/);
    assert.equal((await store.list('/o/')).entries.length, written);
    for (let i = 0; i < 5; i++) await store.commit([], [{ type: 'delete', key: `/o/${i}` }]);
    await store.compact(await store.head());
    await put(store, '/o/again', value);
    assert.equal((await store.list('/o/')).entries.length, written - 4);
  });

  it('refuses a file of a newer version, of another program, and no SQLite file', async () => {
    await (await open()).close();
    editFile(path, 'PRAGMA user_version=99');
    await assert.rejects(open(), (error) => hasCode(error, 'StoreTooNew') && /version 99/.test(error.message));
    path = join(folder, 'foreign.db');
    editFile(path, 'CREATE TABLE theirs (x)');
    await assert.rejects(open(), (error) => hasCode(error, 'StoreCorrupt') && /not a store/.test(error.message));
    path = join(folder, 'text.db');
    writeFileSync(path, 'no database at all, but long enough to be one '.repeat(50));
    await assert.rejects(open(), (error) => hasCode(error, 'StoreCorrupt') && error.message.includes(path));
    path = join(folder, 'text.db', 'below-a-file', 'store.db');
    await assert.rejects(open(), (error) => hasCode(error, 'StoreUnavailable') && error.message.includes(path));
  });

  it('notices damage, stops, and tells watches', async () => {
    const first = await open();
    await put(first, '/o/a', 'x'.repeat(400_000));
    await first.close();
    // A long value lies in a chain of pages, each of which starts with the number of the next.
    const fd = openSync(path, 'r+');
    for (let at = 20 * 4096; at < statSync(path).size; at += 4096) writeSync(fd, Buffer.alloc(4, 0x5a), 0, 4, at);
    closeSync(fd);
    const second = await open();
    const ended = new Promise<Error>((resolve) => {
      const { signal } = new AbortController();
      second.watch('/o/', { afterRevision: 10_000, signal, onEnd: resolve, onChanges: () => {} });
    });
    await assert.rejects(second.list('/o/'), (error) => hasCode(error, 'StoreCorrupt') && error.message.includes(path));
    assert.ok(hasCode(await ended, 'StoreCorrupt'));
    await assert.rejects(put(second, '/o/a'), (error) => hasCode(error, 'StoreCorrupt'));
  });

  it('brings a file of an older version up to date, once, or not at all', () => {
    openSqliteFile({ path }, migrations).close();
    const next = [...migrations, "ALTER TABLE log ADD COLUMN note TEXT DEFAULT 'none'"];
    const broken = [...next, 'CREATE TABLE half (x); this is no SQL'];
    assert.throws(() => openSqliteFile({ path }, broken));
    const db = openSqliteFile({ path }, next);
    assert.equal(pragma(db, 'user_version'), next.length);
    assert.equal(db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'half'").get()?.n, 0);
    db.close();
    openSqliteFile({ path }, next).close();
    assert.throws(
      () => openSqliteFile({ path }, migrations),
      (error) => hasCode(error, 'StoreTooNew'),
    );
  });

  it('publishes metrics', async () => {
    const metrics = new Metrics();
    const store = await open({ metrics });
    await put(store, '/o/a');
    const text = metrics.render();
    assert.match(text, /flotilla_store_commit_seconds_count 1/);
    assert.match(text, /flotilla_store_revision 2/);
    assert.match(text, /flotilla_store_file_bytes \d+/);
  });
});

function editFile(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

function changesAfter(store: Store, afterRevision: number, count: number): Promise<readonly Change[]> {
  const stop = new AbortController();
  const changes: Change[] = [];
  return new Promise((resolve, onEnd) => {
    const onChanges = (more: readonly Change[]) => {
      changes.push(...more);
      if (changes.length < count) return;
      stop.abort();
      resolve(changes);
    };
    store.watch('/o/', { afterRevision, signal: stop.signal, onEnd, onChanges });
  });
}
