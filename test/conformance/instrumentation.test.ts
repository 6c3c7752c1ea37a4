// sig-instrumentation: events of the core group.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { CoreV1Event } from '@kubernetes/client-node';
import { conformance, gone, jsonPatch, refused, type Scene, strategicPatch } from './scene.ts';

function eventOf({ namespace }: Scene, name: string): CoreV1Event {
  return {
    metadata: { name, labels: { 'testevent-constant': 'true' } },
    message: 'This is a test',
    reason: 'Test',
    type: 'Normal',
    count: 1,
    involvedObject: { namespace, kind: 'Pod', name: 'one' },
  };
}

describe('sig-instrumentation: events', { concurrency: 2 }, () => {
  conformance('Event, delete a collection', async (scene) => {
    const { core, namespace } = scene;
    const labelSelector = 'testevent-constant=true';
    for (const name of ['one', 'two', 'three'])
      await core.createNamespacedEvent({ namespace, body: eventOf(scene, name) });
    const before = await core.listNamespacedEvent({ namespace, labelSelector });
    assert.deepEqual(before.items.map(({ metadata }) => metadata.name).sort(), ['one', 'three', 'two']);
    await core.deleteCollectionNamespacedEvent({ namespace, labelSelector });
    assert.deepEqual((await core.listNamespacedEvent({ namespace, labelSelector })).items, []);
  });

  conformance('Event, manage lifecycle of an Event', async (scene) => {
    const { core, namespace } = scene;
    const name = 'one';
    await core.createNamespacedEvent({ namespace, body: eventOf(scene, name) });
    const everywhere = await core.listEventForAllNamespaces({ labelSelector: 'testevent-constant=true' });
    assert.equal(everywhere.items.filter(({ metadata }) => metadata.namespace === namespace).length, 1);
    const body = { message: 'This is patched' };
    await core.patchNamespacedEvent({ namespace, name, body }, strategicPatch);
    const patched = await core.readNamespacedEvent({ namespace, name });
    assert.equal(patched.message, 'This is patched');
    const series = { count: 100, lastObservedTime: new Date(Date.now() - 60_000) };
    const replaced = await core.replaceNamespacedEvent({
      namespace,
      name,
      body: { ...patched, series } as CoreV1Event,
    });
    assert.equal(replaced.series?.count, 100);
    assert.equal((await core.readNamespacedEvent({ namespace, name })).series?.count, 100);
    await core.patchNamespacedEvent(
      { namespace, name, body: [{ op: 'replace', path: '/count', value: 2 }] },
      jsonPatch,
    );
    await core.deleteNamespacedEvent({ namespace, name });
    await gone(() => core.readNamespacedEvent({ namespace, name }));
    await refused(404, core.deleteNamespacedEvent({ namespace, name }));
  });
});
