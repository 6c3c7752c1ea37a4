// sig-apps: deployments, replica sets, revisions.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { V1ControllerRevision, V1Deployment, V1DeploymentSpec, V1ReplicaSet } from '@kubernetes/client-node';
import {
  type Change,
  conformance,
  eventually,
  gone,
  mergePatch,
  podOf,
  runningPod,
  type Scene,
  strategicPatch,
} from './scene.ts';

const matchLabels = { app: 'web' };
const templateOf = (image: string) => ({
  metadata: { labels: matchLabels },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'web', image }] },
});

function deploymentOf(name: string, replicas: number, more: Partial<V1DeploymentSpec> = {}): V1Deployment {
  const spec = { replicas, selector: { matchLabels }, template: templateOf('web:1'), ...more };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, labels: { 'test-static': 'true' } }, spec };
}

function setOf(name: string, replicas: number): V1ReplicaSet {
  const spec = { replicas, selector: { matchLabels }, template: templateOf('web:1') };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, labels: { ...matchLabels, 'test-rs': 'patched' } },
    spec,
  };
}

async function deployed({ apps, namespace }: Scene, name: string, replicas: number): Promise<V1Deployment> {
  return await eventually(async () => {
    const read = await apps.readNamespacedDeployment({ namespace, name });
    const { status } = read;
    assert.equal(status?.observedGeneration, read.metadata?.generation);
    assert.deepEqual(
      [status?.replicas, status?.updatedReplicas, status?.availableReplicas],
      [replicas, replicas, replicas],
    );
    return read;
  }, 20_000);
}

async function full({ apps, namespace }: Scene, name: string, replicas: number): Promise<V1ReplicaSet> {
  return await eventually(async () => {
    const read = await apps.readNamespacedReplicaSet({ namespace, name });
    assert.equal(read.status?.readyReplicas, replicas);
    return read;
  }, 20_000);
}

/** Sizes of the sets by image. */
async function sizes({ apps, namespace }: Scene): Promise<Map<string, number>> {
  const { items } = await apps.listNamespacedReplicaSet({ namespace });
  return new Map(items.map(({ spec }) => [spec?.template?.spec?.containers[0]?.image ?? '', spec?.replicas ?? 0]));
}

async function setImage({ apps, namespace }: Scene, name: string, image: string): Promise<void> {
  const body = { spec: { template: { spec: { containers: [{ name: 'web', image }] } } } };
  await apps.patchNamespacedDeployment({ namespace, name, body }, strategicPatch);
}

