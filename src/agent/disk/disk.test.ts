import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hasCode } from '../../lib/errors.ts';
import { podOf } from '../pod/test-objects.ts';
import { type AgentState, openAgentState, parseAgentState, readAgentState } from './agent-state.ts';
import { openAssignments, readAssignments, sealAssignments, writeAssignments } from './assignments.ts';
import { coalesce } from './coalesced-writer.ts';
import { applyPayload } from './payload.ts';
import { createPodFiles } from './pod-files.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flotilla-agent-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const state: AgentState = {
  version: 1,
  nodeName: 'h1',
  grid: 'main',
  servers: ['https://192.0.2.1:7443'],
  addresses: { next: 3, byPod: { a: '10.80.0.2' } },
};

describe('state on disk', () => {
  it('comes back as it was', async () => {
    assert.equal(await readAgentState(directory), undefined);
    await openAgentState(directory, state).save();
    assert.deepEqual(await readAgentState(directory), state);
    assert.equal((await stat(join(directory, 'state.json'))).mode & 0o777, 0o600);
  });
  it('of a newer version is refused, with both versions', () => {
    const newer = JSON.stringify({ ...state, version: 9 });
    assert.throws(
      () => parseAgentState(newer, '/d/state.json'),
      (error) => hasCode(error, 'StoreTooNew') && /version 9; this agent knows up to 1/.test(error.message),
    );
  });
  it('that is broken is refused, not guessed', () => {
    for (const text of ['', '{', '{}', '{"version":1}']) {
      assert.throws(
        () => parseAgentState(text, '/d/state.json'),
        (error) => hasCode(error, 'StoreCorrupt'),
      );
    }
  });
  it('is written once for many changes, and each waits for a write that saw it', async () => {
    let writes = 0;
    let value = 0;
    const written: number[] = [];
    const save = coalesce(async () => {
      writes++;
      const seen = value;
      await Promise.resolve();
      written.push(seen);
    });
    await Promise.all(
      [1, 2, 3, 4].map(async (one) => {
        value = one;
        await save();
        assert.ok((written.at(-1) ?? 0) >= one);
      }),
    );
    assert.equal(writes, 2);
  });
});

describe('assignments on disk', () => {
  const assignments = {
    pods: [podOf({ env: [{ name: 'PASSWORD', value: 'hunter2-in-the-clear' }] })],
    references: [],
    nodes: [],
    services: [],
    endpointSlices: [],
  };
  it('come back with the same key, and tell nothing without', async () => {
    assert.equal(await readAssignments(directory, 'key'), undefined);
    await writeAssignments(directory, assignments, 'key');
    assert.deepEqual(await readAssignments(directory, 'key'), assignments);
    const raw = await readFile(join(directory, 'assignments'));
    assert.equal(raw.includes('hunter2'), false);
    assert.equal(raw.includes(Buffer.from('hunter2-in-the').toString('base64')), false);
    await assert.rejects(readAssignments(directory, 'other key'), (error) => hasCode(error, 'StoreCorrupt'));
  });
  it('are refused when changed by one bit, or newer', () => {
    const sealed = sealAssignments(assignments, 'key');
    const bent = Buffer.from(sealed);
    bent[bent.length - 20] = (bent[bent.length - 20] ?? 0) ^ 1;
    assert.throws(
      () => openAssignments(bent, 'key', 'f'),
      (error) => hasCode(error, 'StoreCorrupt'),
    );
    const newer = Buffer.concat([Buffer.from('{"version":2}\n'), sealed.subarray(sealed.indexOf(10) + 1)]);
    assert.throws(
      () => openAssignments(newer, 'key', 'f'),
      (error) => hasCode(error, 'StoreTooNew'),
    );
  });
});

describe('files of pods', () => {
  it('hold exactly what is planned, with modes, whatever was there', async () => {
    const target = join(directory, 'volume');
    const file = (path: string, text: string, mode = 0o644) => ({ path, mode, data: Buffer.from(text) });
    assert.equal(await applyPayload(target, [file('a', '1'), file('deep/b', '2', 0o400)]), true);
    await writeFile(join(target, 'stray'), 'x');
    await rm(join(target, 'a'));
    await mkdir(join(target, 'a'));
    assert.equal(await applyPayload(target, [file('a', '1'), file('deep/b', '2', 0o400)]), false);
    assert.equal(await readFile(join(target, 'a'), 'utf8'), '1');
    await applyPayload(target, [file('deep/b', '3', 0o440)]);
    assert.equal(await readFile(join(target, 'deep/b'), 'utf8'), '3');
    assert.equal((await stat(join(target, 'deep/b'))).mode & 0o777, 0o440);
    assert.deepEqual(
      (await readdir(target)).filter((name) => !name.startsWith('..')),
      ['deep'],
    );
    assert.equal((await readdir(target)).length, 3, 'no earlier files are kept');
  });
  it('change all at one moment: who reads two of them never sees an old one beside a new one', async () => {
    const target = join(directory, 'atomic');
    const both = (text: string) => ['a', 'b'].map((path) => ({ path, mode: 0o644, data: Buffer.from(text) }));
    await applyPayload(target, both('0'));
    let isOver = false;
    const torn: string[] = [];
    const look = async () => {
      while (!isOver) {
        const data = await realpath(join(target, '..data'));
        const [a, b] = await Promise.all(
          ['a', 'b'].map((name) => readFile(join(data, name), 'utf8').catch(() => 'gone')),
        );
        if (a !== b && a !== 'gone' && b !== 'gone') torn.push(`${a} ${b}`);
      }
    };
    const looking = look();
    for (let round = 1; round < 30; round++) await applyPayload(target, both(String(round)));
    isOver = true;
    await looking;
    assert.deepEqual(torn, []);
    assert.equal(await readFile(join(target, 'b'), 'utf8'), '29');
  });
  it('are made, listed and removed by pod', async () => {
    const exec = async () => {
      throw new Error('nothing is mounted in this test');
    };
    const files = createPodFiles({ dataDirectory: directory, exec, mountMemory: false });
    const { disk, memory } = files.directories('u1');
    await files.apply('u1', [
      { type: 'directory', path: join(disk, 'volumes/e'), mode: 0o777, isOurs: true },
      { type: 'files', path: join(memory, 's'), files: [{ path: 'k', mode: 0o600, data: Buffer.from('v') }] },
    ]);
    assert.equal((await stat(join(disk, 'volumes/e'))).mode & 0o777, 0o777);
    assert.equal(await readFile(await files.write('u1', 'resolv.conf', 'x'), 'utf8'), 'x');
    assert.deepEqual(await files.list(), ['u1']);
    const files2 = [{ path: 'k', mode: 0o600, data: Buffer.from('w') }];
    await Promise.all([
      files.refresh('u1', [{ type: 'files', path: join(memory, 's'), files: files2 }]),
      files.remove('u1'),
      files.refresh('u1', [{ type: 'files', path: join(memory, 's'), files: files2 }]),
    ]);
    assert.deepEqual(await files.list(), []);
  });
});
