// What a unit test cannot show of the SQLite store: that an acknowledged write is on the disk, and that no crash tears a commit.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Change, Store } from '../../src/store/port.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { keyOf, revisionOf } from '../../src/store/watchers.ts';

const writer = fileURLToPath(new URL('./store-writer.ts', import.meta.url));
const flags = ['--disable-warning=ExperimentalWarning', writer];
const kills = 150;
const hasStrace = spawnSync('strace', ['-V']).error === undefined;
if (!hasStrace && process.env.CI) throw new Error('strace is missing: apt-get install strace');

describe('sqlite store on a disk', () => {
  let folder: string;
  let path: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'flotilla-sqlite-'));
    path = join(folder, 'store.db');
    // A writer starts in half the time when the first, which ends by itself, has left its compiled code.
    process.env.NODE_COMPILE_CACHE = join(folder, 'cache');
    const first = spawnSync(process.execPath, [...flags, join(folder, 'first.db'), '1', '1'], { encoding: 'utf8' });
    assert.equal(first.status, 0, first.stderr);
  });
  after(() => rmSync(folder, { recursive: true }));

  const skip = hasStrace ? false : 'strace is missing: apt-get install strace';
  it('has synced the WAL before it acknowledges, seen by strace', { skip, timeout: 60_000 }, () => {
    assert.deepEqual(unsyncedAcks(trace(folder, 'FULL')), { acks: 20, unsynced: 0 });
  });

  it('the same check catches a store that does not sync', { skip, timeout: 60_000 }, () => {
    assert.deepEqual(unsyncedAcks(trace(folder, 'OFF')), { acks: 20, unsynced: 20 });
  });

  it(`loses and tears nothing when its process is killed, ${kills} times`, { timeout: 120_000 }, async () => {
    let head = 1;
    let acked = 0;
    let torn = 0;
    for (let round = 0; round < kills; round++) {
      // One round in five is killed while it opens; the others soon after their first acknowledgement.
      const acks = await killedWriter(path, round % 5 === 0 ? 'while opening' : 'while writing');
      const store = await openSqliteStore({ path, historyRevisions: 2000 });
      const found = await verify(store, head, acks);
      acked += acks.length;
      torn += found.unacknowledged;
      head = await store.head();
      await store.close();
    }
    // It was really killed in the middle of its work: commits were on disk that it had not yet told about.
    assert.ok(acked > kills && torn > 0, `${acked} acknowledged, ${torn} not`);
  });

  it('a second process is told who has the file', async () => {
    const store = await openSqliteStore({ path: join(folder, 'taken.db') });
    const second = spawnSync(process.execPath, [...flags, join(folder, 'taken.db')], { encoding: 'utf8' });
    assert.equal(second.status, 1);
    assert.match(second.stderr, /store .*taken\.db is in use by another process/);
    await store.close();
  });

  it('keeps the file bounded under a long load of overwrites', { timeout: 60_000 }, async () => {
    const file = join(folder, 'bounded.db');
    const store = await openSqliteStore({ path: file, historyRevisions: 1000 });
    const value = new Uint8Array(1024).fill(7);
    const sizes: number[] = [];
    for (let part = 0; part < 5; part++) {
      await Promise.all(
        Array.from({ length: 64 }, async (_, worker) => {
          for (let i = 0; i < 150; i++) {
            const key = `/o/${(worker * 17 + i) % 1000}`;
            await store.commit([], [{ type: 'put', key, value }]);
          }
        }),
      );
      sizes.push(statSync(file).size + statSync(`${file}-wal`).size);
    }
    await store.close();
    // 1,000 live values and some 1,500 revisions are 4 MB; beside it the WAL, 16 MiB between checkpoints.
    assert.ok(Math.max(...sizes) < 40 * 2 ** 20, sizes.join(' '));
    assert.ok(statSync(file).size < 10 * 2 ** 20, String(statSync(file).size));
  });
});

/** System calls of a writer of 20 commits, one after the other, as `strace -f -y` tells them. */
function trace(folder: string, synchronous: 'FULL' | 'OFF'): string {
  const out = join(folder, `strace-${synchronous}`);
  const argv = ['-f', '-y', '-e', 'trace=fdatasync,fsync,write,pwrite64,writev,pwritev', '-o', out];
  const command = [process.execPath, ...flags, join(folder, `${synchronous}.db`), '1', '20', synchronous];
  const done = spawnSync('strace', [...argv, ...command], { encoding: 'utf8', timeout: 50_000 });
  assert.equal(done.status, 0, done.stderr);
  return readFileSync(out, 'utf8');
}

