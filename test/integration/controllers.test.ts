import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isApiError } from '../../src/client/api-error.ts';
import {
  type Deployment,
  deployments,
  endpointSlices,
  namespaces,
  nodes,
  type Pod,
  pods,
  replicaSets,
  type Service,
  type Stack,
  secrets,
  services,
  stacks,
  volumes,
} from '../../src/resources/kinds.ts';
import type { StackService } from '../../src/resources/stack-types.ts';
import {
  type ClusterOptions,
  eventually,
  readyStatus,
  type SimulatedCluster,
  startSimulatedCluster,
} from './simulated-cluster.ts';

async function withCluster(
  run: (cluster: SimulatedCluster) => Promise<void>,
  options: ClusterOptions = {},
): Promise<void> {
  const cluster = await startSimulatedCluster(options);
  try {
    for (const name of ['h1', 'h2', 'h3']) await cluster.addNode(name);
    await run(cluster);
  } finally {
    await cluster.stop();
  }
}

function deployment(replicas: number, image = 'web:1', more: Partial<Deployment['spec']> = {}): Deployment {
  const labels = { app: 'web' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image }] } },
      ...more,
    },
  };
}

const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
};

async function podsOf({ client }: SimulatedCluster, namespace = 'default'): Promise<readonly Pod[]> {
  return (await client.list(pods, { namespace })).items;
}

async function isReady({ client }: SimulatedCluster, replicas: number, image = 'web:1'): Promise<void> {
  const found = await client.get(deployments, { namespace: 'default', name: 'web' });
  assert.equal(found.status?.availableReplicas ?? 0, replicas);
  assert.equal(found.status?.updatedReplicas ?? 0, replicas);
  assert.equal(found.status?.replicas ?? 0, replicas);
  assert.equal(found.spec.template.spec?.containers[0]?.image, image);
}

const ref = { namespace: 'default', name: 'web' };

