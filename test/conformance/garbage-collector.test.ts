// sig-api-machinery: garbage collection. Where Kubernetes uses a ReplicationController, a ReplicaSet stands here.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { V1OwnerReference, V1ReplicaSet } from '@kubernetes/client-node';
import { conformance, eventually, gone, mergePatch, podOf, type Scene } from './scene.ts';

const labels = { app: 'gc' };
const template = {
  metadata: { labels },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'web', image: 'web:1' }] },
};

async function replicaSet({ apps, core, namespace }: Scene, name: string, replicas: number): Promise<V1ReplicaSet> {
  const set = await apps.createNamespacedReplicaSet({
    namespace,
    body: { metadata: { name }, spec: { replicas, selector: { matchLabels: labels }, template } },
  });
  await eventually(async () => {
    const { items } = await core.listNamespacedPod({ namespace });
    assert.equal(items.length, replicas);
    const read = await apps.readNamespacedReplicaSet({ namespace, name });
    assert.equal(read.status?.replicas, replicas);
  }, 20_000);
  return set;
}

async function deploymentWithSet(scene: Scene): Promise<string> {
  const { apps, core, namespace } = scene;
  await apps.createNamespacedDeployment({
    namespace,
    body: { metadata: { name: 'web' }, spec: { replicas: 2, selector: { matchLabels: labels }, template } },
  });
  return await eventually(async () => {
    assert.equal((await core.listNamespacedPod({ namespace })).items.length, 2);
    const { items } = await apps.listNamespacedReplicaSet({ namespace });
    assert.equal(items.length, 1);
    return items[0]?.metadata?.name ?? '';
  }, 20_000);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('sig-api-machinery: garbage collector', { concurrency: 7 }, () => {
  conformance('Garbage Collector, delete deployment, propagation policy background', async (scene) => {
    const { apps, core, namespace } = scene;
    await deploymentWithSet(scene);
    await apps.deleteNamespacedDeployment({ namespace, name: 'web', body: { propagationPolicy: 'Background' } });
    await eventually(async () => {
      assert.deepEqual((await apps.listNamespacedReplicaSet({ namespace })).items, []);
      assert.deepEqual((await core.listNamespacedPod({ namespace })).items, []);
    }, 20_000);
  });

  conformance('Garbage Collector, delete deployment, propagation policy orphan', async (scene) => {
    const { apps, core, namespace } = scene;
    const name = await deploymentWithSet(scene);
    await apps.deleteNamespacedDeployment({ namespace, name: 'web', body: { propagationPolicy: 'Orphan' } });
    await gone(() => apps.readNamespacedDeployment({ namespace, name: 'web' }));
    const set = await apps.readNamespacedReplicaSet({ namespace, name });
    assert.equal(set.metadata?.deletionTimestamp, undefined);
    assert.equal(set.metadata?.ownerReferences, undefined, 'it belongs to nobody');
    await pause(500); // what must not happen would have happened
    await apps.readNamespacedReplicaSet({ namespace, name });
    assert.equal((await core.listNamespacedPod({ namespace })).items.length, 2);
  });

  conformance('Garbage Collector, delete replication controller, propagation policy background', async (scene) => {
    const { apps, core, namespace } = scene;
    await replicaSet(scene, 'one', 2);
    await apps.deleteNamespacedReplicaSet({ namespace, name: 'one', body: { propagationPolicy: 'Background' } });
    await gone(() => apps.readNamespacedReplicaSet({ namespace, name: 'one' }));
    await eventually(async () => assert.deepEqual((await core.listNamespacedPod({ namespace })).items, []), 20_000);
  });

  conformance('Garbage Collector, delete replication controller, propagation policy orphan', async (scene) => {
    const { apps, core, namespace } = scene;
    await replicaSet(scene, 'one', 10);
    await apps.deleteNamespacedReplicaSet({ namespace, name: 'one', body: { propagationPolicy: 'Orphan' } });
    await gone(() => apps.readNamespacedReplicaSet({ namespace, name: 'one' }));
    await pause(500); // what must not happen would have happened
    const { items } = await core.listNamespacedPod({ namespace });
    assert.equal(items.length, 10);
    for (const pod of items) assert.equal(pod.metadata?.ownerReferences, undefined);
  });

  conformance('Garbage Collector, delete replication controller, after owned pods', async (scene) => {
    const { apps, core, namespace } = scene;
    await replicaSet(scene, 'one', 10);
    await apps.deleteNamespacedReplicaSet({ namespace, name: 'one', body: { propagationPolicy: 'Foreground' } });
    // As long as the set can be read it says that it waits; the pods are listed after it, so none is there once it is gone.
    for (let isThere = true; isThere; ) {
      const { items } = await apps.listNamespacedReplicaSet({ namespace });
      const pods = await core.listNamespacedPod({ namespace });
      isThere = items.length > 0;
      if (isThere) assert.deepEqual(items[0]?.metadata?.finalizers, ['foregroundDeletion']);
      else assert.deepEqual(pods.items, []);
    }
  });

  conformance('Garbage Collector, multiple owners', async (scene) => {
    const { apps, core, namespace } = scene;
    await replicaSet(scene, 'leaves', 10);
    const stays = await apps.createNamespacedReplicaSet({
      namespace,
      body: {
        metadata: { name: 'stays' },
        spec: {
          replicas: 0,
          selector: { matchLabels: { another: 'set' } },
          template: { ...template, metadata: { labels: { another: 'set' } } },
        },
      },
    });
    const { items } = await core.listNamespacedPod({ namespace });
    const shared = items.slice(0, 5).map(({ metadata }) => metadata?.name ?? '');
    for (const pod of items.slice(0, 5)) {
      const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'stays', uid: stays.metadata?.uid };
      const ownerReferences = [...(pod.metadata?.ownerReferences ?? []), owner];
      await core.patchNamespacedPod(
        { namespace, name: pod.metadata?.name ?? '', body: { metadata: { ownerReferences } } },
        mergePatch,
      );
    }
    await apps.deleteNamespacedReplicaSet({ namespace, name: 'leaves', body: { propagationPolicy: 'Foreground' } });
    await gone(() => apps.readNamespacedReplicaSet({ namespace, name: 'leaves' }));
    const left = await core.listNamespacedPod({ namespace });
    assert.deepEqual(left.items.map(({ metadata }) => metadata?.name).sort(), shared.sort());
    for (const { metadata } of left.items) {
      assert.equal(metadata?.deletionTimestamp, undefined);
      assert.deepEqual(
        metadata?.ownerReferences?.map(({ name }) => name),
        ['stays'],
      );
    }
  });

  conformance('Garbage Collector, dependency cycle', async ({ core, namespace }) => {
    const owners = new Map<string, V1OwnerReference>();
    for (const name of ['one', 'two', 'three']) {
      const { metadata } = await core.createNamespacedPod({ namespace, body: podOf(name) });
      const uid = metadata?.uid ?? '';
      owners.set(name, { apiVersion: 'v1', kind: 'Pod', name, uid, controller: true, blockOwnerDeletion: true });
    }
    for (const [name, owner] of Object.entries({ one: 'three', two: 'one', three: 'two' })) {
      const body = { metadata: { ownerReferences: [owners.get(owner)] } };
      await core.patchNamespacedPod({ namespace, name, body }, mergePatch);
    }
    await core.deleteNamespacedPod({ namespace, name: 'one', body: { propagationPolicy: 'Foreground' } });
    await eventually(async () => assert.deepEqual((await core.listNamespacedPod({ namespace })).items, []), 20_000);
  });
});
