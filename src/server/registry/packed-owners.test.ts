import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfigMap, configMaps, namespaces } from '../../resources/kinds.ts';
import { createCipher } from './cipher.ts';
import { createObjectCodec } from './object-codec.ts';
import { objectKey } from './object-key.ts';
import { ResourceVersions } from './resource-version.ts';

const codec = createObjectCodec(createCipher(new Uint8Array(32)), new ResourceVersions(0));

function owned(name: string): ConfigMap {
  const fieldsV1 = { 'f:data': { '.': {}, 'f:a': {} } };
  const entry = { manager: 'm', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1 };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'd', managedFields: [entry] } };
}

test('owners come back as they were, and objects with the same owners share them', () => {
  for (const kind of [configMaps, namespaces]) {
    const read = ['a', 'b'].map((name) => {
      const key = objectKey('main', kind, 'd', name);
      const bytes = codec.encode(kind, key, owned(name));
      return codec.decode(kind, key, Buffer.from(bytes), 1);
    });
    const [one, other] = read.map((object) => object.metadata.managedFields?.[0]);
    assert.deepEqual(one, owned('a').metadata.managedFields?.[0]);
    assert.equal(one?.fieldsV1, other?.fieldsV1);
  }
});

test('owners that were stored as a tree are read, too', () => {
  const text = JSON.stringify({ v: namespaces.storageVersion, o: owned('a') });
  const { metadata } = codec.decode(namespaces, '/o/main/core/namespaces/a', Buffer.from(text), 1);
  assert.deepEqual(metadata.managedFields, owned('a').metadata.managedFields);
});