/** An acknowledgement is unsynced when the WAL was not written since the last one, or not synced after its last write. */
function unsyncedAcks(text: string): { acks: number; unsynced: number } {
  const syncing = new Map<string, boolean>();
  let isWritten = false;
  let isSynced = false;
  const result = { acks: 0, unsynced: 0 };
  for (const line of text.split('\n')) {
    const [, pid = '', call = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (/^p?writev?(64)?\(\d+<[^>]*-wal>/.test(call)) {
      isWritten = true;
      isSynced = false;
    }
    if (/^f(data)?sync\(\d+<[^>]*-wal>/.test(call)) {
      if (/= 0$/.test(call)) isSynced = true;
      else syncing.set(pid, true); // unfinished: it counts when it ends
    }
    if (/^<\.\.\. f(data)?sync resumed>.*= 0$/.test(call) && syncing.delete(pid)) isSynced = true;
    if (/^write\(1<[^>]*>, "ack /.test(call)) {
      result.acks++;
      if (!isWritten || !isSynced) result.unsynced++;
      isWritten = false;
      isSynced = false;
    }
  }
  return result;
}

interface Ack {
  readonly writer: number;
  readonly n: number;
  readonly revision: number;
}

/** What a writer had acknowledged when SIGKILL hit it. */
async function killedWriter(path: string, moment: 'while opening' | 'while writing'): Promise<Ack[]> {
  const child = spawn(process.execPath, [...flags, path, '8', '1000000'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  const started = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
    if (moment === 'while writing' ? out.includes('ack') : out.includes('open')) started.resolve();
  });
  const closed = once(child, 'close');
  if (moment === 'while opening') await Promise.race([started.promise, delay(40 + Math.random() * 80)]);
  else {
    await Promise.race([started.promise, closed]);
    await delay(Math.random() * 25);
  }
  child.kill('SIGKILL');
  await closed;
  const lines = out.slice(0, out.lastIndexOf('\n') + 1).match(/^ack .*$/gm) ?? [];
  return lines.map((line) => {
    const [writer = 0, n = 0, revision = 0] = line.split(' ').slice(1).map(Number);
    return { writer, n, revision };
  });
}

/** Every acknowledged commit is there; every commit that is there is whole; no revision is missing. */
async function verify(store: Store, from: number, acks: readonly Ack[]): Promise<{ unacknowledged: number }> {
  const head = await store.head();
  const byRevision = new Map<number, Change[]>();
  for (const change of await history(store, Math.max(from, head - 1500), head)) {
    const changes = byRevision.get(revisionOf(change)) ?? [];
    byRevision.set(revisionOf(change), [...changes, change]);
  }
  for (let revision = Math.max(from, head - 1500) + 1; revision <= head; revision++) {
    const changes = byRevision.get(revision) ?? [];
    assert.equal(changes.length, 3, `revision ${revision} has ${changes.length} of its 3 changes`);
    assert.equal(new Set(changes.map(textOf)).size, 1, `revision ${revision} is torn`);
  }
  for (const { writer, n, revision } of acks) {
    assert.ok(revision <= head, `acknowledged revision ${revision} is lost, the newest is ${head}`);
    const changes = byRevision.get(revision);
    if (!changes) continue; // too far back
    assert.deepEqual(changes.map(keyOf), [`/o/object/${writer}`, `/meta/a/${writer}`, `/meta/b/${writer}`]);
    assert.equal(textOf(changes[0]), String(n));
  }
  return { unacknowledged: head - from - acks.length };
}

function textOf(change: Change | undefined): string {
  return change?.type === 'put' ? Buffer.from(change.entry.value).toString() : 'delete';
}

async function history(store: Store, afterRevision: number, head: number): Promise<Change[]> {
  if (head <= afterRevision) return [];
  const stop = new AbortController();
  const changes: Change[] = [];
  await new Promise<void>((resolve, onEnd) => {
    const onChanges = (more: readonly Change[]) => {
      for (const change of more) changes.push(change);
      if (revisionOf(more.at(-1)!) >= head) resolve();
    };
    store.watch('/', { afterRevision, signal: stop.signal, onEnd, onChanges });
  });
  stop.abort();
  return changes;
}
