// sig-node, as far as it is about the API: pods, config maps, secrets, leases, nodes.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  type V1ConfigMap,
  type V1Lease,
  V1MicroTime,
  type V1Node,
  type V1Pod,
  type V1Secret,
} from '@kubernetes/client-node';
import {
  conformance,
  eventually,
  gone,
  mergePatch,
  podOf,
  randomName,
  refused,
  runningPod,
  strategicPatch,
} from './scene.ts';

const allTogether = { concurrency: 8 };

describe('sig-node: pods', allTogether, () => {
  conformance('Pods, lifecycle', async (scene) => {
    const { core, namespace } = scene;
    const labels = { time: randomName('t') };
    const labelSelector = `time=${labels.time}`;
    const before = await core.listNamespacedPod({ namespace, labelSelector });
    assert.equal(before.items.length, 0);
    const watching = await scene.watch<V1Pod>(`/api/v1/namespaces/${namespace}/pods`, {
      labelSelector,
      resourceVersion: before.metadata?.resourceVersion ?? '',
    });
    const made = await core.createNamespacedPod({ namespace, body: podOf('one', { labels }) });
    assert.equal((await core.listNamespacedPod({ namespace, labelSelector })).items.length, 1);
    await watching.until('creation', ({ type }) => type === 'ADDED');
    await runningPod(scene, 'one');
    await core.deleteNamespacedPod({ namespace, name: 'one', gracePeriodSeconds: 30 });
    const deleted = await watching.until('deletion', ({ type }) => type === 'DELETED');
    assert.equal(deleted.object.metadata?.uid, made.metadata?.uid);
    assert.notEqual(deleted.object.metadata?.deletionTimestamp, undefined);
    assert.notEqual(deleted.object.spec?.terminationGracePeriodSeconds, 0);
    assert.equal((await core.listNamespacedPod({ namespace, labelSelector })).items.length, 0);
  });

  conformance('Pods, update', async (scene) => {
    const { core, namespace } = scene;
    await core.createNamespacedPod({ namespace, body: podOf('one', { labels: { name: 'foo', time: 'old' } }) });
    await runningPod(scene, 'one');
    await eventually(async () => {
      const pod = await core.readNamespacedPod({ namespace, name: 'one' });
      pod.metadata = { ...pod.metadata, labels: { ...pod.metadata?.labels, time: 'new' } };
      await core.replaceNamespacedPod({ namespace, name: 'one', body: pod });
    });
    assert.equal((await core.listNamespacedPod({ namespace, labelSelector: 'time=old' })).items.length, 0);
    const found = await core.listNamespacedPod({ namespace, labelSelector: 'time=new' });
    assert.deepEqual(found.items[0]?.metadata?.labels, { name: 'foo', time: 'new' });
  });

  conformance('Pods, delete a collection', async (scene) => {
    const { core, namespace } = scene;
    for (const name of ['a', 'b', 'c'])
      await core.createNamespacedPod({ namespace, body: podOf(name, { labels: { type: 'Testing' } }) });
    await core.createNamespacedPod({ namespace, body: podOf('other') });
    for (const name of ['a', 'b', 'c']) await runningPod(scene, name);
    await core.deleteCollectionNamespacedPod({ namespace, labelSelector: 'type=Testing' });
    await eventually(async () => {
      const left = await core.listNamespacedPod({ namespace });
      assert.deepEqual(
        left.items.map((one) => one.metadata?.name),
        ['other'],
      );
    }, 20_000);
  });

  conformance('Pods, patching status', async (scene) => {
    const { core, namespace } = scene;
    await core.createNamespacedPod({ namespace, body: podOf('one', { labels: { 'test-pod-static': 'true' } }) });
    await runningPod(scene, 'one');
    const listed = await core.listPodForAllNamespaces({
      labelSelector: 'test-pod-static=true',
      fieldSelector: `metadata.namespace=${namespace}`,
    });
    assert.equal(listed.items.length, 1);
    const metadata = { annotations: { patchedstatus: 'true' } };
    const body = { metadata, status: { message: 'patched by the test', reason: 'E2E' }, spec: { hostname: 'ignored' } };
    const patched = await core.patchNamespacedPodStatus({ namespace, name: 'one', body }, strategicPatch);
    assert.equal(patched.status?.message, 'patched by the test');
    assert.equal(patched.status?.reason, 'E2E');
    assert.equal(patched.metadata?.annotations?.patchedstatus, 'true');
    assert.equal(patched.status?.phase, 'Running');
    assert.equal(patched.spec?.hostname, undefined, 'a patch of the status leaves the spec alone');
  });

  conformance('Pods, completes the lifecycle of a Pod and the PodStatus', async (scene) => {
    const { core, namespace } = scene;
    const path = `/api/v1/namespaces/${namespace}/pods`;
    const watching = await scene.watch<V1Pod>(path, { labelSelector: 'test-pod-static=true' });
    const body = podOf('one', { labels: { 'test-pod-static': 'true' } });
    await core.createNamespacedPod({ namespace, body });
    await watching.until('it runs', ({ object }) => object.status?.phase === 'Running');
    const patch = {
      metadata: { labels: { 'test-pod': 'patched' } },
      spec: { terminationGracePeriodSeconds: 2, containers: [{ name: 'main', image: 'web:2' }] },
    };
    // The grace period cannot be changed, the image can.
    await refused(422, core.patchNamespacedPod({ namespace, name: 'one', body: patch }, strategicPatch));
    const { terminationGracePeriodSeconds: _, ...spec } = patch.spec;
    await core.patchNamespacedPod({ namespace, name: 'one', body: { ...patch, spec } }, strategicPatch);
    const { object } = await watching.until(
      'the patch',
      (change) => change.object.metadata?.labels?.['test-pod'] === 'patched',
    );
    assert.equal(object.spec?.containers[0]?.image, 'web:2');
    const before = await core.readNamespacedPodStatus({ namespace, name: 'one' });
    const isReady = (pod: V1Pod) => pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
    assert.equal(isReady(before), 'True');
    await eventually(async () => {
      const pod = await core.readNamespacedPodStatus({ namespace, name: 'one' });
      for (const condition of pod.status?.conditions ?? []) if (condition.type === 'Ready') condition.status = 'False';
      const replaced = await core.replaceNamespacedPodStatus({ namespace, name: 'one', body: pod });
      assert.equal(isReady(replaced), 'False');
      assert.equal(replaced.metadata?.labels?.['test-pod'], 'patched');
    });
    await core.deleteCollectionNamespacedPod({
      namespace,
      labelSelector: 'test-pod-static=true',
      gracePeriodSeconds: 1,
    });
    await watching.until('its end', ({ type }) => type === 'DELETED');
    await refused(404, core.readNamespacedPod({ namespace, name: 'one' }));
  });

  conformance('Pods, QOS', async ({ core, namespace }) => {
    const classOf = async (name: string, resources?: object) => {
      const container = { name: 'main', image: 'web:1', ...(resources ? { resources } : {}) };
      const made = await core.createNamespacedPod({ namespace, body: podOf(name, {}, { containers: [container] }) });
      const read = await core.readNamespacedPod({ namespace, name });
      assert.equal(made.status?.qosClass, read.status?.qosClass);
      return made.status?.qosClass;
    };
    const amounts = { cpu: '100m', memory: '100Mi' };
    assert.equal(await classOf('guaranteed', { limits: amounts, requests: amounts }), 'Guaranteed');
    assert.equal(await classOf('defaulted', { limits: amounts }), 'Guaranteed');
    assert.equal(await classOf('burstable', { requests: amounts }), 'Burstable');
    assert.equal(await classOf('best-effort'), 'BestEffort');
  });
});