describe('sig-apps: deployments', { concurrency: 8 }, () => {
  conformance('Deployment RollingUpdate', async (scene) => {
    const { apps, core, namespace } = scene;
    const old = setOf('adopted', 1);
    // Beyond what a JavaScript number can count.
    const annotations = { 'deployment.kubernetes.io/revision': '3546343826724305832' };
    await apps.createNamespacedReplicaSet({ namespace, body: { ...old, metadata: { ...old.metadata, annotations } } });
    await full(scene, 'adopted', 1);
    await apps.createNamespacedDeployment({
      namespace,
      body: deploymentOf('web', 1, { template: templateOf('web:2') }),
    });
    await deployed(scene, 'web', 1);
    const { metadata, spec } = await apps.readNamespacedReplicaSet({ namespace, name: 'adopted' });
    assert.equal(metadata?.ownerReferences?.[0]?.name, 'web', 'the set that was there is taken in');
    assert.equal(spec?.replicas, 0);
    const made = await apps.readNamespacedDeployment({ namespace, name: 'web' });
    assert.equal(made.metadata?.annotations?.['deployment.kubernetes.io/revision'], '3546343826724305833');
    assert.deepEqual(
      await sizes(scene),
      new Map([
        ['web:1', 0],
        ['web:2', 1],
      ]),
    );
    await eventually(async () => {
      const { items } = await core.listNamespacedPod({ namespace });
      assert.deepEqual(
        items.map((pod) => pod.spec?.containers[0]?.image),
        ['web:2'],
      );
    });
  });

  conformance('Deployment Recreate', async (scene) => {
    const { apps, namespace } = scene;
    await apps.createNamespacedDeployment({
      namespace,
      body: deploymentOf('web', 2, { strategy: { type: 'Recreate' } }),
    });
    await deployed(scene, 'web', 2);
    const path = `/api/v1/namespaces/${namespace}/pods`;
    const watching = await scene.watch<{ metadata: { name: string }; spec: { containers: { image: string }[] } }>(
      path,
      {
        labelSelector: 'app=web',
      },
    );
    await setImage(scene, 'web', 'web:2');
    await deployed(scene, 'web', 2);
    // While any pod of the old template was there, none of the new one was.
    const alive = new Map<string, string>();
    for (const { type, object } of watching.changes) {
      const [{ image } = { image: '' }] = object.spec.containers;
      if (type === 'DELETED') alive.delete(object.metadata.name);
      else alive.set(object.metadata.name, image);
      assert.ok(new Set(alive.values()).size <= 1, [...alive].join(' '));
    }
    assert.deepEqual(new Set(alive.values()), new Set(['web:2']));
  });

  conformance('Deployment RevisionHistoryLimit', async (scene) => {
    const { apps, namespace } = scene;
    await apps.createNamespacedReplicaSet({ namespace, body: setOf('old', 1) });
    await full(scene, 'old', 1);
    const body = deploymentOf('web', 1, { revisionHistoryLimit: 0, template: templateOf('web:2') });
    await apps.createNamespacedDeployment({ namespace, body });
    await gone(() => apps.readNamespacedReplicaSet({ namespace, name: 'old' }));
    await deployed(scene, 'web', 1);
  });

  conformance('Deployment Rollover', async (scene) => {
    const { apps, namespace } = scene;
    await apps.createNamespacedReplicaSet({ namespace, body: setOf('old', 1) });
    await full(scene, 'old', 1);
    const rollingUpdate = { maxUnavailable: 0, maxSurge: 1 };
    const body = deploymentOf('web', 1, {
      minReadySeconds: 2,
      strategy: { type: 'RollingUpdate', rollingUpdate },
      template: templateOf('web:stuck'),
    });
    await apps.createNamespacedDeployment({ namespace, body });
    await eventually(async () => assert.equal((await sizes(scene)).get('web:stuck'), 1), 20_000);
    assert.equal((await sizes(scene)).get('web:1'), 1, 'the old one stays until the new one has been ready for long');
    await setImage(scene, 'web', 'web:3');
    const done = await deployed(scene, 'web', 1);
    assert.equal(done.metadata?.annotations?.['deployment.kubernetes.io/revision'], '2');
    assert.deepEqual(
      await sizes(scene),
      new Map([
        ['web:1', 0],
        ['web:stuck', 0],
        ['web:3', 1],
      ]),
    );
  });

  conformance('Deployment Proportional Scaling', async (scene) => {
    const { apps, namespace } = scene;
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } };
    await apps.createNamespacedDeployment({ namespace, body: deploymentOf('web', 10, { strategy }) });
    await deployed(scene, 'web', 10);
    // Asks for more than any node has, so that its pods stay pending.
    const containers = [{ name: 'web', image: 'web:404', resources: { requests: { cpu: '1k' } } }];
    const change = { spec: { template: { spec: { containers } } } };
    await apps.patchNamespacedDeployment({ namespace, name: 'web', body: change }, strategicPatch);
    await eventually(
      async () =>
        assert.deepEqual(
          await sizes(scene),
          new Map([
            ['web:1', 8],
            ['web:404', 5],
          ]),
        ),
      20_000,
    );
    await eventually(async () => {
      const { status } = await apps.readNamespacedDeployment({ namespace, name: 'web' });
      assert.deepEqual([status?.availableReplicas, status?.replicas], [8, 13]);
    }, 20_000);
    const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'web' });
    await apps.replaceNamespacedDeploymentScale({ namespace, name: 'web', body: { ...scale, spec: { replicas: 30 } } });
    await eventually(
      async () =>
        assert.deepEqual(
          await sizes(scene),
          new Map([
            ['web:1', 20],
            ['web:404', 13],
          ]),
        ),
      20_000,
    );
  });

  conformance('Deployment, completes the scaling of a Deployment subresource', async (scene) => {
    const { apps, namespace } = scene;
    const name = 'web';
    await apps.createNamespacedDeployment({ namespace, body: deploymentOf(name, 1) });
    await deployed(scene, name, 1);
    const scale = await apps.readNamespacedDeploymentScale({ namespace, name });
    assert.deepEqual([scale.spec?.replicas, scale.status?.replicas, scale.status?.selector], [1, 1, 'app=web']);
    const wider = { ...scale, metadata: { name, namespace }, spec: { replicas: 2 } };
    assert.equal((await apps.replaceNamespacedDeploymentScale({ namespace, name, body: wider })).spec?.replicas, 2);
    assert.equal((await apps.readNamespacedDeployment({ namespace, name })).spec?.replicas, 2);
    const body = { spec: { replicas: 4 } };
    await apps.patchNamespacedDeploymentScale({ namespace, name, body }, strategicPatch);
    assert.equal((await apps.readNamespacedDeployment({ namespace, name })).spec?.replicas, 4);
    await deployed(scene, name, 4);
  });

  conformance('Deployment, completes the lifecycle of a Deployment', async (scene) => {
    const { apps, namespace } = scene;
    const name = 'web';
    const labelSelector = 'test-static=true';
    const watching = await scene.watch<V1Deployment>(`/apis/apps/v1/namespaces/${namespace}/deployments`, {
      labelSelector,
    });
    await apps.createNamespacedDeployment({ namespace, body: deploymentOf(name, 2) });
    await watching.until('creation', ({ type }) => type === 'ADDED');
    await watching.until('both run', ({ object }) => object.status?.readyReplicas === 2);
    const patch = {
      metadata: { labels: { 'test-deployment': 'patched' } },
      spec: { replicas: 1, template: templateOf('web:2') },
    };
    await apps.patchNamespacedDeployment({ namespace, name, body: patch }, strategicPatch);
    await watching.until('the patch', ({ object }) => object.metadata?.labels?.['test-deployment'] === 'patched');
    await deployed(scene, name, 1);
    const everywhere = await apps.listDeploymentForAllNamespaces({ labelSelector });
    assert.equal(everywhere.items.filter(({ metadata }) => metadata?.namespace === namespace).length, 1);
    await eventually(async () => {
      const read = await apps.readNamespacedDeployment({ namespace, name });
      const body = {
        ...read,
        metadata: { ...read.metadata, labels: { ...read.metadata?.labels, 'test-deployment': 'updated' } },
      };
      const replaced = await apps.replaceNamespacedDeployment({ namespace, name, body });
      assert.equal(replaced.metadata?.labels?.['test-deployment'], 'updated');
    });
    const status = {
      status: { conditions: [{ type: 'StatusPatched', status: 'True' }] },
      metadata: { labels: { 'test-status': 'yes' } },
    };
    await apps.patchNamespacedDeploymentStatus({ namespace, name, body: status }, mergePatch);
    await watching.until(
      'the condition',
      ({ object }) => object.status?.conditions?.some(({ type }) => type === 'StatusPatched') ?? false,
    );
    await eventually(async () => {
      const read = await apps.readNamespacedDeploymentStatus({ namespace, name });
      await apps.replaceNamespacedDeploymentStatus({
        namespace,
        name,
        body: { ...read, status: { ...read.status, readyReplicas: 3 } },
      });
    });
    const isThree = ({ object }: Change<V1Deployment>) => object.status?.readyReplicas === 3;
    await watching.until('what was written', isThree);
    await watching.until(
      'the controller says what is true',
      (change) =>
        watching.changes.findIndex(isThree) < watching.changes.indexOf(change) &&
        change.object.status?.readyReplicas === 1,
    );
    await apps.deleteCollectionNamespacedDeployment({ namespace, labelSelector, gracePeriodSeconds: 1 });
    await watching.until('deletion', ({ type }) => type === 'DELETED');
  });

  conformance('Deployment, status sub-resource', async (scene) => {
    const { apps, namespace } = scene;
    const name = 'web';
    await apps.createNamespacedDeployment({ namespace, body: deploymentOf(name, 1) });
    await deployed(scene, name, 1);
    const read = await apps.readNamespacedDeploymentStatus({ namespace, name });
    assert.equal(read.status?.availableReplicas, 1);
    const conditionOf = ({ status }: V1Deployment, wanted: string) =>
      status?.conditions?.find(({ type }) => type === wanted);
    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'set by a test' };
    await eventually(async () => {
      const one = await apps.readNamespacedDeploymentStatus({ namespace, name });
      one.status = { ...one.status, conditions: [...(one.status?.conditions ?? []), condition] };
      const replaced = await apps.replaceNamespacedDeploymentStatus({ namespace, name, body: one });
      assert.equal(conditionOf(replaced, 'StatusUpdate')?.message, 'set by a test');
    });
    const body = { status: { conditions: [{ type: 'StatusPatched', status: 'True' }] } };
    const patched = await apps.patchNamespacedDeploymentStatus({ namespace, name, body }, strategicPatch);
    assert.equal(conditionOf(patched, 'StatusPatched')?.status, 'True');
    assert.equal(
      conditionOf(await apps.readNamespacedDeployment({ namespace, name }), 'StatusPatched')?.status,
      'True',
    );
  });
});

