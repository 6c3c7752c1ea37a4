import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../lib/errors.ts';
import type { Kind } from './kind.ts';
import { allKinds, type Volume, volumes } from './kinds.ts';
import { fromStored, toStored } from './stored.ts';

const volume: Volume = {
  apiVersion: 'flotilla.dev/v1alpha1',
  kind: 'Volume',
  metadata: { name: 'data', namespace: 'shop', resourceVersion: '7', uid: 'u' },
  spec: { nodeName: 'h1' },
};

/** As if two earlier releases had stored the node under other names. */
const changed: Kind<Volume> = {
  ...volumes,
  storageVersion: 3,
  migrations: {
    1: ({ host, ...rest }) => ({ ...rest, spec: { host } }),
    2: (form) => {
      const { host } = form.spec as { host: string };
      return { ...form, spec: { nodeName: host } };
    },
  },
};

test('what is stored is the object without its resourceVersion, in the newest form', () => {
  const stored = toStored(changed, volume);
  assert.equal(stored.v, 3);
  assert.equal(JSON.stringify(stored).includes('resourceVersion'), false);
  const { resourceVersion: _resourceVersion, ...metadata } = volume.metadata;
  assert.deepEqual(fromStored(changed, JSON.parse(JSON.stringify(stored))), { ...volume, metadata });
});

test('older forms are migrated step by step', () => {
  const metadata = { name: 'data', namespace: 'shop' };
  const expected = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Volume', metadata, spec: { nodeName: 'h1' } };
  assert.deepEqual(fromStored(changed, { v: 1, o: { metadata, host: 'h1' } }), expected);
  assert.deepEqual(fromStored(changed, { v: 2, o: { metadata, spec: { host: 'h1' } } }), expected);
});

test('a newer form is refused with the object and the next step', () => {
  assert.throws(
    () => fromStored(volumes, { v: 2, o: { metadata: { name: 'data', namespace: 'shop' } } }),
    (error: unknown) =>
      hasCode(error, 'StoreTooNew') &&
      error.message === 'volumes.flotilla.dev "shop/data" has storage version 2, this release knows 1' &&
      error.hint === 'run the newer release that wrote it',
  );
});

test('what is no stored object is refused', () => {
  for (const value of [null, 7, {}, { v: 1 }, { v: '1', o: { metadata: {} } }, { v: 1, o: {} }]) {
    assert.throws(
      () => fromStored(volumes, value),
      (error: unknown) => hasCode(error, 'StoreCorrupt'),
    );
  }
  const gap = { ...changed, migrations: {} };
  assert.throws(
    () => fromStored(gap, { v: 1, o: { metadata: {} } }),
    (error: unknown) => hasCode(error, 'StoreCorrupt'),
  );
});

test('every kind says how each earlier form becomes the next', () => {
  for (const kind of allKinds) {
    const known = Object.keys(kind.migrations).map(Number);
    assert.deepEqual(
      known,
      Array.from({ length: kind.storageVersion - 1 }, (_, index) => index + 1),
      kind.kind,
    );
  }
});

test('whatever may repeat a secret value is encrypted', () => {
  const encrypted = allKinds.filter((kind) => kind.encrypted).map((kind) => kind.kind);
  assert.deepEqual(encrypted.sort(), [
    'ConfigMap',
    'ControllerRevision',
    'Deployment',
    'Pod',
    'ReplicaSet',
    'Secret',
    'Stack',
  ]);
});
