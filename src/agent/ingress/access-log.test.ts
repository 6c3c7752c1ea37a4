import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { AccessEntry } from '../../adapters/ingress/port.ts';
import { ManualClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { type AccessLogFile, openAccessLog } from './access-log.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'access-log-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const entry = (path: string): AccessEntry => ({
  ...{ kind: 'http', timeMs: Date.UTC(2026, 0, 1), client: '192.0.2.1', receivedBytes: 1, sentBytes: 2, totalMs: 3 },
  ...{ retries: 0, end: '--', host: 'a.b', method: 'GET', path, status: 200 },
});
const openIn = (name: string, maxBytes?: number): AccessLogFile =>
  openAccessLog({
    ...{ path: join(directory, name), clock: new ManualClock(), log: silentLogger },
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
const pathsOf = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { path: string }).path);

async function readAll(log: AccessLogFile, tailLines: number): Promise<string[]> {
  const found: string[] = [];
  const { signal } = new AbortController();
  for await (const chunk of log.read({ tailLines, follow: false }, signal)) {
    found.push(...pathsOf(Buffer.from(chunk).toString()));
  }
  return found;
}

test('a line a request; the newest are read, also those that are not on disk yet', async () => {
  const log = openIn('one');
  for (const path of ['/1', '/2', '/3']) log.write(entry(path));
  assert.deepEqual(await readAll(log, 2), ['/2', '/3']);
  log.write(entry('/4'));
  assert.deepEqual(await readAll(log, 10), ['/1', '/2', '/3', '/4']);
  await log.stop();
  const [line = ''] = (await readFile(join(directory, 'one'), 'utf8')).split('\n');
  assert.deepEqual(JSON.parse(line), {
    ...{ time: '2026-01-01T00:00:00.000Z', kind: 'http', client: '192.0.2.1', receivedBytes: 1, sentBytes: 2 },
    ...{ totalMs: 3, retries: 0, end: '--', host: 'a.b', method: 'GET', path: '/1', status: 200 },
  });
});

test('who follows gets each line once, and nothing after he has gone', async () => {
  const log = openIn('two');
  log.write(entry('/1'));
  const abort = new AbortController();
  const found: string[] = [];
  for await (const chunk of log.read({ tailLines: 5, follow: true }, abort.signal)) {
    found.push(...pathsOf(Buffer.from(chunk).toString()));
    if (found.length === 1) for (const path of ['/2', '/3']) log.write(entry(path));
    if (found.length === 3) abort.abort();
  }
  log.write(entry('/4'));
  assert.deepEqual(found, ['/1', '/2', '/3']);
  await log.stop();
});

test('a file that is full makes room; what cannot be written is counted, and harms nobody', async () => {
  const log = openIn('three', 100);
  log.write(entry('/1'));
  await readAll(log, 0);
  log.write(entry('/2'));
  await readAll(log, 0);
  assert.deepEqual(await readAll(log, 9), ['/2']);
  assert.deepEqual(pathsOf(await readFile(join(directory, 'three.1'), 'utf8')), ['/1']);
  await log.stop();
  const bad = openAccessLog({
    path: join(directory, 'three', 'no-directory'),
    clock: new ManualClock(),
    log: silentLogger,
  });
  bad.write(entry('/1'));
  await bad.stop();
  assert.equal(bad.dropped, 1);
});
