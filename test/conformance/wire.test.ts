// What Kubernetes' list has no test of, and every client leans on: empty maps are the same as none, however they are written.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { randomName, rawScene } from './scene.ts';

describe('empty maps', () => {
  const bodyOf = (name: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: {},
    binaryData: {},
  });
  const writes = [
    ['create', 'POST', 'application/json', (name: string) => bodyOf(name)],
    ['update', 'PUT', 'application/json', (name: string) => bodyOf(name)],
    ['merge patch', 'PATCH', 'application/merge-patch+json', () => ({ data: { a: null }, binaryData: {} })],
    ['strategic merge patch', 'PATCH', 'application/strategic-merge-patch+json', () => ({ data: { a: null } })],
    ['JSON patch', 'PATCH', 'application/json-patch+json', () => [{ op: 'remove', path: '/data/a' }]],
    ['apply', 'PATCH', 'application/apply-patch+yaml', (name: string) => bodyOf(name)],
  ] as const;

  for (const [title, method, contentType, bodyFor] of writes) {
    test(`are not kept by ${title}`, async () => {
      const { raw } = await rawScene();
      const name = randomName('empty');
      const path = '/api/v1/namespaces/default/configmaps';
      const isNew = title === 'create' || title === 'apply';
      if (!isNew) await raw('POST', path, { body: { ...bodyOf(name), data: { a: 'b' } } });
      const query = title === 'apply' ? '?fieldManager=test' : '';
      const at = method === 'POST' ? path : `${path}/${name}${query}`;
      const written = await raw<Record<string, unknown>>(method, at, { body: bodyFor(name), contentType });
      assert.ok(written.code < 300, JSON.stringify(written.body));
      const read = await raw<Record<string, unknown>>('GET', `${path}/${name}`);
      for (const { body } of [written, read])
        assert.deepEqual(Object.keys(body).sort(), ['apiVersion', 'kind', 'metadata']);
    });
  }
});
