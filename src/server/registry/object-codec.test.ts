import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigMap, configMaps, leases, type Namespace, namespaces, secrets } from '../../resources/kinds.ts';
import { createMemoryStore } from '../../store/memory.ts';
import { createCipher } from './cipher.ts';
import { createObjectCodec } from './object-codec.ts';
import { objectKey, parseObjectKey } from './object-key.ts';
import { epochKey, ResourceVersions, readResourceVersions } from './resource-version.ts';

const codec = createObjectCodec(createCipher(new Uint8Array(32)), new ResourceVersions(1_000));
const configMap: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', namespace: 'default', resourceVersion: '17' },
  data: { password: 'hunter2hunter2' },
};
const key = objectKey('main', configMaps, 'default', 'c');

test('an encrypted kind is not readable in the store and comes back with the version of its revision', () => {
  const bytes = Buffer.from(codec.encode(configMaps, key, configMap));
  assert.ok(!bytes.includes('hunter2'));
  assert.ok(!bytes.includes(Buffer.from('hunter2hunter2').toString('base64').slice(0, 12)));
  assert.deepEqual(codec.decode(configMaps, key, bytes, 5), {
    ...configMap,
    metadata: { name: 'c', namespace: 'default', resourceVersion: '1005' },
  });
  assert.throws(() => codec.decode(configMaps, key.replace('/c', '/d'), bytes, 5), /cannot decrypt/);
});

test('what was just sealed here comes back the same without being opened, and only under its key', () => {
  const bytes = codec.encode(configMaps, key, configMap);
  assert.deepEqual(codec.decode(configMaps, key, bytes, 5), codec.decode(configMaps, key, Buffer.from(bytes), 5));
  assert.throws(() => codec.decode(configMaps, key.replace('/c', '/d'), bytes, 5), /cannot decrypt/);
});

test('other kinds are JSON with their storage version and no resourceVersion', () => {
  const namespace: Namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n', resourceVersion: '3' } };
  const bytes = codec.encode(namespaces, '/o/main/core/namespaces/n', namespace);
  assert.deepEqual(JSON.parse(Buffer.from(bytes).toString()), {
    v: namespaces.storageVersion,
    o: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } },
  });
});

test('bytes that are no object are said to be corrupt', () => {
  for (const text of ['', 'x', '[]', 'null', '{"v":1}', '{"v":1,"e":"AAAA"}']) {
    assert.throws(() => codec.decode(secrets, key, Buffer.from(text), 1), Error, text);
  }
});

test('keys are made and read back', () => {
  assert.equal(key, '/o/main/core/configmaps/default/c');
  assert.equal(objectKey('system', leases, 'x', 'y'), '/o/system/coordination.k8s.io/leases/x/y');
  assert.deepEqual(parseObjectKey(key), {
    grid: 'main',
    group: '',
    plural: 'configmaps',
    namespace: 'default',
    name: 'c',
  });
  assert.equal(parseObjectKey('/o/main/core/namespaces/n')?.namespace, '');
  for (const other of ['/meta/epoch', '/o/main', '/o/main/core/pods/a/b/c'])
    assert.equal(parseObjectKey(other), undefined);
});

test('resource versions are the store revision behind the offset of this epoch', async () => {
  const store = createMemoryStore();
  assert.equal((await readResourceVersions(store)).format(7), '7');
  await store.commit([], [{ type: 'put', key: epochKey, value: Buffer.from('5000000') }]);
  const versions = await readResourceVersions(store);
  assert.equal(versions.format(7), '5000007');
  assert.equal(versions.parse('5000007'), 7);
  assert.equal(versions.parse('4999999'), -1);
  for (const text of ['', '-1', '1.5', 'x', '0x10', '01']) assert.equal(versions.parse(text), undefined);
  await store.close();
});
