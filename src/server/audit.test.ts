import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../lib/clock.ts';
import { silentLogger } from '../lib/log.ts';
import { openAuditLog } from './audit.ts';

const record = {
  user: 'flotilla:admin',
  sourceAddress: '127.0.0.1',
  userAgent: 'kubectl',
  verb: 'create',
  grid: 'main',
  resource: 'secrets',
  code: 201,
};

test('records are JSON lines in order, for the owner only; files rotate and old ones go', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-audit-'));
  try {
    const file = join(directory, 'audit.log');
    const open = () => openAuditLog({ file, rotateBytes: 1_000, keep: 2, clock: new ManualClock(), log: silentLogger });
    for (let round = 0; round < 10; round++) {
      const audit = await open();
      for (let index = 0; index < 10; index++) audit.write({ requestId: `r${round}-${index}`, ...record });
      await audit.stop();
    }
    assert.deepEqual((await readdir(directory)).sort(), ['audit.log', 'audit.log.1', 'audit.log.2']);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    const last = JSON.parse(lines.at(-1) ?? '{}');
    assert.deepEqual(last, { time: '2026-01-01T00:00:00.000Z', requestId: 'r9-9', ...record });
    const newest = lines.map((line) => JSON.parse(line).requestId).slice(-10);
    assert.deepEqual(
      newest,
      Array.from({ length: 10 }, (_, index) => `r9-${index}`),
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test('more than may wait for the disk is written at once, not dropped', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flotilla-audit-'));
  try {
    const file = join(directory, 'audit.log');
    const audit = await openAuditLog({ file, clock: new ManualClock(), log: silentLogger });
    const count = 30_000;
    for (let index = 0; index < count; index++) audit.write({ requestId: `${index}`, ...record });
    await audit.stop();
    const ids = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => Number(JSON.parse(line).requestId));
    assert.equal(new Set(ids).size, count);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
