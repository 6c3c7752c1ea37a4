// sig-apps: budgets, and evictions that they hold up.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { V1PodDisruptionBudget } from '@kubernetes/client-node';
import {
  conformance,
  eventually,
  gone,
  mergePatch,
  podOf,
  refused,
  runningPod,
  type Scene,
  strategicPatch,
} from './scene.ts';

const matchLabels = { foo: 'bar' };

function budgetOf(
  name: string,
  minAvailable: number | string,
  labels: Record<string, string> = {},
): V1PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name, labels },
    spec: { minAvailable, selector: { matchLabels } },
  };
}

async function pods(scene: Scene, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `pod-${index}`);
  for (const name of names)
    await scene.core.createNamespacedPod({ namespace: scene.namespace, body: podOf(name, { labels: matchLabels }) });
  for (const name of names) await runningPod(scene, name);
}

async function judged(
  { policy, namespace }: Scene,
  name: string,
  disruptionsAllowed: number,
): Promise<V1PodDisruptionBudget> {
  return await eventually(async () => {
    const read = await policy.readNamespacedPodDisruptionBudget({ namespace, name });
    assert.equal(read.status?.observedGeneration, read.metadata?.generation);
    assert.equal(read.status?.disruptionsAllowed, disruptionsAllowed);
    return read;
  }, 20_000);
}

describe('sig-apps: disruption', { concurrency: 5 }, () => {
  conformance('PodDisruptionBudget: create, update, patch, and delete object', async (scene) => {
    const { policy, namespace } = scene;
    const name = 'foo';
    await policy.createNamespacedPodDisruptionBudget({ namespace, body: budgetOf(name, '1%') });
    await judged(scene, name, 0);
    await eventually(async () => {
      const read = await policy.readNamespacedPodDisruptionBudget({ namespace, name });
      const spec = { minAvailable: '2%', selector: { matchLabels } };
      const replaced = await policy.replaceNamespacedPodDisruptionBudget({ namespace, name, body: { ...read, spec } });
      assert.equal(replaced.spec?.minAvailable, '2%');
    });
    const body = { spec: { minAvailable: '3%' } };
    const patched = await policy.patchNamespacedPodDisruptionBudget({ namespace, name, body }, strategicPatch);
    assert.equal(patched.spec?.minAvailable, '3%');
    await policy.deleteNamespacedPodDisruptionBudget({ namespace, name });
    await gone(() => policy.readNamespacedPodDisruptionBudget({ namespace, name }));
  });

  conformance('PodDisruptionBudget: Status updates', async (scene) => {
    const { policy, namespace } = scene;
    await policy.createNamespacedPodDisruptionBudget({ namespace, body: budgetOf('foo', 1) });
    await pods(scene, 3);
    const { status } = await judged(scene, 'foo', 2);
    assert.deepEqual([status?.currentHealthy, status?.desiredHealthy, status?.expectedPods], [3, 1, 3]);
  });

  conformance('PodDisruptionBudget: update and patch status', async (scene) => {
    const { policy, namespace } = scene;
    const name = 'foo';
    await policy.createNamespacedPodDisruptionBudget({ namespace, body: budgetOf(name, 1) });
    await pods(scene, 1);
    const before = await judged(scene, name, 0);
    assert.equal((await policy.readNamespacedPodDisruptionBudgetStatus({ namespace, name })).status?.expectedPods, 1);
    await eventually(async () => {
      const read = await policy.readNamespacedPodDisruptionBudget({ namespace, name });
      const status = { ...read.status!, disruptedPods: { 'pod-0': new Date() } };
      const replaced = await policy.replaceNamespacedPodDisruptionBudgetStatus({
        namespace,
        name,
        body: { ...read, status },
      });
      assert.deepEqual(Object.keys(replaced.status?.disruptedPods ?? {}), ['pod-0']);
      assert.deepEqual(replaced.spec, before.spec);
    });
    const body = { status: { disruptedPods: null } };
    const patched = await policy.patchNamespacedPodDisruptionBudgetStatus({ namespace, name, body }, mergePatch);
    assert.equal(patched.status?.disruptedPods, undefined);
  });

  conformance('PodDisruptionBudget: list and delete collection', async (scene) => {
    const { policy, namespace } = scene;
    const another = await scene.anotherNamespace();
    const labels = { special: namespace };
    const labelSelector = `special=${namespace}`;
    await policy.createNamespacedPodDisruptionBudget({ namespace, body: budgetOf('foo', 2, labels) });
    await policy.createNamespacedPodDisruptionBudget({ namespace, body: budgetOf('foo2', '1%', labels) });
    await policy.createNamespacedPodDisruptionBudget({ namespace: another, body: budgetOf('foo', 2, labels) });
    const found = await policy.listPodDisruptionBudgetForAllNamespaces({ labelSelector });
    assert.deepEqual(found.items.map(({ metadata }) => metadata?.name).sort(), ['foo', 'foo', 'foo2']);
    await policy.deleteCollectionNamespacedPodDisruptionBudget({ namespace, labelSelector });
    assert.equal((await policy.listPodDisruptionBudgetForAllNamespaces({ labelSelector })).items.length, 1);
  });

  conformance('PodDisruptionBudget: block an eviction until the PDB is updated to allow it', async (scene) => {
    const { core, policy, namespace } = scene;
    await pods(scene, 3);
    await policy.createNamespacedPodDisruptionBudget({ namespace, body: budgetOf('foo', 3) });
    await judged(scene, 'foo', 0);
    const evict = (name: string) =>
      core.createNamespacedPodEviction({
        namespace,
        name,
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } },
      });
    assert.match(await refused(429, evict('pod-0')), /disruption budget/);
    await runningPod(scene, 'pod-0');
    await policy.patchNamespacedPodDisruptionBudget(
      { namespace, name: 'foo', body: { spec: { minAvailable: 2 } } },
      mergePatch,
    );
    await judged(scene, 'foo', 1);
    await evict('pod-0');
    await gone(() => core.readNamespacedPod({ namespace, name: 'pod-0' }));
    // As long as the two that are left are all that may be there.
    await judged(scene, 'foo', 0);
    await refused(429, evict('pod-1'));
    await policy.deleteNamespacedPodDisruptionBudget({ namespace, name: 'foo' });
    await eventually(() => evict('pod-1'));
  });
});
