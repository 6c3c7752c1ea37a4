// sig-scheduling, and what node taints do to pods. Each test has nodes of its own and picks them by their label.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { V1Pod, V1PodSpec } from '@kubernetes/client-node';
import {
  conformance,
  eventually,
  jsonPatch,
  mergePatch,
  podOf,
  randomName,
  refused,
  runningPod,
  type Scene,
} from './scene.ts';

/** A pool of nodes that only pods of this test choose. */
async function poolOf({ cluster, core }: Scene, count: number, allocatable?: Record<string, string>) {
  const pool = randomName('pool');
  const simulator = await cluster.addNodes(pool, count, allocatable);
  const names = simulator.nodes.map(({ name }) => name);
  return {
    names,
    nodeSelector: { pool },
    remove: async () => {
      await simulator.stop();
      for (const name of names) await core.deleteNode({ name });
    },
  };
}

async function make({ core, namespace }: Scene, name: string, spec: Partial<V1PodSpec>): Promise<V1Pod> {
  return await core.createNamespacedPod({ namespace, body: podOf(name, {}, spec) });
}

/** Nodes become ready one after the other, and the reason changes with them: what counts is the one that stays. */
async function unschedulable({ core, namespace }: Scene, name: string, why: RegExp): Promise<void> {
  await eventually(async () => {
    const { status, spec } = await core.readNamespacedPod({ namespace, name });
    const condition = status?.conditions?.find(({ type }) => type === 'PodScheduled');
    assert.deepEqual([condition?.status, condition?.reason, spec?.nodeName], ['False', 'Unschedulable', undefined]);
    assert.match(condition?.message ?? '', why);
  }, 20_000);
}

const withPort = (hostPort: number, more: { hostIP?: string; protocol?: string } = {}) => [
  { name: 'main', image: 'web:1', ports: [{ containerPort: 8080, hostPort, ...more }] },
];

describe('sig-scheduling and taints', { concurrency: 8 }, () => {
  conformance('Scheduler, resource limits', async (scene) => {
    const pool = await poolOf(scene, 2, { cpu: '4', memory: '8Gi', pods: '10' });
    const asking = (cpu: string) => ({
      nodeSelector: pool.nodeSelector,
      containers: [{ name: 'main', image: 'web:1', resources: { requests: { cpu }, limits: { cpu } } }],
    });
    for (const name of ['a', 'b']) await make(scene, name, asking('2800m'));
    const nodes = new Set([
      (await runningPod(scene, 'a')).spec?.nodeName,
      (await runningPod(scene, 'b')).spec?.nodeName,
    ]);
    assert.deepEqual(nodes, new Set(pool.names));
    await make(scene, 'more', asking('2'));
    await unschedulable(scene, 'more', /cpu/);
    await scene.core.deleteNamespacedPod({ namespace: scene.namespace, name: 'a' });
    await runningPod(scene, 'more');
    await pool.remove();
  });

  conformance('Scheduler, node selector matching', async (scene) => {
    const { core } = scene;
    const pool = await poolOf(scene, 2);
    const key = `kubernetes.io/e2e-${randomName('label')}`;
    const [name = ''] = pool.names;
    await core.patchNode({ name, body: { metadata: { labels: { [key]: '42' } } } }, mergePatch);
    await make(scene, 'with-labels', { nodeSelector: { [key]: '42' } });
    assert.equal((await runningPod(scene, 'with-labels')).spec?.nodeName, name);
    await core.patchNode(
      { name, body: [{ op: 'remove', path: `/metadata/labels/${key.replace('/', '~1')}` }] },
      jsonPatch,
    );
    await pool.remove();
  });

  conformance('Scheduler, node selector not matching', async (scene) => {
    await make(scene, 'restricted', { nodeSelector: { label: 'nonempty' } });
    await unschedulable(scene, 'restricted', /label/);
  });

  conformance(
    'Scheduling, HostPort and Protocol match, HostIPs different but one is default HostIP (0.0.0.0)',
    async (scene) => {
      const pool = await poolOf(scene, 1);
      const { nodeSelector } = pool;
      await make(scene, 'everywhere', { nodeSelector, containers: withPort(54322) });
      await runningPod(scene, 'everywhere');
      await make(scene, 'local', { nodeSelector, containers: withPort(54322, { hostIP: '127.0.0.1' }) });
      await unschedulable(scene, 'local', /port/);
      await pool.remove();
    },
  );

  conformance('Scheduling, HostPort matching and HostIP and Protocol not-matching', async (scene) => {
    const pool = await poolOf(scene, 1);
    const { nodeSelector } = pool;
    await make(scene, 'one', { nodeSelector, containers: withPort(54323, { hostIP: '127.0.0.1' }) });
    await make(scene, 'two', { nodeSelector, containers: withPort(54323, { hostIP: '127.0.0.2' }) });
    await make(scene, 'three', { nodeSelector, containers: withPort(54323, { hostIP: '127.0.0.2', protocol: 'UDP' }) });
    for (const name of ['one', 'two', 'three'])
      assert.equal((await runningPod(scene, name)).spec?.nodeName, pool.names[0]);
    await pool.remove();
  });

  conformance('Conformance tests minimum number of nodes.', async ({ core }) => {
    const { items } = await core.listNode({ labelSelector: 'pool=common' });
    const free = items.filter(({ spec }) => !spec?.unschedulable && (spec?.taints ?? []).length === 0);
    assert.ok(free.length >= 2, `${free.length} nodes`);
  });

  const taint = { key: 'kubernetes.io/e2e-evict-taint-key', value: 'evictTaintVal', effect: 'NoExecute' };
  const tolerating = (tolerationSeconds: number) => [{ ...taint, operator: 'Equal', tolerationSeconds }];

  conformance('Pod Eviction, Toleration limits', async (scene) => {
    const { core, namespace } = scene;
    const pool = await poolOf(scene, 1);
    const [name = ''] = pool.names;
    await make(scene, 'soon', { nodeSelector: pool.nodeSelector, tolerations: tolerating(1) });
    await make(scene, 'later', { nodeSelector: pool.nodeSelector, tolerations: tolerating(4) });
    for (const one of ['soon', 'later']) await runningPod(scene, one);
    await core.patchNode({ name, body: { spec: { taints: [taint] } } }, mergePatch);
    const isGone = (one: string) =>
      eventually(() => refused(404, core.readNamespacedPod({ namespace, name: one })), 20_000);
    await isGone('soon');
    await core.readNamespacedPod({ namespace, name: 'later' });
    await isGone('later');
    await pool.remove();
  });

  conformance('Taint, Pod Eviction on taint removal', async (scene) => {
    const { core, namespace } = scene;
    const pool = await poolOf(scene, 1);
    const [name = ''] = pool.names;
    await make(scene, 'one', { nodeSelector: pool.nodeSelector, tolerations: tolerating(2) });
    const { metadata } = await runningPod(scene, 'one');
    await core.patchNode({ name, body: { spec: { taints: [taint] } } }, mergePatch);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await core.patchNode({ name, body: { spec: { taints: null } } }, mergePatch);
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // longer than it was tolerated
    const after = await core.readNamespacedPod({ namespace, name: 'one' });
    assert.deepEqual([after.metadata?.uid, after.metadata?.deletionTimestamp], [metadata?.uid, undefined]);
    await pool.remove();
  });
});
