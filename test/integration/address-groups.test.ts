import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { groupNameOf, groupsOf, hostsSelector } from '../../src/resources/address-groups.ts';
import {
  type AddressGroup,
  addressGroups,
  type NetworkPolicy,
  namespaces,
  networkPolicies,
  nodes,
  type Pod,
  pods,
  stacks,
} from '../../src/resources/kinds.ts';
import { eventually, readyStatus, type SimulatedCluster, startSimulatedCluster } from './simulated-cluster.ts';

type Spec = NetworkPolicy['spec'];

const policy = (name: string, spec: Partial<Spec>, annotations: Record<string, string> = {}): NetworkPolicy => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: 'default', annotations },
  spec: { podSelector: {}, ...spec },
});
const fromPods = (labels: Record<string, string>, namespaceLabels?: Record<string, string>): Partial<Spec> => ({
  ingress: [
    {
      from: [
        {
          podSelector: { matchLabels: labels },
          ...(namespaceLabels ? { namespaceSelector: { matchLabels: namespaceLabels } } : {}),
        },
      ],
    },
  ],
});
const pod = (
  name: string,
  labels: Record<string, string>,
  more: Partial<Pod['spec']> = {},
  namespace = 'default',
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { containers: [{ name: 'main', image: 'i', ports: [{ name: 'http', containerPort: 8080 }] }], ...more },
});

/** Addresses follow from the names of the pods. */
const addressOf = (name: string) => `10.80.0.${2 + Number(/\d+$/.exec(name)?.[0] ?? 0)}`;

async function withCluster(run: (cluster: SimulatedCluster) => Promise<void>): Promise<void> {
  const cluster = await startSimulatedCluster({ outcomeOf: ({ metadata }) => readyStatus(addressOf(metadata.name)) });
  try {
    for (const name of ['h1', 'h2']) await cluster.addNode(name);
    await run(cluster);
  } finally {
    await cluster.stop();
  }
}

async function partsOf({ client }: SimulatedCluster): Promise<readonly AddressGroup[]> {
  return (await client.list(addressGroups)).items;
}
const held = (parts: readonly AddressGroup[], group: string) =>
  parts
    .filter((part) => part.metadata.labels?.['flotilla.dev/address-group'] === group)
    .flatMap((part) => part.subsets?.flatMap((subset) => subset.addresses) ?? [])
    .sort();
const onlyGroupOf = (one: NetworkPolicy): string => {
  const [name, ...more] = groupsOf(one).keys();
  assert.ok(name !== undefined && more.length === 0);
  return name;
};