describe('controllers on the real registry', () => {
  it('a deployment becomes pods on different nodes, with endpoints', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await client.create(services, service);
      await client.create(deployments, deployment(3));
      await eventually(() => isReady(cluster, 3));
      const found = await podsOf(cluster);
      assert.deepEqual(found.map((pod) => pod.spec.nodeName).sort(), ['h1', 'h2', 'h3']);
      await eventually(async () => {
        const slices = (await client.list(endpointSlices)).items;
        const ready = slices.flatMap((slice) => slice.endpoints.filter((one) => one.conditions?.ready));
        assert.equal(ready.length, 3);
      });
      const ranges = (await client.list(nodes)).items.map((node) => node.spec.podCIDRs?.[0]).sort();
      assert.deepEqual(ranges, ['10.80.0.0/24', '10.80.1.0/24', '10.80.2.0/24']);
    });
  });

  it('scales up and down, rolls to a new template, and rolls back', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await client.create(deployments, deployment(2));
      await eventually(() => isReady(cluster, 2));
      await client.patch(deployments, ref, { type: 'merge', body: { spec: { replicas: 5 } } });
      await eventually(() => isReady(cluster, 5));
      await client.patch(deployments, ref, { type: 'merge', body: { spec: { replicas: 1 } } });
      await eventually(() => isReady(cluster, 1));
      const image = (name: string) => ({
        spec: { template: { spec: { containers: [{ name: 'web', image: name }] } } },
      });
      await client.patch(deployments, ref, { type: 'merge', body: image('web:2') });
      await eventually(() => isReady(cluster, 1, 'web:2'));
      await client.patch(deployments, ref, { type: 'merge', body: image('web:1') });
      await eventually(() => isReady(cluster, 1, 'web:1'));
      const sets = (await client.list(replicaSets, { namespace: 'default' })).items;
      assert.equal(sets.length, 2);
      await eventually(async () => {
        const found = await client.get(deployments, ref);
        assert.equal(found.metadata.annotations?.['deployment.kubernetes.io/revision'], '3');
      });
    });
  });

  it('makes exactly as many pods as wanted, however fast it is told to', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await client.create(deployments, deployment(40));
      await eventually(() => isReady(cluster, 40));
      assert.equal((await podsOf(cluster)).length, 40);
    });
  });

  it('goes on where another leader stopped, in the middle of a rollout', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await client.create(deployments, deployment(20));
      for (const round of [1, 2, 3]) {
        await new Promise((resolve) => setTimeout(resolve, 15));
        await cluster.changeLeader();
        const containers = [{ name: 'web', image: `web:${round}` }];
        await client.patch(deployments, ref, { type: 'merge', body: { spec: { template: { spec: { containers } } } } });
      }
      await eventually(() => isReady(cluster, 20, 'web:3'));
      await eventually(async () => assert.equal((await podsOf(cluster)).length, 20));
      assert.match(cluster.metrics.render(), /flotilla_reconcile_total\{controller="replica-set",result="ok"\} \d/);
    });
  });

  it('deletes what a deployment owns, in the background, in the foreground, or leaves it', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      for (const propagationPolicy of ['Background', 'Foreground'] as const) {
        await client.create(deployments, deployment(2));
        await eventually(() => isReady(cluster, 2));
        await client.delete(deployments, ref, { propagationPolicy });
        await eventually(async () => {
          assert.deepEqual(await podsOf(cluster), []);
          assert.deepEqual((await client.list(replicaSets)).items, []);
          assert.deepEqual((await client.list(deployments)).items, []);
        });
      }
      await client.create(deployments, deployment(2));
      await eventually(() => isReady(cluster, 2));
      await client.delete(deployments, ref, { propagationPolicy: 'Orphan' });
      await eventually(async () => {
        assert.deepEqual((await client.list(deployments)).items, []);
        const [set] = (await client.list(replicaSets)).items;
        assert.deepEqual(set?.metadata.ownerReferences ?? [], []);
      });
      assert.equal((await podsOf(cluster)).length, 2);
    });
  });

  it('says why a pod waits, and places it when a node comes that can take it', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      const resources = { requests: { memory: '8Gi' } };
      const template = {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'web', image: 'web:1', resources }] },
      };
      await client.create(deployments, deployment(1, 'web:1', { template }));
      await client.patch(nodes, { name: 'h3' }, { type: 'merge', body: { spec: { unschedulable: true } } });
      await eventually(async () => {
        const [pod] = await podsOf(cluster);
        const condition = pod?.status?.conditions?.find((one) => one.type === 'PodScheduled');
        assert.equal(condition?.message, '0 of 3 nodes can run it: 2 have less than 8 GiB memory left, 1 is cordoned');
      });
      await cluster.addNode('h4', '16Gi');
      await eventually(() => isReady(cluster, 1));
    });
  });

  it('replaces the pods of a silent node, counts them again on return, and keeps the older ones', async () => {
    await withCluster(
      async (cluster) => {
        const { client } = cluster;
        await client.create(services, service);
        await client.create(deployments, deployment(3));
        await eventually(() => isReady(cluster, 3));
        const before = (await podsOf(cluster)).map((pod) => pod.metadata.uid).sort();
        // So that the stand-in is clearly the younger one: times have second precision.
        await new Promise((resolve) => setTimeout(resolve, 1_100));
        cluster.cut('h2');
        await eventually(async () => {
          const node = await client.get(nodes, { name: 'h2' });
          assert.equal(node.status?.conditions?.find((one) => one.type === 'Ready')?.status, 'Unknown');
          assert.equal((await podsOf(cluster)).length, 4);
          await isReady(cluster, 3);
        });
        await eventually(async () => {
          const endpoints = (await client.list(endpointSlices)).items.flatMap((slice) => slice.endpoints);
          assert.equal(endpoints.filter((one) => one.conditions?.ready && one.nodeName === 'h2').length, 0);
        });
        await cluster.plug('h2');
        await eventually(async () => {
          assert.deepEqual((await podsOf(cluster)).map((pod) => pod.metadata.uid).sort(), before);
          await isReady(cluster, 3);
        });
      },
      { failoverAfterMs: 300 },
    );
  });

  it('moves nothing when all nodes fall silent at once, until an operator confirms one', async () => {
    await withCluster(
      async (cluster) => {
        const { client } = cluster;
        await client.create(deployments, deployment(3));
        await eventually(() => isReady(cluster, 3));
        const before = (await podsOf(cluster)).map((pod) => pod.metadata.uid).sort();
        const suspects = async () =>
          (await client.list(nodes)).items.map(
            (node) => node.status?.conditions?.find((one) => one.type === 'flotilla.dev/Suspect')?.status,
          );
        for (const name of ['h1', 'h2', 'h3']) cluster.cut(name);
        await eventually(async () => assert.deepEqual(await suspects(), ['Unknown', 'Unknown', 'Unknown']));
        assert.deepEqual((await podsOf(cluster)).map((pod) => pod.metadata.uid).sort(), before);
        const annotations = { 'flotilla.dev/lost-confirmed': '2026-01-01T00:00:00Z' };
        await client.patch(nodes, { name: 'h2' }, { type: 'merge', body: { metadata: { annotations } } });
        await eventually(async () => {
          const lost = (await podsOf(cluster)).filter((pod) =>
            pod.status?.conditions?.some((one) => one.type === 'flotilla.dev/NodeLost' && one.status === 'True'),
          );
          assert.deepEqual([...new Set(lost.map((pod) => pod.spec.nodeName))], ['h2']);
        });
        for (const name of ['h1', 'h3']) await cluster.plug(name);
        await eventually(() => isReady(cluster, 3));
        assert.deepEqual((await suspects()).sort(), ['False', 'False', 'True']);
      },
      { failoverAfterMs: 300 },
    );
  });

  it('empties a namespace before it goes', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
      const web = deployment(2);
      await client.create(deployments, { ...web, metadata: { ...web.metadata, namespace: 'shop' } });
      await eventually(async () => assert.equal((await podsOf(cluster, 'shop')).length, 2));
      await client.delete(namespaces, { name: 'shop' });
      await eventually(async () => {
        await assert.rejects(client.get(namespaces, { name: 'shop' }), (error) => isApiError(error, 'NotFound'));
      });
      assert.deepEqual(await podsOf(cluster, 'shop'), []);
    });
  });

  it('removes pods of a node that was removed', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await client.create(deployments, deployment(3));
      await eventually(() => isReady(cluster, 3));
      cluster.cut('h1');
      await client.delete(nodes, { name: 'h1' });
      await eventually(async () => {
        await isReady(cluster, 3);
        const found = await podsOf(cluster);
        assert.equal(found.length, 3);
        assert.ok(found.every((pod) => pod.spec.nodeName !== 'h1'));
      });
    });
  });

  it('says nothing more once all is at rest', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await client.create(services, service);
      await client.create(deployments, deployment(3));
      await eventually(() => isReady(cluster, 3));
      await new Promise((resolve) => setTimeout(resolve, 300));
      const version = async () => (await client.list(pods)).resourceVersion;
      const before = await version();
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.equal(await version(), before);
    });
  });
});

