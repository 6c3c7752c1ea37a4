// sig-storage, as far as it is about the API.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { conformance, gone, refused } from './scene.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('sig-storage: immutability', { concurrency: 2 }, () => {
  conformance('ConfigMap Volume, immutability', async ({ core, namespace }) => {
    const name = 'immutable';
    let last = await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name }, data: { 'data-1': 'value-1' } },
    });
    const replace = async (body: typeof last) => {
      last = await core.replaceNamespacedConfigMap({ namespace, name, body });
    };
    await replace({ ...last, data: { 'data-1': 'value-1', 'data-4': 'value-4' } });
    await replace({ ...last, immutable: true });
    await refused(422, replace({ ...last, data: { 'data-1': 'other' } }));
    await refused(422, replace({ ...last, immutable: false }));
    const { immutable: _, ...withoutIt } = last;
    await refused(422, replace(withoutIt));
    await replace({ ...last, metadata: { ...last.metadata, labels: { label1: 'value1' } } });
    assert.equal(last.metadata?.labels?.label1, 'value1');
    await core.deleteNamespacedConfigMap({ namespace, name });
    await gone(() => core.readNamespacedConfigMap({ namespace, name }));
  });

  conformance('Secrets Volume, immutability', async ({ core, namespace }) => {
    const name = 'immutable';
    let last = await core.createNamespacedSecret({
      namespace,
      body: { metadata: { name }, data: { 'data-1': base64('value-1') } },
    });
    const replace = async (body: typeof last) => {
      last = await core.replaceNamespacedSecret({ namespace, name, body });
    };
    await replace({ ...last, data: { 'data-1': base64('value-1'), 'data-4': base64('value-4') } });
    await replace({ ...last, immutable: true });
    await refused(422, replace({ ...last, data: { 'data-1': base64('other') } }));
    await refused(422, replace({ ...last, immutable: false }));
    await replace({ ...last, metadata: { ...last.metadata, labels: { label1: 'value1' } } });
    assert.equal(last.metadata?.labels?.label1, 'value1');
    await core.deleteNamespacedSecret({ namespace, name });
    await gone(() => core.readNamespacedSecret({ namespace, name }));
  });
});