describe('sig-apps: replica sets', { concurrency: 8 }, () => {
  conformance('ReplicaSet, is created, Replaced and Patched', async (scene) => {
    const { apps, namespace } = scene;
    const name = 'one';
    await apps.createNamespacedReplicaSet({ namespace, body: setOf(name, 1) });
    await full(scene, name, 1);
    await eventually(async () => {
      const read = await apps.readNamespacedReplicaSetScale({ namespace, name });
      await apps.replaceNamespacedReplicaSetScale({ namespace, name, body: { ...read, spec: { replicas: 2 } } });
    });
    await full(scene, name, 2);
    const body = {
      metadata: { labels: { 'test-rs': 'patched' } },
      spec: { replicas: 3, template: templateOf('web:2') },
    };
    await apps.patchNamespacedReplicaSet({ namespace, name, body }, strategicPatch);
    const patched = await full(scene, name, 3);
    assert.equal(patched.spec?.template?.spec?.containers[0]?.image, 'web:2');
    assert.equal(patched.metadata?.labels?.['test-rs'], 'patched');
  });

  conformance('ReplicaSet, completes the scaling of a ReplicaSet subresource', async (scene) => {
    const { apps, namespace } = scene;
    const name = 'one';
    await apps.createNamespacedReplicaSet({ namespace, body: setOf(name, 1) });
    await full(scene, name, 1);
    const scale = await apps.readNamespacedReplicaSetScale({ namespace, name });
    assert.deepEqual([scale.spec?.replicas, scale.status?.replicas], [1, 1]);
    const replaced = await apps.replaceNamespacedReplicaSetScale({
      namespace,
      name,
      body: { metadata: { name, namespace }, spec: { replicas: 2 } },
    });
    assert.equal(replaced.spec?.replicas, 2);
    assert.equal((await apps.readNamespacedReplicaSet({ namespace, name })).spec?.replicas, 2);
    await apps.patchNamespacedReplicaSetScale({ namespace, name, body: { spec: { replicas: 4 } } }, mergePatch);
    await full(scene, name, 4);
  });

  conformance('Replica Set, adopt matching pods and release non matching pods', async (scene) => {
    const { apps, core, namespace } = scene;
    const made = await core.createNamespacedPod({ namespace, body: podOf('orphan', { labels: matchLabels }) });
    await runningPod(scene, 'orphan');
    const set = await apps.createNamespacedReplicaSet({ namespace, body: setOf('one', 1) });
    await eventually(async () => {
      const pod = await core.readNamespacedPod({ namespace, name: 'orphan' });
      assert.deepEqual(
        [pod.metadata?.ownerReferences?.[0]?.uid, pod.metadata?.uid],
        [set.metadata?.uid, made.metadata?.uid],
      );
    }, 20_000);
    await core.patchNamespacedPod(
      { namespace, name: 'orphan', body: { metadata: { labels: { app: 'not' } } } },
      strategicPatch,
    );
    await eventually(async () => {
      const pod = await core.readNamespacedPod({ namespace, name: 'orphan' });
      assert.equal(pod.metadata?.ownerReferences, undefined);
    }, 20_000);
    await full(scene, 'one', 1);
  });

  conformance('ReplicaSet, list and delete a collection of ReplicaSets', async (scene) => {
    const { apps, namespace } = scene;
    const labelSelector = 'test-rs=patched';
    await apps.createNamespacedReplicaSet({ namespace, body: setOf('one', 3) });
    await full(scene, 'one', 3);
    const everywhere = await apps.listReplicaSetForAllNamespaces({ labelSelector });
    assert.equal(everywhere.items.filter(({ metadata }) => metadata?.namespace === namespace).length, 1);
    await apps.deleteCollectionNamespacedReplicaSet({ namespace, labelSelector });
    await eventually(
      async () => assert.deepEqual((await apps.listNamespacedReplicaSet({ namespace })).items, []),
      20_000,
    );
  });

  conformance('ReplicaSet, status sub-resource', async (scene) => {
    const { apps, namespace } = scene;
    const name = 'one';
    const watching = await scene.watch<V1ReplicaSet>(`/apis/apps/v1/namespaces/${namespace}/replicasets`);
    await apps.createNamespacedReplicaSet({ namespace, body: setOf(name, 1) });
    await full(scene, name, 1);
    assert.equal((await apps.readNamespacedReplicaSetStatus({ namespace, name })).status?.replicas, 1);
    const has = (set: V1ReplicaSet, wanted: string) =>
      set.status?.conditions?.some(({ type }) => type === wanted) ?? false;
    await eventually(async () => {
      const read = await apps.readNamespacedReplicaSetStatus({ namespace, name });
      read.status = {
        ...read.status,
        replicas: read.status?.replicas ?? 0,
        conditions: [{ type: 'StatusUpdate', status: 'True' }],
      };
      await apps.replaceNamespacedReplicaSetStatus({ namespace, name, body: read });
    });
    await watching.until('the update', ({ object }) => has(object, 'StatusUpdate'));
    const body = { status: { conditions: [{ type: 'StatusPatched', status: 'True' }] } };
    await apps.patchNamespacedReplicaSetStatus({ namespace, name, body }, mergePatch);
    await watching.until('the patch', ({ object }) => has(object, 'StatusPatched'));
  });

  conformance('ControllerRevision, resource lifecycle', async ({ apps, namespace }) => {
    const labelSelector = 'app=web';
    const revisionOf = (name: string, revision: number): V1ControllerRevision => ({
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: { name, labels: matchLabels },
      data: { spec: { template: templateOf(`web:${revision}`) } },
      revision,
    });
    const names = async () =>
      (await apps.listNamespacedControllerRevision({ namespace, labelSelector })).items.map(
        ({ metadata }) => metadata?.name,
      );
    await apps.createNamespacedControllerRevision({ namespace, body: revisionOf('web-1', 1) });
    assert.deepEqual(await names(), ['web-1']);
    const body = { metadata: { labels: { 'web-1': 'patched' } } };
    const patched = await apps.patchNamespacedControllerRevision({ namespace, name: 'web-1', body }, strategicPatch);
    assert.equal(patched.metadata?.labels?.['web-1'], 'patched');
    const second = await apps.createNamespacedControllerRevision({ namespace, body: revisionOf('web-2', 2) });
    assert.deepEqual(await names(), ['web-1', 'web-2']);
    await apps.deleteNamespacedControllerRevision({ namespace, name: 'web-1' });
    await gone(() => apps.readNamespacedControllerRevision({ namespace, name: 'web-1' }));
    second.metadata = { ...second.metadata, labels: { ...matchLabels, 'web-2': 'updated' } };
    const replaced = await apps.replaceNamespacedControllerRevision({
      namespace,
      name: 'web-2',
      body: { ...second, revision: 3 },
    });
    assert.deepEqual([replaced.metadata?.labels?.['web-2'], replaced.revision], ['updated', 3]);
    await apps.createNamespacedControllerRevision({ namespace, body: revisionOf('web-4', 4) });
    await apps.deleteCollectionNamespacedControllerRevision({ namespace, labelSelector: 'web-2=updated' });
    assert.deepEqual(await names(), ['web-4']);
  });
});