function stack(entries: Record<string, Partial<StackService>>, more: Partial<Stack['spec']> = {}): Stack {
  const filled = Object.entries(entries).map(([name, one]) => [name, { image: `${name}:1`, instances: 1, ...one }]);
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: { services: Object.fromEntries(filled), ...more },
  };
}

async function makeNamespace({ client }: SimulatedCluster): Promise<void> {
  const labels = { 'flotilla.dev/stack': 'shop' };
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } });
}

const shop = { namespace: 'shop', name: 'shop' };

async function isComplete({ client }: SimulatedCluster): Promise<Stack> {
  const found = await client.get(stacks, shop);
  const condition = (type: string) => found.status?.conditions?.find((one) => one.type === type);
  assert.equal(found.status?.observedGeneration, found.metadata.generation);
  assert.equal(condition('Available')?.status, 'True', JSON.stringify(found.status));
  assert.equal(condition('Progressing')?.reason, 'Complete', JSON.stringify(found.status));
  return found;
}

describe('stacks on the real registry', () => {
  it('come up in order, change in place, and go but for their volumes', async () => {
    await withCluster(
      async (cluster) => {
        const { client } = cluster;
        await makeNamespace(cluster);
        const entries: Record<string, Partial<StackService>> = {
          db: {
            mounts: [{ type: 'volume', source: 'data', target: '/data' }],
            secretEnvironment: { PASSWORD: 'hidden' },
          },
          migrate: { restart: 'no', dependsOn: { db: { condition: 'service_healthy' } } },
          web: {
            instances: 3,
            dependsOn: { migrate: { condition: 'service_completed_successfully' } },
            ports: [{ containerPort: 80, protocol: 'TCP' }],
          },
        };
        await client.create(stacks, stack(entries, { volumes: { data: {} }, secrets: { key: { data: 'aGk=' } } }));
        const done = await eventually(() => isComplete(cluster));
        assert.deepEqual(done.status?.services?.web, { instances: 3, updated: 3, ready: 3 });
        const created = async (name: string) => {
          const all = await podsOf(cluster, 'shop');
          return all.find((pod) => pod.metadata.labels?.['flotilla.dev/service'] === name);
        };
        const volume = await client.get(volumes, { namespace: 'shop', name: 'shop-data' });
        assert.equal(volume.spec.nodeName, (await created('db'))?.spec.nodeName);
        assert.ok((await client.list(secrets, { namespace: 'shop' })).items.length === 2);

        const change = { web: { instances: 5, dependsOn: null }, migrate: null };
        await client.patch(stacks, shop, { type: 'merge', body: { spec: { services: change } } });
        await eventually(async () => {
          const found = await isComplete(cluster);
          assert.equal(found.status?.services?.web?.ready, 5);
          assert.equal(await created('migrate'), undefined);
        });

        await client.delete(stacks, shop);
        await eventually(async () => {
          await assert.rejects(client.get(stacks, shop), (error) => isApiError(error, 'NotFound'));
        });
        assert.deepEqual(await podsOf(cluster, 'shop'), []);
        assert.deepEqual((await client.list(services, { namespace: 'shop' })).items, []);
        assert.equal((await client.list(volumes, { namespace: 'shop' })).items.length, 1);
        assert.equal((await client.get(namespaces, { name: 'shop' })).metadata.deletionTimestamp, undefined);

        await client.create(stacks, stack({ db: entries.db ?? {} }, { volumes: { data: {} } }));
        await eventually(() => isComplete(cluster));
        assert.equal((await created('db'))?.spec.nodeName, volume.spec.nodeName);
      },
      { outcomeOf: completing },
    );
  });

  it('take their volumes along when asked to', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await makeNamespace(cluster);
      const mounts: StackService['mounts'] = [{ type: 'volume', source: 'data', target: '/data' }];
      await client.create(stacks, stack({ db: { mounts } }, { volumes: { data: {} } }));
      await eventually(() => isComplete(cluster));
      const body = { metadata: { annotations: { 'flotilla.dev/remove-volumes': 'true' } } };
      await client.patch(stacks, shop, { type: 'merge', body });
      await client.delete(stacks, shop);
      await eventually(async () => {
        await assert.rejects(client.get(namespaces, { name: 'shop' }), (error) => isApiError(error, 'NotFound'));
      });
      assert.deepEqual((await client.list(volumes)).items, []);
    });
  });

  it('takes its namespace along when it made it and nothing is left', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await makeNamespace(cluster);
      await client.create(stacks, stack({ web: {} }));
      await eventually(() => isComplete(cluster));
      await client.delete(stacks, shop);
      await eventually(async () => {
        await assert.rejects(client.get(namespaces, { name: 'shop' }), (error) => isApiError(error, 'NotFound'));
      });
    });
  });

  it('says which instance fails and why, and holds back what depends on it', async () => {
    await withCluster(
      async (cluster) => {
        const { client } = cluster;
        await makeNamespace(cluster);
        await client.create(stacks, stack({ db: {}, web: { dependsOn: { db: { condition: 'service_healthy' } } } }));
        await eventually(async () => {
          const { status } = await client.get(stacks, shop);
          const progressing = status?.conditions?.find((one) => one.type === 'Progressing');
          assert.equal(progressing?.reason, 'ImagePullFailed');
          assert.match(progressing?.message ?? '', /^db: instance db-\S+ cannot get its image: "db:1" not found$/);
          assert.match(status?.services?.web?.message ?? '', /^waits for db to be healthy: instance db-/);
        });
        assert.equal((await podsOf(cluster, 'shop')).length, 1);
        await client.get(services, { namespace: 'shop', name: 'web' });
      },
      { outcomeOf: unpullable },
    );
  });

  it('leaves alone what it did not make, and says so', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await makeNamespace(cluster);
      await client.create(services, { ...service, metadata: { name: 'web', namespace: 'shop' } });
      await client.create(stacks, stack({ web: {} }));
      await eventually(async () => {
        const { status } = await client.get(stacks, shop);
        const progressing = status?.conditions?.find((one) => one.type === 'Progressing');
        assert.equal(progressing?.reason, 'Conflict');
        assert.equal(progressing?.message, 'Service shop/web exists already and was not made by a stack');
      });
      await client.delete(services, { namespace: 'shop', name: 'web' });
      await eventually(() => isComplete(cluster));
    });
  });
});

let nextAddress = 2;

/** A service named migrate ends well, all others run. */
function completing(pod: Pod): NonNullable<Pod['status']> {
  if (pod.metadata.labels?.['flotilla.dev/service'] === 'migrate') return { phase: 'Succeeded' };
  return readyStatus(`10.80.0.${nextAddress++}`);
}

function unpullable(pod: Pod): NonNullable<Pod['status']> {
  const { image = '' } = pod.spec.containers[0] ?? {};
  const waiting = { reason: 'ImagePullBackOff', message: `"${image}" not found` };
  const name = pod.spec.containers[0]?.name ?? '';
  return {
    phase: 'Pending',
    containerStatuses: [{ name, image, imageID: '', ready: false, restartCount: 0, state: { waiting } }],
  };
}