describe('sig-node: other kinds', allTogether, () => {
  conformance('ConfigMap, with empty-key', async ({ core, namespace }) => {
    const body = { metadata: { name: 'empty-key' }, data: { '': 'value-1' } };
    await refused(422, core.createNamespacedConfigMap({ namespace, body }));
    await refused(404, core.readNamespacedConfigMap({ namespace, name: 'empty-key' }));
  });

  conformance('ConfigMap lifecycle', async (scene) => {
    const { core, namespace } = scene;
    const labelSelector = 'test-configmap-static=true';
    const watching = await scene.watch<V1ConfigMap>(`/api/v1/namespaces/${namespace}/configmaps`, { labelSelector });
    const labels = { 'test-configmap-static': 'true' };
    await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: 'one', labels }, data: { valueName: 'value' } },
    });
    await watching.until('creation', ({ type }) => type === 'ADDED');
    const body = { metadata: { labels: { 'test-configmap': 'patched' } }, data: { valueName: 'value1' } };
    await core.patchNamespacedConfigMap({ namespace, name: 'one', body }, strategicPatch);
    await watching.until('the patch', ({ type, object }) => type === 'MODIFIED' && object.data?.valueName === 'value1');
    const { data, metadata } = await core.readNamespacedConfigMap({ namespace, name: 'one' });
    assert.deepEqual([data, metadata?.labels], [{ valueName: 'value1' }, { ...labels, 'test-configmap': 'patched' }]);
    const everywhere = await core.listConfigMapForAllNamespaces({ labelSelector });
    const found = everywhere.items.find((one) => one.metadata?.namespace === namespace);
    assert.equal(found?.data?.valueName, 'value1');
    await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector });
    await watching.until('deletion', ({ type }) => type === 'DELETED');
    assert.equal((await core.listNamespacedConfigMap({ namespace, labelSelector })).items.length, 0);
  });

  conformance('Secrets, with empty-key', async ({ core, namespace }) => {
    const body = { metadata: { name: 'empty-key' }, data: { '': Buffer.from('value-1').toString('base64') } };
    await refused(422, core.createNamespacedSecret({ namespace, body }));
    await refused(404, core.readNamespacedSecret({ namespace, name: 'empty-key' }));
  });

  conformance('Secret patching', async (scene) => {
    const { core, namespace } = scene;
    const labels = { testsecret: 'true', 'testsecret-constant': 'true' };
    const watching = await scene.watch<V1Secret>(`/api/v1/namespaces/${namespace}/secrets`, {
      labelSelector: 'testsecret-constant=true',
    });
    await core.createNamespacedSecret({
      namespace,
      body: {
        metadata: { name: 'one', labels },
        type: 'Opaque',
        data: { key: Buffer.from('value').toString('base64') },
      },
    });
    await watching.until('creation', ({ type }) => type === 'ADDED');
    const body = {
      metadata: { labels: { testsecret: 'false' } },
      data: { key: Buffer.from('value1').toString('base64') },
    };
    await core.patchNamespacedSecret({ namespace, name: 'one', body }, mergePatch);
    const secret = await core.readNamespacedSecret({ namespace, name: 'one' });
    assert.equal(Buffer.from(secret.data?.key ?? '', 'base64').toString(), 'value1');
    assert.equal(secret.metadata?.labels?.testsecret, 'false');
    await core.deleteCollectionNamespacedSecret({ namespace, labelSelector: 'testsecret=false' });
    await watching.until('deletion', ({ type }) => type === 'DELETED');
    const left = await core.listSecretForAllNamespaces({ labelSelector: 'testsecret-constant=true' });
    assert.deepEqual(
      left.items.filter((one) => one.metadata?.namespace === namespace),
      [],
    );
  });

  conformance('lease API should be available', async ({ coordination, namespace }) => {
    const nowMs = Date.now();
    const spec = (holderIdentity: string, leaseDurationSeconds: number, leaseTransitions: number) => ({
      holderIdentity,
      leaseDurationSeconds,
      leaseTransitions,
      acquireTime: new V1MicroTime(nowMs),
      renewTime: new V1MicroTime(nowMs + 5_000),
    });
    const made = await coordination.createNamespacedLease({
      namespace,
      body: { metadata: { name: 'one' }, spec: spec('holder', 30, 0) },
    });
    const read = await coordination.readNamespacedLease({ namespace, name: 'one' });
    assert.deepEqual(read.spec, made.spec);
    assert.equal(new Date(String(read.spec?.renewTime)).getTime(), nowMs + 5_000);
    const replaced = await coordination.replaceNamespacedLease({
      namespace,
      name: 'one',
      body: { ...read, spec: spec('holder2', 60, 1) },
    });
    assert.equal(replaced.spec?.holderIdentity, 'holder2');
    assert.deepEqual((await coordination.readNamespacedLease({ namespace, name: 'one' })).spec, replaced.spec);
    const patched: V1Lease = await coordination.patchNamespacedLease(
      { namespace, name: 'one', body: { spec: { leaseDurationSeconds: 65 } } },
      strategicPatch,
    );
    assert.deepEqual([patched.spec?.leaseDurationSeconds, patched.spec?.holderIdentity], [65, 'holder2']);
    const labels = { deletecollection: 'true' };
    await coordination.createNamespacedLease({
      namespace,
      body: { metadata: { name: 'two', labels }, spec: spec('h', 30, 0) },
    });
    assert.equal((await coordination.listNamespacedLease({ namespace })).items.length, 2);
    await coordination.deleteCollectionNamespacedLease({ namespace, labelSelector: 'deletecollection=true' });
    const left = await coordination.listNamespacedLease({ namespace });
    assert.deepEqual(
      left.items.map((one) => one.metadata?.name),
      ['one'],
    );
    await coordination.deleteNamespacedLease({ namespace, name: 'one' });
    await refused(404, coordination.readNamespacedLease({ namespace, name: 'one' }));
  });

  conformance('Node, resource lifecycle', async ({ core }) => {
    const name = randomName('fake-node');
    const body: V1Node = { metadata: { name }, spec: { unschedulable: true } };
    await core.createNode({ body });
    assert.equal((await core.readNode({ name })).metadata?.name, name);
    const labels = { [name]: 'patched' };
    const patched = await core.patchNode({ name, body: { metadata: { labels } } }, strategicPatch);
    assert.equal(patched.metadata?.labels?.[name], 'patched');
    const found = await core.listNode({ labelSelector: `${name}=patched` });
    assert.equal(found.items.length, 1);
    await eventually(async () => {
      const node = await core.readNode({ name });
      node.metadata = { ...node.metadata, labels: { ...node.metadata?.labels, [name]: 'updated' } };
      const replaced = await core.replaceNode({ name, body: node });
      assert.equal(replaced.metadata?.labels?.[name], 'updated');
    });
    await core.deleteCollectionNode({ labelSelector: `${name}=updated` });
    await gone(() => core.readNode({ name }));
  });
});
