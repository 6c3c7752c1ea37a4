import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client, WatchEvent } from '../client/client.ts';
import { isApiError } from '../resources/api-error.ts';
import { type ConfigMap, configMaps, deployments, type Pod, pods } from '../resources/kinds.ts';
import { createInProcessClient } from './in-process-client.ts';
import { startTestApi } from './test-api.ts';

async function withClient(run: (client: Client) => Promise<void>): Promise<void> {
  const api = await startTestApi();
  await run(createInProcessClient({ registry: api.registry, cache: api.cache, grid: 'main' }));
  await api.stop();
}

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data };
}

test('an object that was handed out is not changed by writing it back', () =>
  withClient(async (client) => {
    const made = await client.create(configMaps, configMap('c'));
    const read = await client.get(configMaps, { namespace: 'default', name: 'c' });
    const before = structuredClone(read);
    await client.update(configMaps, { ...read, data: { a: '1' } });
    assert.deepEqual(read, before);
    assert.deepEqual(made, before);
  }));

test('lists share the objects of the cache', () =>
  withClient(async (client) => {
    await client.create(configMaps, configMap('c'));
    const [first, second] = [await client.list(configMaps), await client.list(configMaps, { resourceVersion: '0' })];
    assert.equal(first.items[0], second.items[0]);
    assert.deepEqual((await client.list(configMaps, { namespace: 'other' })).items, []);
  }));

test('a watch goes on from a list, and ends by its signal', () =>
  withClient(async (client) => {
    const { resourceVersion } = await client.list(configMaps);
    await client.create(configMaps, configMap('a'));
    const abort = new AbortController();
    const seen: string[] = [];
    for await (const event of client.watch(configMaps, { resourceVersion, signal: abort.signal })) {
      seen.push(event.type);
      if (event.type === 'ADDED') await client.delete(configMaps, { namespace: 'default', name: 'a' });
      else abort.abort();
    }
    assert.deepEqual(seen, ['ADDED', 'DELETED']);
  }));

test('a watch that waits ends by its signal, too', () =>
  withClient(async (client) => {
    const abort = new AbortController();
    const watching = (async () => {
      const events: WatchEvent<ConfigMap>[] = [];
      for await (const event of client.watch(configMaps, { resourceVersion: '0', signal: abort.signal }))
        events.push(event);
      return events;
    })();
    await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    assert.deepEqual(await watching, []);
  }));

test('status, scale, binding and the refusals of the API', () =>
  withClient(async (client) => {
    const containers = [{ name: 'c', image: 'i' }];
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'default' },
      spec: { containers },
    };
    const made = await client.create(pods, pod);
    await client.bindPod({ namespace: 'default', name: 'p' }, 'h1', { uid: made.metadata.uid ?? '' });
    const bound = await client.get(pods, { namespace: 'default', name: 'p' });
    const running = await client.updateStatus(pods, { ...bound, status: { ...bound.status, phase: 'Running' } });
    assert.deepEqual([running.spec.nodeName, running.status?.phase], ['h1', 'Running']);
    await assert.rejects(client.updateStatus(pods, made), (error) => isApiError(error, 'Conflict'));
    const again = client.bindPod({ namespace: 'default', name: 'p' }, 'h2');
    await assert.rejects(again, (error) => isApiError(error, 'Conflict'));
    const labels = { app: 'd' };
    const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
    await client.create(deployments, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd', namespace: 'default' },
      spec,
    });
    const ref = { namespace: 'default', name: 'd' };
    await client.patch(deployments, ref, { type: 'merge', body: { spec: { replicas: 4 } }, subresource: 'scale' });
    assert.equal((await client.get(deployments, ref)).spec.replicas, 4);
    const stranger = client.delete(deployments, ref, { uid: 'another' });
    await assert.rejects(stranger, (error) => isApiError(error, 'Conflict'));
  }));