describe('address groups on the real registry', () => {
  it('hold the pods that policies name; follow labels, ends of pods and of policies; survive a change of leader', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      const web = policy('web', fromPods({ app: 'web' }));
      const group = onlyGroupOf(web);
      const has = (...addresses: string[]) =>
        eventually(async () => assert.deepEqual(held(await partsOf(cluster), group), addresses));
      await client.create(networkPolicies, web);
      await eventually(async () => assert.equal((await partsOf(cluster)).length, 1));
      await client.create(networkPolicies, policy('same', fromPods({ app: 'web' })));
      for (const name of ['a-0', 'a-1']) await client.create(pods, pod(name, { app: 'web' }));
      await client.create(pods, pod('b-7', { app: 'db' }));
      await has(addressOf('a-0'), addressOf('a-1'));
      const [part] = await partsOf(cluster);
      assert.equal(part?.metadata.name, `${group}-0`);
      assert.deepEqual(part?.subsets?.[0]?.ports, [{ name: 'http', protocol: 'TCP', port: 8080 }]);

      const relabel = (name: string, app: string) =>
        client.patch(pods, { namespace: 'default', name }, { type: 'merge', body: { metadata: { labels: { app } } } });
      await relabel('b-7', 'web');
      await relabel('a-1', 'other');
      await has(addressOf('a-0'), addressOf('b-7'));

      await cluster.changeLeader();
      await client.delete(pods, { namespace: 'default', name: 'a-0' });
      await has(addressOf('b-7'));

      await client.delete(networkPolicies, { namespace: 'default', name: 'web' });
      await relabel('a-1', 'web');
      await has(addressOf('a-1'), addressOf('b-7'));
      await client.delete(networkPolicies, { namespace: 'default', name: 'same' });
      await eventually(async () => assert.deepEqual(await partsOf(cluster), []));
    });
  });

  it('hold pods of namespaces by their labels, and follow those', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      const namespace = (name: string, team: string) =>
        client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team } } });
      await namespace('one', 'blue');
      await namespace('two', 'red');
      for (const [at, name] of ['one', 'two'].entries()) {
        await client.create(pods, pod(`w-${at}`, { app: 'web' }, {}, name));
        await client.create(pods, pod(`d-${at + 4}`, { app: 'db' }, {}, name));
      }
      const blue = policy('blue', fromPods({ app: 'web' }, { team: 'blue' }));
      const group = onlyGroupOf(blue);
      await client.create(networkPolicies, blue);
      const has = (...addresses: string[]) =>
        eventually(async () => assert.deepEqual(held(await partsOf(cluster), group), addresses));
      await has(addressOf('w-0'));
      const patch = { type: 'merge', body: { metadata: { labels: { team: 'blue' } } } } as const;
      await client.patch(namespaces, { name: 'two' }, patch);
      await has(addressOf('w-0'), addressOf('w-1'));
    });
  });

  it('know the hosts by the address from which they call pods', async () => {
    await withCluster(async (cluster) => {
      await cluster.client.create(networkPolicies, policy('hosts', {}, { 'flotilla.dev/from-hosts': 'true' }));
      const group = groupNameOf(hostsSelector);
      const has = (...addresses: string[]) =>
        eventually(async () => assert.deepEqual(held(await partsOf(cluster), group), addresses));
      await has('10.80.0.1', '10.80.1.1');
      await cluster.addNode('h3');
      await has('10.80.0.1', '10.80.1.1', '10.80.2.1');
      await cluster.client.delete(nodes, { name: 'h1' });
      await has('10.80.1.1', '10.80.2.1');
    });
  });

  it('a stack that is isolated makes policies, and takes them away when it no longer is, or goes', async () => {
    await withCluster(async (cluster) => {
      const { client } = cluster;
      await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
      const ports = [{ containerPort: 80, hostPort: 8080, protocol: 'TCP' as const }];
      const web = { image: 'web:1', instances: 1 };
      await client.create(stacks, {
        apiVersion: 'flotilla.dev/v1alpha1',
        kind: 'Stack',
        metadata: { name: 'shop', namespace: 'shop' },
        spec: { isolate: true, services: { web: { ...web, ports }, db: web } },
      });
      const arePolicies = (...names: string[]) =>
        eventually(async () => {
          const { items } = await client.list(networkPolicies, { namespace: 'shop' });
          assert.deepEqual(items.map((one) => one.metadata.name).sort(), names);
        });
      await arePolicies('shop', 'shop-web');
      await eventually(async () => {
        const hosts = held(await partsOf(cluster), groupNameOf(hostsSelector));
        assert.deepEqual(hosts, ['10.80.0.1', '10.80.1.1']);
        assert.equal((await partsOf(cluster)).length, 2, 'the hosts, and the pods of the stack');
      });
      const ref = { namespace: 'shop', name: 'shop' };
      await client.patch(stacks, ref, { type: 'merge', body: { spec: { isolate: null } } });
      await arePolicies();
      await eventually(async () => assert.deepEqual(await partsOf(cluster), []));
      await client.patch(stacks, ref, { type: 'merge', body: { spec: { isolate: true } } });
      await arePolicies('shop', 'shop-web');
      await client.delete(stacks, ref);
      await arePolicies();
    });
  });

  it('pods that have ended, and those in the network of the node, are in none', async () => {
    const cluster = await startSimulatedCluster({
      outcomeOf: ({ metadata }) => ({
        ...readyStatus(addressOf(metadata.name)),
        phase: metadata.name === 'e-1' ? 'Succeeded' : 'Running',
      }),
    });
    try {
      await cluster.addNode('h1');
      const all = policy('all', { ingress: [{ from: [{ podSelector: {} }] }] });
      await cluster.client.create(networkPolicies, all);
      await cluster.client.create(pods, pod('e-1', {}, { restartPolicy: 'Never' }));
      await cluster.client.create(
        pods,
        pod('h-2', {}, { hostNetwork: true, containers: [{ name: 'main', image: 'i' }] }),
      );
      await cluster.client.create(pods, pod('r-3', {}));
      await eventually(async () => {
        const phases = (await cluster.client.list(pods)).items.map((one) => one.status?.phase);
        assert.deepEqual(phases.sort(), ['Running', 'Running', 'Succeeded']);
      });
      await eventually(async () =>
        assert.deepEqual(held(await partsOf(cluster), onlyGroupOf(all)), [addressOf('r-3')]),
      );
    } finally {
      await cluster.stop();
    }
  });
});
