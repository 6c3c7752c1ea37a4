import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  type Context,
  contextsPath,
  parseContexts,
  readContexts,
  removeContext,
  saveContext,
  selectContext,
} from './contexts.ts';
import { kubeconfigOf, mergeKubeconfig, parseKubeconfig, renderKubeconfig } from './kubeconfig.ts';

const lab: Context = {
  name: 'lab',
  servers: ['https://10.99.0.253:6443'],
  grid: 'main',
  caCertificate: 'CA',
  token: 'fl1.a.b',
};

describe('contexts', () => {
  const directory = mkdtempSync(join(tmpdir(), 'fl-contexts-'));
  const path = join(directory, 'deep', 'config.json');
  after(() => rmSync(directory, { recursive: true }));

  test('where the file is', () => {
    assert.equal(contextsPath({ HOME: '/home/a' }), '/home/a/.config/flotilla/config.json');
    assert.equal(contextsPath({ HOME: '/home/a', XDG_CONFIG_HOME: '/x' }), '/x/flotilla/config.json');
    assert.equal(contextsPath({ HOME: '/home/a', FLOTILLA_CONFIG: '/c.json' }), '/c.json');
  });

  test('saved, chosen, removed; readable by the owner only; no temporary file left', () => {
    assert.deepEqual(readContexts(path).contexts, {});
    saveContext(path, lab, { makeCurrent: true });
    saveContext(path, { ...lab, name: 'home', grid: 'g2' }, { makeCurrent: false });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(directory, 'deep')), ['config.json']);
    const file = readContexts(path);
    assert.deepEqual(selectContext(file, undefined, {}), lab);
    assert.equal(selectContext(file, undefined, { FLOTILLA_CONTEXT: 'home' }).grid, 'g2');
    assert.equal(selectContext(file, 'lab', { FLOTILLA_CONTEXT: 'home' }).grid, 'main');
    assert.throws(() => selectContext(file, 'nope', {}), { code: 'NotFound', hint: 'there are: lab, home' });
    assert.equal(removeContext(path, 'lab'), true);
    assert.equal(removeContext(path, 'lab'), false);
    assert.throws(() => selectContext(readContexts(path), undefined, {}), {
      code: 'NotFound',
      hint: 'choose one: flotilla context use home',
    });
    assert.throws(() => selectContext(readContexts(path), 'constructor', {}), { code: 'NotFound' });
  });

  test('a file that is none is refused by name', () => {
    for (const text of ['{', '[]', '{}', '{"version":2}', '{"version":1}', '{"version":1,"contexts":{"a":{}}}']) {
      assert.throws(() => parseContexts(text, '/c.json'), { code: 'BadFile', message: /contexts file \/c\.json: / });
    }
    writeFileSync(path, 'x');
    assert.throws(() => readContexts(path), { code: 'BadFile' });
  });
});

describe('kubeconfig', () => {
  test('speaks with the grid of the context', () => {
    const file = parseKubeconfig(renderKubeconfig(kubeconfigOf(lab)), 'x');
    assert.deepEqual(file.clusters[0]?.cluster, {
      server: 'https://10.99.0.253:6443/grids/main',
      'certificate-authority-data': Buffer.from('CA').toString('base64'),
    });
    assert.deepEqual(file.users, [{ name: 'flotilla-lab', user: { token: 'fl1.a.b' } }]);
    assert.equal(file['current-context'], 'flotilla-lab');
  });

  test('is merged into one that exists, whose other entries stay', () => {
    const other =
      'clusters: [{name: k, cluster: {server: s}}, {name: flotilla-lab, cluster: {}}]\npreferences: {colors: true}';
    const merged = mergeKubeconfig(parseKubeconfig(other, 'x'), kubeconfigOf(lab));
    assert.deepEqual(
      merged.clusters.map((one) => one.name),
      ['k', 'flotilla-lab'],
    );
    assert.deepEqual(merged.preferences, { colors: true });
    for (const text of ['a: [', 'text', '[1]', 'clusters: 3']) {
      assert.throws(() => parseKubeconfig(text, 'x'), { code: 'BadFile' });
    }
    assert.deepEqual(parseKubeconfig('', 'x').clusters, []);
  });
});
