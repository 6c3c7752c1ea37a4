// Deletion as people ask for it, with the controllers that carry it out: real kubectl, the oldest and the newest.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ConfigMap, Pod } from '../../src/resources/kinds.ts';
import type { ApiObject } from '../../src/resources/object.ts';
import { createKubectl, type Kubectl, type KubectlVersion } from './kubectl.ts';
import { type ServedKube, serveKube } from './serve-kube.ts';
import { eventually, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

const collection = '/api/v1/namespaces/default/configmaps';

for (const version of ['28', '35'] as const) describe(`kubectl 1.${version}`, () => suite(version));

function suite(version: KubectlVersion): void {
  let cluster: SimulatedCluster;
  let server: ServedKube;
  let kubectl: Kubectl;

  before(async () => {
    cluster = await startSimulatedCluster();
    await cluster.addNode('h1');
    // Nobody carries out what is asked of this one.
    await cluster.addNode('h2');
    cluster.cut('h2');
    server = await serveKube(cluster.kube);
    kubectl = await createKubectl(version, [`--server=${server.url}`]);
    await kubectl.ok(['cordon', 'h2']);
  });
  after(async () => {
    await kubectl.remove();
    server.stop();
    await cluster.stop();
  });

  const object = async <T extends ApiObject>(...args: string[]) =>
    JSON.parse(await kubectl.ok(['get', '-o', 'json', ...args])) as T;
  /** Without the one that every namespace has. */
  const names = async (what: string) => {
    const lines = (await kubectl.ok(['get', what, '-o', 'name'])).trim().split('\n');
    return lines.filter((line) => line !== 'configmap/kube-root-ca.crt').join('\n');
  };

  async function deploy(): Promise<void> {
    await kubectl.ok(['create', 'deployment', 'web', '--image=nginx:1', '--replicas=2']);
    await kubectl.ok(['wait', 'deployment/web', '--for=condition=Available', '--timeout=20s']);
  }

  async function make(name: string, owner?: { readonly of: ApiObject; readonly blocks?: boolean }): Promise<ConfigMap> {
    const ownerReferences = owner && [
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name: owner.of.metadata.name,
        uid: owner.of.metadata.uid,
        blockOwnerDeletion: owner.blocks ?? false,
      },
    ];
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...(owner ? { ownerReferences } : {}) } };
    await kubectl.ok(['create', '-f', '-'], JSON.stringify(body));
    return await object<ConfigMap>('configmap', name);
  }

  test('in the background the object goes first, in the foreground last', async () => {
    await deploy();
    await kubectl.ok(['delete', 'deployment', 'web', '--timeout=20s']);
    await eventually(async () => assert.equal(await names('rs,pods'), ''));
    await deploy();
    await kubectl.ok(['delete', 'deployment', 'web', '--cascade=foreground', '--timeout=20s']);
    assert.equal(await names('deployments,rs,pods'), '', 'when kubectl comes back everything has gone');
  });

  test('orphans stay, and can be taken over', async () => {
    await deploy();
    const before = await names('pods');
    await kubectl.ok(['delete', 'deployment', 'web', '--cascade=orphan', '--timeout=20s']);
    await eventually(async () => {
      const { items } = await object<ApiObject & { items: ApiObject[] }>('rs');
      assert.deepEqual(
        items.map((one) => one.metadata.ownerReferences),
        [undefined],
      );
    });
    assert.equal(await names('pods'), before);
    await deploy();
    assert.equal(await names('pods'), before, 'the new deployment takes the old ReplicaSet');
    await kubectl.ok(['delete', 'deployment', 'web', '--cascade=foreground', '--timeout=20s']);
  });

  test('an owner in the foreground waits for who blocks it; a circle ends', async () => {
    const owner = await make('owner');
    const held = await make('held', { of: owner, blocks: true });
    await kubectl.ok(['patch', 'cm', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":["example.com/x"]}}']);
    await kubectl.ok(['delete', 'cm', 'owner', '--cascade=foreground', '--wait=false']);
    await kubectl.ok(['wait', 'cm/held', '--for=jsonpath={.metadata.deletionTimestamp}', '--timeout=20s']);
    const finalizers = (await object<ConfigMap>('cm', 'owner')).metadata.finalizers;
    assert.deepEqual(finalizers, ['foregroundDeletion']);
    const late = await kubectl.run([
      'patch',
      'cm',
      'held',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":["a.b/new","example.com/x"]}}',
    ]);
    assert.match(
      late.stderr,
      /no new finalizers can be added if the object is being deleted, found new finalizers \[\]string{"a\.b\/new"}/,
    );
    await kubectl.ok(['patch', 'cm', held.metadata.name, '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    await eventually(async () => assert.equal(await names('cm'), ''));

    const first = await make('first');
    const second = await make('second', { of: first, blocks: true });
    const reference = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'second',
      uid: second.metadata.uid,
      blockOwnerDeletion: true,
    };
    const patch = JSON.stringify({ metadata: { ownerReferences: [reference] } });
    await kubectl.ok(['patch', 'cm', 'first', '--type=merge', '-p', patch]);
    await kubectl.ok(['delete', 'cm', 'first', '--cascade=foreground', '--timeout=20s']);
    await eventually(async () => assert.equal(await names('cm'), ''));
  });

  test('an object whose owner is not there goes, one whose owner is of an unknown kind stays', async () => {
    const nobody = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'nobody', uid: '00000000-0000-4000-8000-000000000000' },
    };
    const body = (name: string, kind: string) =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, ownerReferences: [{ apiVersion: 'v1', kind, name: 'nobody', uid: nobody.metadata.uid }] },
      });
    await kubectl.ok(['create', '-f', '-'], body('lost', 'ConfigMap'));
    await kubectl.ok(['create', '-f', '-'], body('kept', 'Widget'));
    await eventually(async () => assert.equal(await names('cm'), 'configmap/kept'));
    await kubectl.ok(['delete', 'cm', 'kept']);
  });

  test('dry runs delete nothing', async () => {
    await make('stays');
    const { metadata } = await object<ConfigMap>('cm', 'stays');
    assert.match(await kubectl.ok(['delete', 'cm', 'stays', '--dry-run=server']), /deleted.* \(server dry run\)/);
    await kubectl.ok(['delete', 'cm', '--all', '--dry-run=server']);
    await kubectl.ok(['delete', '--raw', `${collection}?dryRun=All`]);
    await kubectl.ok(['create', 'cm', 'stays-not', '--dry-run=server']);
    await kubectl.ok(['label', 'cm', 'stays', 'a=b', '--dry-run=server']);
    assert.equal((await object<ConfigMap>('cm', 'stays')).metadata.resourceVersion, metadata.resourceVersion);
    assert.equal(await names('cm'), 'configmap/stays');
    await kubectl.ok(['delete', 'cm', 'stays']);
  });

  test('a collection is deleted by selector', async () => {
    for (const name of ['a', 'b', 'c']) await make(name);
    await kubectl.ok(['label', 'cm', 'a', 'b', 'gone=yes']);
    await kubectl.ok(['delete', '--raw', `${collection}?labelSelector=gone%3Dyes`]);
    assert.equal(await names('cm'), 'configmap/c');
    await kubectl.ok(['delete', 'cm', 'c']);
  });

  test('a pod’s time to end can be shortened, and --force does not wait', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'slow' },
      spec: { nodeName: 'h2', terminationGracePeriodSeconds: 60, containers: [{ name: 'c', image: 'i' }] },
    };
    await kubectl.ok(['create', '-f', '-'], JSON.stringify(pod));
    const grace = async () => (await object<Pod>('pod', 'slow')).metadata.deletionGracePeriodSeconds;
    await kubectl.ok(['delete', 'pod', 'slow', '--wait=false', '--grace-period=90']);
    assert.equal(await grace(), 90);
    await kubectl.ok(['delete', 'pod', 'slow', '--wait=false']);
    assert.equal(await grace(), 90, 'asking again without a time changes nothing');
    await kubectl.ok(['delete', 'pod', 'slow', '--wait=false', '--grace-period=5']);
    assert.equal(await grace(), 5);
    await kubectl.ok(['delete', 'pod', 'slow', '--wait=false', '--grace-period=50']);
    assert.equal(await grace(), 5);
    await kubectl.ok(['delete', 'pod', 'slow', '--force', '--grace-period=0', '--timeout=20s']);
    assert.equal(await names('pods'), '');
  });
}
